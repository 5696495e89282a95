"""Every operation of Image Studio asked of a running gateway, for the contact sheet."""

import http.client
import io
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from bench.crop_scenes import scenes

_PATIENCE_S = 90
_ROOT = "/api/image-studio"
_WORDS = "a red balloon over green hills"
_MODELS = {
    "stability": ("core", "ultra", "sd3.5-large"),
    "wavespeed": ("ideogram-v3-turbo", "qwen-image"),
    "huggingface": ("FLUX.1-Krea-dev", "FLUX.1-dev", "FLUX.1-schnell"),
    "gemini": ("gemini-2.5-flash-image", "gemini-3.1-flash-image", "gemini-3-pro-image"),
}
_SEEDLESS = ("ideogram-v3-turbo",)
_EDITS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("remove_background", {}),
    ("inpaint", {"prompt": "a blue pond", "mask_base64": "mask"}),
    ("outpaint", {"prompt": "more hills", "expand_left": 200, "expand_down": 120}),
    ("search_replace", {"search_prompt": "balloon", "prompt": "a yellow moon"}),
    ("search_recolor", {"select_prompt": "balloon", "prompt": "violet"}),
    ("general_edit", {"prompt": "make it an orange evening"}),
)
_UPSCALES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("fast", {}),
    ("conservative", {"target_width": 1200}),
    ("creative", {"target_width": 1600, "prompt": "a red balloon"}),
    ("auto", {"preset": "web"}),
)
_CONTROLS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("sketch", {"control_strength": 0.7}),
    ("structure", {"control_strength": 0.7}),
    ("style", {"fidelity": 0.6}),
    ("style_transfer", {"style_image_base64": "style", "style_strength": 0.8}),
)
_SOCIAL = {
    "instagram": "Feed Post (Square)",
    "facebook": "Feed Post",
    "pinterest": "Pin (Full Screen)",
    "twitter": "Header",
}
_SMALL = (320, 214)


class AskedInVain(Exception):
    """The gateway did not answer with a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One picture of the sheet: in which group, what made it, and what to say of it."""

    group: str
    label: str
    note: str
    picture: Image.Image


