"""Templates as data, and finding them: what comes first, exactly."""

import pytest

from gateway.imaging.searching import recommend_templates, search_templates
from gateway.imaging.templates import TEMPLATES, find_template, list_templates


def test_there_are_templates_for_every_platform_and_category_that_is_named() -> None:
    assert len(TEMPLATES) == 52
    assert len({template.id for template in TEMPLATES}) == 52
    assert {template.platform for template in TEMPLATES} >= {
        *("instagram", "facebook", "twitter", "linkedin", "youtube", "pinterest", "tiktok"),
        *("blog", "email", "website", "ads"),
    }
    assert {template.category for template in TEMPLATES} >= {
        *("social_media", "blog_content", "email_marketing", "website", "advertising", "product"),
    }


def test_every_template_says_its_ratio_truly_and_can_be_made() -> None:
    for template in TEMPLATES:
        shape = template.aspect_ratio
        width, height = map(float, shape.ratio.split(":"))
        assert shape.width / shape.height == pytest.approx(width / height, abs=0.01), template.id
        assert shape.width * shape.height <= 4 * 1024 * 1024, template.id
        assert template.use_cases
        assert template.description


def test_the_published_templates_are_as_published() -> None:
    linkedin, instagram = find_template("linkedin_post"), find_template("instagram_feed_square")
    assert linkedin is not None
    assert (linkedin.name, linkedin.aspect_ratio.width, linkedin.aspect_ratio.height) == (
        "LinkedIn Post",
        1200,
        628,
    )
    assert instagram is not None
    assert instagram.name == "Instagram Feed Post (Square)"
    assert instagram.use_cases == ("Product showcase", "Lifestyle posts", "Brand content")
    assert len(list_templates(platform="instagram")) == 4
    assert len(list_templates(platform=" Instagram ")) == 4
    assert list_templates(platform="friendster") == ()
    assert list_templates(platform="instagram", category="blog_content") == ()
    assert len(list_templates(category="blog_content")) == 5


@pytest.mark.parametrize(
    ("query", "first", "total"),
    [
        (
            "linkedin",
            [
                *("linkedin_post", "linkedin_square_post", "linkedin_portrait_post"),
                "linkedin_article_cover",
            ],
            4,
        ),
        ("linkedin_post", ["linkedin_post", "linkedin_square_post", "linkedin_portrait_post"], 3),
        ("LinkedIn Post", ["linkedin_post", "linkedin_square_post", "linkedin_portrait_post"], 3),
        ("instagram story", ["instagram_story"], 1),
        ("story", ["instagram_story", "facebook_story", "social_ad_story"], 3),
        (
            "linkdin",
            [
                *("linkedin_post", "linkedin_square_post", "linkedin_portrait_post"),
                "linkedin_article_cover",
            ],
            4,
        ),
        (
            "instagarm",
            [
                *("instagram_feed_square", "instagram_feed_portrait", "instagram_story"),
                "instagram_reel_cover",
            ],
            4,
        ),
        ("twiter header", ["twitter_header"], 1),
        ("thumbnail", ["youtube_thumbnail"], 1),
        ("banner", ["youtube_channel_banner", "website_banner", "product_category_banner"], 5),
        ("infographic", ["blog_infographic", "linkedin_portrait_post", "pinterest_long_pin"], 3),
        ("infographics", ["linkedin_portrait_post", "pinterest_long_pin", "blog_infographic"], 3),
        ("newsletter", ["linkedin_article_cover", "email_header"], 2),
        ("product", ["product_square", "product_lifestyle", "product_category_banner"], 15),
        ("email", ["email_header", "email_hero", "email_product_block"], 3),
        (
            "pintrest pin",
            [
                "pinterest_pin",
                "pinterest_square_pin",
                "pinterest_long_pin",
                "pinterest_board_cover",
            ],
            4,
        ),
        ("for the blog", ["blog_featured_image", "blog_header", "blog_hero_wide"], 5),
        ("recipes", ["pinterest_pin"], 1),
        ("INSTAGRAM_FEED_SQUARE", ["instagram_feed_square"], 1),
        ("zzz", [], 0),
        ("linkedin zzz", [], 0),
    ],
)
def test_search_gives_the_nearest_first(query: str, first: list[str], total: int) -> None:
    found = [template.id for template in search_templates(query)]
    assert found[: len(first)] == first
    assert len(found) == total


@pytest.mark.parametrize(
    ("use_case", "platform", "first", "reason"),
    [
        (
            "product showcase",
            "instagram",
            ["instagram_feed_square", "instagram_feed_portrait"],
            "Fits 'product showcase': made for product showcase.",
        ),
        (
            "discount sale",
            None,
            ["email_hero", "website_banner", "display_ad_half_page", "product_category_banner"],
            "Fits 'discount sale': made for seasonal sale, promotions.",
        ),
        ("hiring", "linkedin", ["linkedin_square_post"], "Fits 'hiring': made for hiring."),
        (
            "advertising campaign",
            None,
            ["display_ad_landscape", "display_ad_square", "display_ad_rectangle"],
            "Fits 'advertising campaign': made for ad campaigns.",
        ),
        (
            "cooking",
            None,
            ["instagram_feed_portrait", "pinterest_pin"],
            "Fits 'cooking': made for food photography.",
        ),
        (
            "webinar",
            None,
            ["facebook_event_cover", "presentation_title_slide"],
            "Fits 'webinar': made for webinars.",
        ),
        (
            "thumbnail for a video",
            "youtube",
            ["youtube_thumbnail", "youtube_shorts_cover"],
            "Fits 'thumbnail for a video': made for video cover.",
        ),
        (
            "product lauch",
            None,
            ["email_hero", "website_hero", "display_ad_landscape", "product_lifestyle"],
            "Fits 'product lauch': made for product launch.",
        ),
        (
            "quantum physics",
            "tiktok",
            ["tiktok_video_cover", "tiktok_photo_post"],
            "No use here fits 'quantum physics'; this is for tiktok.",
        ),
    ],
)
def test_recommend_gives_the_most_fitting_first_and_says_why(
    use_case: str, platform: str | None, first: list[str], reason: str
) -> None:
    found = recommend_templates(use_case, platform=platform)
    assert [one.template.id for one in found][: len(first)] == first
    assert found[0].reason == reason


def test_a_use_that_nothing_fits_is_recommended_nothing() -> None:
    assert recommend_templates("quantum physics") == []
    assert recommend_templates("product showcase", platform="friendster") == []
