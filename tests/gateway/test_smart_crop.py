"""A smart crop keeps the subject: thirty pictures whose subject is known, three shapes of each."""

import pytest

from bench.crop_scenes import scenes
from bench.crop_stage import Box, Scene
from gateway.media.fit_subject import importance
from gateway.media.fit_windows import Window, around_subject

_SEED = 21
_SHAPES = ((100, 100), (90, 160), (300, 100))


def touches(box: Box, window: Window) -> float:
    """Give the share of a box that lies in a window."""
    wide = min(box[2], window[2]) - max(box[0], window[0])
    tall = min(box[3], window[3]) - max(box[1], window[1])
    return max(0.0, wide) * max(0.0, tall) / ((box[2] - box[0]) * (box[3] - box[1]))


def kept(scene: Scene, shape: tuple[int, int]) -> float:
    """Give the share of the subjects that a crop keeps, of the most that one so narrow can."""
    picture = scene.picture
    important = importance(picture.convert("RGBa") if picture.mode == "RGBA" else picture)
    window = around_subject(picture.size, shape, important)
    wide, tall = window[2] - window[0], window[3] - window[1]
    left, top = min(box[0] for box in scene.boxes), min(box[1] for box in scene.boxes)
    right, bottom = max(box[2] for box in scene.boxes), max(box[3] for box in scene.boxes)
    most = min(1.0, wide / (right - left)) * min(1.0, tall / (bottom - top))
    found = sum(touches(box, window) for box in scene.boxes) / len(scene.boxes)
    return min(1.0, found / most)


@pytest.mark.parametrize("as_photos", [False, True], ids=["drawn", "photographed"])
def test_nearly_all_of_nearly_every_subject_is_kept(*, as_photos: bool) -> None:
    shares = [
        kept(scene, shape) for scene in scenes(_SEED, as_photos=as_photos) for shape in _SHAPES
    ]
    assert len(shares) == 90
    assert sum(shares) / len(shares) > 0.93
    assert sum(share < 0.3 for share in shares) <= 4


def test_a_map_is_small_and_the_same_every_time() -> None:
    [scene] = [one for one in scenes(_SEED) if one.name == "a face in leaves"]
    first, again = importance(scene.picture), importance(scene.picture)
    assert (first.mode, max(first.size)) == ("L", 96)
    assert first.tobytes() == again.tobytes()
