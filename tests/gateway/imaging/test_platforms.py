"""What social networks want of pictures, as it is written down."""

import re
from datetime import date

import pytest

from gateway.imaging.platforms import PLATFORMS, Platform, find_platform

each_platform = pytest.mark.parametrize("platform", PLATFORMS.values(), ids=list(PLATFORMS))


def test_at_least_eight_networks_are_known() -> None:
    assert list(PLATFORMS) == [
        *("instagram", "facebook", "twitter", "linkedin", "youtube"),
        *("pinterest", "tiktok", "threads", "snapchat", "bluesky"),
    ]


@each_platform
def test_a_ratio_says_what_the_sides_are(platform: Platform) -> None:
    for one in platform.formats:
        across, down = (float(part) for part in one.ratio.split(":"))
        assert one.width / one.height == pytest.approx(across / down, rel=0.005), one.name


@each_platform
def test_something_stays_free_of_every_format(platform: Platform) -> None:
    for one in platform.formats:
        zone = one.safe_zone
        assert min(zone.top, zone.bottom, zone.left, zone.right) >= 0
        assert zone.top + zone.bottom < 0.8, one.name
        assert zone.left + zone.right < 0.8, one.name


@each_platform
def test_no_format_is_larger_than_its_network_takes(platform: Platform) -> None:
    found = re.fullmatch(r"(\d+)MB", platform.max_file_size)
    assert found is not None
    for one in platform.formats:
        assert 0 < one.max_size_mb <= int(found[1]), one.name
        assert one.file_type in platform.file_types, one.name
        assert one.target().most_bytes == one.max_size_mb * 1_000_000


@each_platform
def test_formats_have_names_of_their_own_and_numbers_a_source(platform: Platform) -> None:
    names = [one.name.casefold() for one in platform.formats]
    assert len(set(names)) == len(names) >= 3
    assert len(platform.source) > 40
    assert date.fromisoformat(platform.checked_on) <= date.today()  # noqa: DTZ011  a day is enough


def test_a_network_and_a_format_are_found_however_they_are_written() -> None:
    platform = find_platform(" Instagram ")
    assert platform is PLATFORMS["instagram"]
    assert platform.find_format("feed post (square)") is platform.formats[0]
    assert platform.find_format("feed") is None
    assert find_platform("myspace") is None
