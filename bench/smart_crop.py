"""Ways to find a picture's subject, judged on pictures whose subject is known.

`manage.py bench smart-crop`; or `python -m bench.smart_crop` in an environment that has the
libraries to compare with (smartcrop, pyvips, opencv-contrib-python-headless and numpy). What is not
installed is left out and named.

A way is asked for the window of a given shape; its mark is the share of the subjects' boxes in it,
as a share of the most that such a window can hold.
"""

import importlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from PIL import Image

from bench.crop_scenes import scenes
from bench.crop_stage import Box, Scene
from gateway.media.fit_subject import importance
from gateway.media.fit_windows import Window, around_subject, centered

_SEEDS = (11, 12, 13)
"""Not those on which our own way was tuned (1 to 3)."""
_SHAPES = ((100, 100), (80, 100), (90, 160), (191, 100), (300, 100))
_ALIKE = 0.1
"""A picture whose shape is this near to the wanted one (in logarithms) says nothing."""
_STEPS = 200
_LOST = 0.3
_MAP_SIDE_PX = 192

Way = Callable[[Image.Image, tuple[int, int]], Window]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    scene: Scene
    shape: tuple[int, int]
    best: float


@dataclass(slots=True, kw_only=True)
class _Marks:
    """The marks of one way on one set of pictures."""

    marks: list[tuple[str, float]]
    took_s: float

    def line(self) -> str:
        """Write them: mean, how many were lost, the worst scene, time."""
        values = [mark for _, mark in self.marks]
        names = {name for name, _ in self.marks}
        worst, scene = min(
            (sum(found) / len(found), name)
            for name in names
            if (found := [mark for its, mark in self.marks if its == name])
        )
        lost = sum(value < _LOST for value in values) / len(values)
        took_ms = 1000 * self.took_s / len(values)
        return (
            f"{sum(values) / len(values):6.1%} kept  {lost:6.1%} lost  "
            f"{took_ms:5.1f} ms  worst {worst:.0%}: {scene}"
        )


def bench_smart_crop() -> bool:
    """Compare what is installed and print it. Returns: whether our own way is the best of it."""
    ways, missing = _ways()
    means: dict[str, list[float]] = {name: [] for name in ways}
    for words, as_photos in (("as drawn", False), ("as photographed", True)):
        cases = list(_cases(as_photos=as_photos))
        print(f"\n{words}: {len(cases)} crops")
        for name, way in ways.items():
            marks = _judged(way, cases)
            means[name].append(sum(mark for _, mark in marks.marks) / len(marks.marks))
            print(f"  {name:28s}{marks.line()}", flush=True)
    for name in missing:
        print(f"LEFT OUT, not installed here: {name}")
    best = max(means, key=lambda name: sum(means[name]))
    print(f"best: {best}")
    return best == _OURS


def _cases(*, as_photos: bool) -> Iterator[_Case]:
    for seed in _SEEDS:
        for scene in scenes(seed, as_photos=as_photos):
            for shape in _SHAPES:
                size = scene.picture.size
                if abs(math.log(size[0] / size[1] / (shape[0] / shape[1]))) > _ALIKE:
                    yield _Case(scene=scene, shape=shape, best=_best(scene, shape))


def _judged(way: Way, cases: list[_Case]) -> _Marks:
    begun_s = time.process_time()
    windows = [way(case.scene.picture, case.shape) for case in cases]
    took_s = time.process_time() - begun_s
    marks = [
        (case.scene.name, _kept(case.scene.boxes, window) / case.best)
        for case, window in zip(cases, windows, strict=True)
    ]
    return _Marks(marks=marks, took_s=took_s)


