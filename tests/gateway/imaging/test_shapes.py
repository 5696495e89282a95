"""Width and height, from what was named and what a template has."""

from typing import Any

import pytest

from gateway.imaging.shapes import ShapeRefused, ShapeWish, sides_of

LINKEDIN = (1200, 628)


@pytest.mark.parametrize(
    ("wish", "template", "sides"),
    [
        ({}, None, (1024, 1024)),
        ({}, LINKEDIN, (1200, 628)),
        ({"width": 800, "height": 600}, None, (800, 600)),
        ({"width": 800, "height": 600}, LINKEDIN, (800, 600)),
        ({"width": 512}, None, (512, 512)),
        ({"height": 512}, None, (512, 512)),
        ({"width": 600}, LINKEDIN, (600, 314)),
        ({"height": 314}, LINKEDIN, (600, 314)),
        ({"aspect_ratio": "1:1"}, None, (1024, 1024)),
        ({"aspect_ratio": "16:9"}, None, (1360, 765)),
        ({"aspect_ratio": "9:16"}, None, (765, 1360)),
        ({"aspect_ratio": "4:3"}, None, (1180, 885)),
        ({"aspect_ratio": "1:10"}, None, (323, 3230)),
        ({"aspect_ratio": "10:1"}, None, (3230, 323)),
        ({"aspect_ratio": "1.91:1"}, None, (1337, 700)),
        ({"aspect_ratio": "1:1"}, (1080, 1920), (1440, 1440)),
        ({"aspect_ratio": "1023:1021"}, None, (1023, 1021)),
        ({"aspect_ratio": "4000:3999"}, None, (1024, 1024)),
        ({"width": 1920, "aspect_ratio": "16:9"}, None, (1920, 1080)),
        ({"height": 1080, "aspect_ratio": "16:9"}, None, (1920, 1080)),
        ({"width": 1920, "aspect_ratio": "16:9"}, LINKEDIN, (1920, 1080)),
        ({"width": 1920, "height": 1080, "aspect_ratio": "16:9"}, None, (1920, 1080)),
        ({"width": 1366, "height": 768, "aspect_ratio": "16:9"}, None, (1366, 768)),
        ({"width": 768, "height": 1366, "aspect_ratio": "9:16"}, None, (768, 1366)),
        ({"width": 1200, "height": 628, "aspect_ratio": "1.91:1"}, None, (1200, 628)),
    ],
)
def test_what_is_named_wins_and_the_rest_follows(
    wish: dict[str, Any], template: tuple[int, int] | None, sides: tuple[int, int]
) -> None:
    assert sides_of(ShapeWish(**wish), template=template) == sides


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"width": 800, "height": 600, "aspect_ratio": "16:9"}, "aspect_ratio: 800x600 has anoth"),
        ({"aspect_ratio": "wide"}, "aspect_ratio: write it as 16:9."),
        ({"aspect_ratio": ""}, "aspect_ratio: write it as 16:9."),
        ({"aspect_ratio": "16:9:1"}, "aspect_ratio: write it as 16:9."),
        ({"aspect_ratio": "-16:9"}, "aspect_ratio: write it as 16:9."),
        ({"aspect_ratio": "1e3:1"}, "aspect_ratio: write it as 16:9."),
        ({"aspect_ratio": ".:1"}, "aspect_ratio: write it as 16:9."),
        ({"aspect_ratio": "0:9"}, "aspect_ratio: from 1:10 to 10:1."),
        ({"aspect_ratio": "16:0"}, "aspect_ratio: from 1:10 to 10:1."),
        ({"aspect_ratio": "11:1"}, "aspect_ratio: from 1:10 to 10:1."),
        ({"aspect_ratio": "1:11"}, "aspect_ratio: from 1:10 to 10:1."),
        ({"width": 4096, "aspect_ratio": "1:2"}, "height: would be 8192 by this ratio"),
        ({"width": 64, "aspect_ratio": "4:1"}, "height: would be 16 by this ratio"),
    ],
)
def test_contradictions_and_nonsense_are_refused_by_name(wish: dict[str, Any], said: str) -> None:
    with pytest.raises(ShapeRefused) as refused:
        sides_of(ShapeWish(**wish))
    assert str(refused.value).startswith(said)
    assert said.startswith(refused.value.field)
