"""Templates: a size, a style and a quality to start from, as data (templates.json). Pure."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from gateway.imaging.models import Level

_FILE = Path(__file__).with_name("templates.json")


class TemplateShape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The size of a template's picture, in pixels, and the ratio as people say it."""

    ratio: str
    width: int
    height: int
    label: str


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One template. `recommended_provider` is a family of models (models.json)."""

    id: str
    name: str
    category: str
    platform: str
    aspect_ratio: TemplateShape
    description: str
    recommended_provider: str
    style_preset: str
    quality: Level
    use_cases: tuple[str, ...]


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    about: str
    templates: tuple[Template, ...]


TEMPLATES = msgspec.json.decode(_FILE.read_bytes(), type=_File).templates
_BY_ID: Mapping[str, Template] = MappingProxyType({one.id: one for one in TEMPLATES})


def find_template(template_id: str) -> Template | None:
    """Find a template by its id."""
    return _BY_ID.get(template_id)


def list_templates(
    *, platform: str | None = None, category: str | None = None
) -> tuple[Template, ...]:
    """List the templates of a platform and a category, as the file has them; None is any."""
    return tuple(
        one for one in TEMPLATES if _is(one.platform, platform) and _is(one.category, category)
    )


def _is(has: str, wanted: str | None) -> bool:
    return wanted is None or has == wanted.strip().lower()
