"""How large a picture becomes and by which mode: arithmetic alone."""

import pytest

from gateway.imaging.upscales import PRESETS, UPSCALES, ModeName, Plan, Size, plan_upscale
from studio.core.errors import InvalidRequest

NO_TARGET = (None, None)


def plan(
    size: Size,
    mode: ModeName = "auto",
    preset: str | None = None,
    target: tuple[int | None, int | None] = NO_TARGET,
) -> Plan:
    """Plan an upscale."""
    return plan_upscale(size, mode=mode, preset=preset, target=target)


def test_the_published_example_becomes_what_it_says() -> None:
    assert plan((768, 512), "conservative", "print") == Plan(
        mode="conservative", width=3072, height=2048, factor=4.0
    )


@pytest.mark.parametrize(
    ("size", "preset", "target", "mode", "planned", "factor"),
    [
        ((768, 512), None, NO_TARGET, "fast", (3072, 2048), 4.0),
        ((768, 512), "web", NO_TARGET, "fast", (2048, 1365), 2.667),
        ((768, 512), "social", NO_TARGET, "fast", (1920, 1280), 2.5),
        ((768, 512), "print", NO_TARGET, "conservative", (3072, 2048), 4.0),
        ((512, 768), "print", NO_TARGET, "conservative", (2048, 3072), 4.0),
        ((768, 512), None, (1536, None), "fast", (1536, 1024), 2.0),
        ((768, 512), None, (None, 1024), "fast", (1536, 1024), 2.0),
        ((768, 512), None, (1000, 1000), "fast", (1000, 1000), 1.953),
        ((768, 512), None, (768, 512), "fast", (768, 512), 1.0),
        ((500, 500), None, (2000, None), "fast", (2000, 2000), 4.0),
        ((500, 500), None, (2001, None), "conservative", (2001, 2001), 4.002),
        ((1024, 1024), None, NO_TARGET, "fast", (4096, 4096), 4.0),
        ((1025, 1024), None, (2050, None), "conservative", (2050, 2048), 2.0),
        ((2000, 2000), None, NO_TARGET, "conservative", (4096, 4096), 2.048),
        ((100, 40), None, NO_TARGET, "fast", (400, 160), 4.0),
        ((3000, 1000), None, (4500, None), "fast", (4500, 1500), 1.5),
    ],
)
def test_auto_chooses_by_pixels_preset_and_target(
    *,
    size: Size,
    preset: str | None,
    target: tuple[int | None, int | None],
    mode: ModeName,
    planned: Size,
    factor: float,
) -> None:
    found = plan(size, "auto", preset, target)
    assert (found.mode, (found.width, found.height)) == (mode, planned)
    assert found.factor == pytest.approx(factor, abs=0.0006)


@pytest.mark.parametrize("mode", ["fast", "conservative", "creative"])
def test_a_mode_that_is_named_is_kept(mode: ModeName) -> None:
    assert plan((768, 512), mode, "web").mode == mode


@pytest.mark.parametrize(
    ("size", "mode", "preset", "target", "message"),
    [
        ((2049, 100), "auto", "web", NO_TARGET, "preset: 2048x100 is smaller than the picture"),
        ((768, 512), "auto", None, (767, None), "target_width: 767x511 is smaller than"),
        ((768, 512), "auto", None, (None, 511), "target_height: 766x511 is smaller than"),
        ((768, 512), "auto", None, (800, 511), "target_width: 800x511 is smaller than"),
        ((768, 512), "auto", "web", (800, None), "preset: give a preset or a target size"),
        ((100, 100), "fast", None, (801, None), "target_width: fast makes a side at most 8"),
        ((100, 100), "creative", None, (4001, 4001), "target_width: creative makes a side at"),
        ((768, 512), "auto", None, (8192, 8192), "target_width: at most 8192 pixels a side and"),
        ((8192, 64), "auto", None, (8193, None), "target_width: at most 8192 pixels a side and"),
        (
            (5000, 4000),
            "auto",
            None,
            NO_TARGET,
            "image_base64: it has 5000x4000; more than",
        ),
        ((8192, 64), "fast", None, NO_TARGET, "image_base64: it has 8192x64, and no more is made"),
    ],
)
def test_what_cannot_be_made_is_named(
    *,
    size: Size,
    mode: ModeName,
    preset: str | None,
    target: tuple[int | None, int | None],
    message: str,
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        plan(size, mode, preset, target)
    assert refused.value.message.startswith(message)


def test_every_preset_and_mode_is_written_down() -> None:
    assert dict(PRESETS) == {"web": 2048, "print": 3072, "social": 1920}
    assert [one.kind for one in UPSCALES.values()] == [
        *("upscale.fast", "upscale.conservative", "upscale.creative")
    ]