def _best(scene: Scene, shape: tuple[int, int]) -> float:
    """Give the most that any window of the shape can hold, tried at many places."""
    size = scene.picture.size
    left, top, right, bottom = centered(size, shape)
    wide, tall = right - left, bottom - top
    shares = (number / _STEPS for number in range(_STEPS + 1))
    places = (((size[0] - wide) * share, (size[1] - tall) * share) for share in shares)
    return max(_kept(scene.boxes, (x, y, x + wide, y + tall)) for x, y in places)


def _kept(boxes: tuple[Box, ...], window: Window) -> float:
    whole = sum((box[2] - box[0]) * (box[3] - box[1]) for box in boxes)
    return sum(_common(box, window) for box in boxes) / whole


def _common(box: Box, window: Window) -> float:
    wide = min(box[2], window[2]) - max(box[0], window[0])
    tall = min(box[3], window[3]) - max(box[1], window[1])
    return max(0.0, wide) * max(0.0, tall)


_OURS = "ours"


def _ways() -> tuple[dict[str, Way], list[str]]:
    """Give the ways that can be tried here, and the names of those that cannot."""
    ways: dict[str, Way] = {"the middle": lambda picture, shape: centered(picture.size, shape)}
    ways[_OURS] = _ours
    makers: dict[str, Callable[[], Way]] = {
        "smartcrop": _smartcrop,
        "pyvips, attention": partial(_vips, "attention"),
        "pyvips, entropy": partial(_vips, "entropy"),
        "OpenCV, spectral residual": partial(_opencv, "StaticSaliencySpectralResidual_create"),
        "OpenCV, fine grained": partial(_opencv, "StaticSaliencyFineGrained_create"),
    }
    missing = []
    for name, make in makers.items():
        try:
            ways[name] = make()
        except ImportError:
            missing.append(name)
    return ways, missing


def _ours(picture: Image.Image, shape: tuple[int, int]) -> Window:
    alike = picture.convert("RGBa") if picture.mode == "RGBA" else picture
    return around_subject(picture.size, shape, importance(alike))


def _smartcrop() -> Way:
    """Source: github smartcrop/smartcrop.py 0.5.0, README."""
    crop = importlib.import_module("smartcrop").SmartCrop().crop

    def found(picture: Image.Image, shape: tuple[int, int]) -> Window:
        box = crop(_on_white(picture), *shape)["top_crop"]
        return (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])

    return found


def _vips(interesting: str) -> Way:
    """Source: libvips 8.18, vips_smartcrop."""
    vips: Any = importlib.import_module("pyvips")

    def found(picture: Image.Image, shape: tuple[int, int]) -> Window:
        left, top, right, bottom = centered(picture.size, shape)
        size, bands = picture.size, len(picture.getbands())
        whole = vips.Image.new_from_memory(picture.tobytes(), *size, bands, "uchar")
        wide, tall = int(right - left), int(bottom - top)
        cut = whole.copy(interpretation="srgb").smartcrop(wide, tall, interesting=interesting)
        return (-cut.xoffset, -cut.yoffset, wide - cut.xoffset, tall - cut.yoffset)

    return found


def _opencv(maker: str) -> Way:
    """Give a map of OpenCV with our own choice of the window. Source: opencv_contrib, saliency."""
    numpy: Any = importlib.import_module("numpy")
    make = getattr(importlib.import_module("cv2").saliency, maker)

    def found(picture: Image.Image, shape: tuple[int, int]) -> Window:
        share = _MAP_SIDE_PX / max(picture.size)
        size = (round(picture.width * share), round(picture.height * share))
        small = _on_white(picture).resize(size, Image.Resampling.BOX)
        _, values = make().computeSaliency(numpy.asarray(small)[:, :, ::-1].copy())
        if values.dtype != numpy.uint8:
            values = (numpy.clip(values, 0, 1) * 255).astype("uint8")
        return around_subject(picture.size, shape, Image.fromarray(values))

    return found


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode != "RGBA":
        return picture
    ground = Image.new("RGB", picture.size, (255, 255, 255))
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


if __name__ == "__main__":
    bench_smart_crop()
