"""/api/image-studio/personas: a workspace's brands, which pictures can be made to keep to."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.imaging import personas
from gateway.imaging.brands import Brand
from gateway.imaging.personas import PersonaWish
from gateway.models import Persona
from gateway.operations.json_body import read_body
from gateway.surfaces.asking import in_thread
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.image_studio.entry import image_entered
from studio.core.errors import InvalidRequest

_BODY_LIMIT_BYTES = 16 * 1024
_ID_AT = 4
_OPERATION = "image"

_Word = Annotated[str, Meta(min_length=1, max_length=60)]
_Words = Annotated[list[_Word], Meta(max_length=20)]
_Color = Annotated[str, Meta(pattern=r"\A#[0-9A-Fa-f]{6}\Z")]


class _Asked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A persona, whole."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    tone: Annotated[str, Meta(max_length=200)] = ""
    colors: Annotated[list[_Color], Meta(max_length=12)] = []
    style_words: _Words = []
    avoid_words: _Words = []
    is_default: bool = False


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A persona as callers see it."""

    id: str
    name: str
    tone: str
    colors: list[str]
    style_words: list[str]
    avoid_words: list[str]
    is_default: bool
    created_at: datetime
    updated_at: datetime


_ASKED = msgspec.json.Decoder(_Asked)


async def list_all(request: Request) -> Answer:
    """List the workspace's personas."""
    async with image_entered(request, _OPERATION) as admitted:
        found = await in_thread(personas.list_personas, admitted.caller.workspace_id)
        shown = [_shown(one) for one in found]
        return _answer({"personas": shown, "total": len(shown)})


async def add(request: Request) -> Answer:
    """Write down a new one."""
    async with image_entered(request, _OPERATION) as admitted:
        wish = await _read_wish(request)
        added = await in_thread(
            personas.add_persona, workspace_id=admitted.caller.workspace_id, wish=wish
        )
        return _answer(_shown(added), status=201)


async def show(request: Request) -> Answer:
    """Show one."""
    async with image_entered(request, _OPERATION) as admitted:
        found = await in_thread(
            personas.access_persona,
            _path_id(request),
            workspace_id=admitted.caller.workspace_id,
        )
        return _answer(_shown(found))


async def change(request: Request) -> Answer:
    """Put another in its place; what the body does not name is empty then."""
    async with image_entered(request, _OPERATION) as admitted:
        wish = await _read_wish(request)
        changed = await in_thread(
            personas.change_persona,
            _path_id(request),
            workspace_id=admitted.caller.workspace_id,
            wish=wish,
        )
        return _answer(_shown(changed))


async def delete(request: Request) -> Answer:
    """Forget one."""
    async with image_entered(request, _OPERATION) as admitted:
        await in_thread(
            personas.delete_persona,
            _path_id(request),
            workspace_id=admitted.caller.workspace_id,
        )
        return Answer(status=204)


async def _read_wish(request: Request) -> PersonaWish:
    check_media_type(request)
    given = read_body(_ASKED, await request.read_body(_BODY_LIMIT_BYTES))
    name = _clean("name", given.name)
    if not name:
        raise InvalidRequest("name: required.", details={"param": "name"})
    brand = Brand(
        name=name,
        tone=_clean("tone", given.tone),
        colors=tuple(color.upper() for color in given.colors),
        style_words=_clean_all("style_words", given.style_words),
        avoid_words=_clean_all("avoid_words", given.avoid_words),
    )
    return PersonaWish(brand=brand, is_default=given.is_default)


def _clean_all(field: str, values: list[str]) -> tuple[str, ...]:
    return tuple(word for word in (_clean(field, value) for value in values) if word)


def _clean(field: str, text: str) -> str:
    """Strip a text. Raises: InvalidRequest for line breaks and other control characters."""
    if not text.isprintable():
        raise InvalidRequest(f"{field}: printable characters only.", details={"param": field})
    return text.strip()


def _path_id(request: Request) -> str:
    return request.path.split("/")[_ID_AT]


def _shown(persona: Persona) -> _Shown:
    return _Shown(
        id=persona.public_id,
        name=persona.name,
        tone=persona.tone,
        colors=persona.colors,
        style_words=persona.style_words,
        avoid_words=persona.avoid_words,
        is_default=persona.is_default,
        created_at=persona.created_at,
        updated_at=persona.updated_at,
    )


def _answer(body: object, *, status: int = 200) -> Answer:
    headers = [(b"cache-control", b"no-store")]
    return Answer(status=status, body=msgspec.json.encode(body), headers=headers)