class Studio:
    """A running gateway, and the key to ask it with."""

    def __init__(self, base_url: str, app_key: str) -> None:
        self._url = urlsplit(base_url)
        self._key = app_key

    def ask(self, path: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """Ask, and give the answer and what it cost. Raises: AskedInVain."""
        assert self._url.hostname, "an address has a host"
        connection = http.client.HTTPConnection(
            self._url.hostname, self._url.port, timeout=_PATIENCE_S
        )
        headers = {"x-app-key": self._key, "content-type": "application/json"}
        try:
            connection.request("POST", _ROOT + path, json.dumps(body), headers)
            answer = connection.getresponse()
            said = answer.read()
        except OSError as error:
            raise AskedInVain(f"{path}: no answer ({error}).") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise AskedInVain(f"{path}: {answer.status} {said[:300].decode(errors='replace')}")
        found: dict[str, Any] = json.loads(said)
        return found, answer.headers.get("x-credits-charged", "?")


def all_shown(studio: Studio) -> Iterator[Shown | AskedInVain]:
    """Ask for everything, one after the other; what was asked in vain is given as its error."""
    yield from _created(studio)
    try:
        made, _ = _create(studio, "stability", "core", width=960, height=640)
    except AskedInVain as error:
        yield error
    else:
        yield from _changed(studio, made)
    yield from _social(studio, _subject())


def _created(studio: Studio) -> Iterator[Shown | AskedInVain]:
    for provider, models in _MODELS.items():
        for model in models:
            try:
                picture, charge = _create(studio, provider, model, width=1200, height=628)
            except AskedInVain as error:
                yield error
                continue
            yield Shown(
                group="Create",
                label=f"{provider} {model}",
                note=_note(picture, charge),
                picture=picture,
            )


def _create(
    studio: Studio, provider: str, model: str, *, width: int, height: int
) -> tuple[Image.Image, str]:
    body = {
        "prompt": _WORDS,
        "provider": provider,
        "model": model,
        "width": width,
        "height": height,
        "enhance_prompt": False,
        **({} if model in _SEEDLESS else {"seed": 7}),
    }
    answer, charge = studio.ask("/create", body)
    return _picture(answer["results"][0]["image_base64"]), charge


def _changed(studio: Studio, made: Image.Image) -> Iterator[Shown | AskedInVain]:
    small = made.convert("RGB").resize(_SMALL, Image.Resampling.LANCZOS)
    pictures = {"mask": _url(_mask(made.size)), "style": _url(_style(made.size))}
    whole = _url(made)
    for operation, more in _EDITS:
        body = {"image_base64": whole, "operation": operation, **_filled(more, pictures)}
        yield _one(studio, "Edit", "/edit/process", operation, body)
    for mode, more in _UPSCALES:
        body = {"image_base64": _url(small), "mode": mode, **more}
        yield _one(studio, "Upscale", "/upscale", f"{mode}, of {small.width}x{small.height}", body)
    for operation, more in _CONTROLS:
        body = {
            "control_image_base64": whole,
            "operation": operation,
            "prompt": "a castle in the snow",
            **_filled(more, pictures),
        }
        yield _one(studio, "Control", "/control/process", operation, body)


def _one(
    studio: Studio, group: str, path: str, label: str, body: Mapping[str, Any]
) -> Shown | AskedInVain:
    try:
        answer, charge = studio.ask(path, body)
    except AskedInVain as error:
        return error
    picture = _picture(answer["image_base64"])
    return Shown(group=group, label=label, note=_note(picture, charge), picture=picture)


def _social(studio: Studio, subject: Image.Image) -> Iterator[Shown | AskedInVain]:
    for mode in ("smart", "center", "fit"):
        body = {
            "image_base64": _url(subject),
            "platforms": list(_SOCIAL),
            "format_names": _SOCIAL,
            "crop_mode": mode,
            "show_safe_zones": True,
            "output_format": "jpg",
        }
        try:
            answer, _ = studio.ask("/social/optimize", body)
        except AskedInVain as error:
            yield error
            continue
        for one in answer["results"]:
            picture = _picture(one["image_base64"])
            yield Shown(
                group="Social, with safe zones",
                label=f"{mode}: {one['platform']} {one['format']}",
                note=f"{picture.width}x{picture.height}",
                picture=picture,
            )


def _subject() -> Image.Image:
    """Give a picture whose subject is off the middle."""
    [scene] = [one for one in scenes(2) if one.name == "a walker in hills"]
    return scene.picture


def _filled(more: Mapping[str, Any], pictures: Mapping[str, str]) -> dict[str, Any]:
    """Put pictures where their names stand."""
    return {
        field: pictures[value] if field.endswith("_base64") else value
        for field, value in more.items()
    }


def _mask(size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, (0, size[1] * 2 // 3, size[0], size[1]))
    return mask


def _style(size: tuple[int, int]) -> Image.Image:
    """Give a picture of dark blues, as a style to follow."""
    return Image.merge("RGB", [band.resize(size) for band in _blues()])


def _blues() -> tuple[Image.Image, Image.Image, Image.Image]:
    slope = Image.linear_gradient("L")
    return (
        slope.point([value // 8 for value in range(256)]),
        slope.point([20 + value // 4 for value in range(256)]),
        slope.point([90 + value // 2 for value in range(256)]),
    )


def _note(picture: Image.Image, charge: str) -> str:
    return f"{picture.width}x{picture.height}, {charge} credits"


def _picture(text: str) -> Image.Image:
    """Read a picture from base64, bare or as a data URL."""
    picture = Image.open(io.BytesIO(b64decode(text.rpartition(",")[2])))
    picture.load()
    return picture


def _url(picture: Image.Image) -> str:
    written = io.BytesIO()
    picture.save(written, "PNG")
    return f"data:image/png;base64,{b64encode(written.getvalue()).decode()}"
