"""Personas: a workspace's brands, written down and read. Each call is one transaction."""

from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models.functions import Now

from billing.services import lock_workspace
from gateway.imaging.brands import Brand
from gateway.models import Persona
from studio.core.errors import Conflict, InvalidRequest, NotFound
from studio.core.ids import new_id

MOST_PERSONAS = 100
_PREFIX = "persona_"
_UNKNOWN = "There is no such persona."


class PersonaExists(Conflict):
    """The workspace has a persona of this name."""

    code = "persona_exists"


class TooManyPersonas(Conflict):
    """The workspace has as many as it may have."""

    code = "too_many_personas"


class PersonaWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a persona shall be, whole. A new default takes the place of the old one."""

    brand: Brand
    is_default: bool = False


def brand_of(persona: Persona) -> Brand:
    """Give what pictures of a persona keep to."""
    return Brand(
        name=persona.name,
        tone=persona.tone,
        colors=tuple(persona.colors),
        style_words=tuple(persona.style_words),
        avoid_words=tuple(persona.avoid_words),
    )


def list_personas(workspace_id: int) -> list[Persona]:
    """List a workspace's personas, the oldest first; they are few."""
    return list(Persona.objects.filter(workspace_id=workspace_id).order_by("pk"))


def access_persona(persona_id: str, *, workspace_id: int) -> Persona:
    """Read a persona of a workspace by the id callers know. Raises: NotFound."""
    found = Persona.objects.filter(pk=_uuid_of(persona_id), workspace_id=workspace_id).first()
    if found is None:
        raise NotFound(_UNKNOWN)
    return found


def access_default(workspace_id: int) -> Persona:
    """Read a workspace's default persona. Raises: InvalidRequest, if it has none."""
    found = Persona.objects.filter(workspace_id=workspace_id, is_default=True).first()
    if found is None:
        raise InvalidRequest(
            "persona_id: this workspace has no default persona; name one.",
            details={"param": "persona_id"},
        )
    return found


def add_persona(*, workspace_id: int, wish: PersonaWish) -> Persona:
    """Write down a brand. Raises: PersonaExists, TooManyPersonas; nothing was written."""
    with transaction.atomic(durable=True):
        lock_workspace(workspace_id)
        known = Persona.objects.filter(workspace_id=workspace_id)
        if known.count() >= MOST_PERSONAS:
            raise TooManyPersonas(f"A workspace has at most {MOST_PERSONAS} personas.")
        _check_name(workspace_id, wish)
        _make_room(workspace_id, wish)
        persona = Persona(id=new_id(), workspace_id=workspace_id)
        _set(persona, wish)
        persona.save(force_insert=True)
    persona.refresh_from_db()
    return persona


def change_persona(persona_id: str, *, workspace_id: int, wish: PersonaWish) -> Persona:
    """Make a persona what is wished, whole.

    Raises: NotFound, PersonaExists; nothing was written.
    """
    with transaction.atomic(durable=True):
        lock_workspace(workspace_id)
        persona = access_persona(persona_id, workspace_id=workspace_id)
        _check_name(workspace_id, wish, except_for=persona.pk)
        _make_room(workspace_id, wish)
        _set(persona, wish)
        persona.updated_at = Now()
        persona.save()
    persona.refresh_from_db()
    return persona


def delete_persona(persona_id: str, *, workspace_id: int) -> None:
    """Forget a persona. Pictures that were made by it stay. Raises: NotFound."""
    access_persona(persona_id, workspace_id=workspace_id).delete()


def _set(persona: Persona, wish: PersonaWish) -> None:
    brand = wish.brand
    persona.name, persona.tone = brand.name, brand.tone
    persona.colors = list(brand.colors)
    persona.style_words = list(brand.style_words)
    persona.avoid_words = list(brand.avoid_words)
    persona.is_default = wish.is_default


def _check_name(workspace_id: int, wish: PersonaWish, *, except_for: UUID | None = None) -> None:
    named = Persona.objects.filter(workspace_id=workspace_id, name=wish.brand.name)
    others = named if except_for is None else named.exclude(pk=except_for)
    if others.exists():
        raise PersonaExists("This workspace has a persona of this name already.")


def _make_room(workspace_id: int, wish: PersonaWish) -> None:
    """Take the default's place, where this is to be it."""
    if wish.is_default:
        Persona.objects.filter(workspace_id=workspace_id, is_default=True).update(is_default=False)


def _uuid_of(persona_id: str) -> UUID:
    """Read the id callers know. Raises: NotFound."""
    try:
        found = UUID(hex=persona_id.removeprefix(_PREFIX))
    except ValueError as error:
        raise NotFound(_UNKNOWN) from error
    if persona_id != f"{_PREFIX}{found.hex}":
        raise NotFound(_UNKNOWN)
    return found
