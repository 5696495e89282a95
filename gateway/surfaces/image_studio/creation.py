"""The body of POST /api/image-studio/create, and the picture that it asks for.

What the body names wins over its template, and that over the defaults.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.catalogue.errors import UnknownKind, WrongOperation
from gateway.imaging import choosing
from gateway.imaging.choosing import Candidate
from gateway.imaging.models import PROVIDERS, Level, find_model, models_of
from gateway.imaging.shapes import (
    LEAST_SIDE_PX,
    MOST_SIDE_PX,
    ShapeRefused,
    ShapeWish,
    sides_of,
)
from gateway.imaging.templates import Template, find_template
from gateway.operations.image import MOST_IMAGES, ImageRequest
from gateway.surfaces.image_studio.offers import Market, lacking, offers
from studio.core.errors import InvalidRequest, NotFound

AUTO = "auto"
_DEFAULT_LEVEL: Level = "standard"
_MOST_SEED = 2**32 - 2
"""The largest that any of the models takes."""

_Name = Annotated[str, Meta(min_length=1, max_length=256)]
_Side = Annotated[int, Meta(ge=LEAST_SIDE_PX, le=MOST_SIDE_PX)]


class CreateBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What callers send. Null is as good as nothing; `steps` and the scale are the model's own."""

    prompt: Annotated[str, Meta(min_length=1, max_length=4000)]
    template_id: _Name | None = None
    provider: _Name | None = None
    model: _Name | None = None
    width: _Side | None = None
    height: _Side | None = None
    aspect_ratio: Annotated[str, Meta(max_length=16)] | None = None
    style_preset: Annotated[str, Meta(max_length=64)] | None = None
    quality: Level | None = None
    negative_prompt: Annotated[str, Meta(max_length=2000)] | None = None
    guidance_scale: Annotated[float, Meta(ge=0, le=50)] | None = None
    steps: Annotated[int, Meta(ge=1, le=200)] | None = None
    seed: Annotated[int, Meta(ge=0, le=_MOST_SEED)] | None = None
    num_variations: Annotated[int, Meta(ge=1, le=MOST_IMAGES)] | None = None
    enhance_prompt: bool | None = None
    use_persona: bool | None = None
    persona_id: _Name | None = None


CREATE = msgspec.json.Decoder(CreateBody)


class Creation(msgspec.Struct, frozen=True, kw_only=True):
    """The pictures a body asks for: sides in pixels, `names` where they may be made, best first.

    `candidates` tell why; there are none where the caller named the model.
    """

    body: CreateBody
    template: Template | None
    width: int
    height: int
    level: Level
    style: str
    names: tuple[str, ...]
    candidates: tuple[Candidate, ...] = ()

    @property
    def count(self) -> int:
        """How many variations."""
        return self.body.num_variations or 1

    @property
    def enhances(self) -> bool:
        """Whether the prompt is to be enhanced."""
        return self.body.enhance_prompt is not False

    def request(self, prompt: str, negative_prompt: str) -> ImageRequest:
        """Give the request with the words that are sent; files are PNG, as clients expect."""
        body = self.body
        return ImageRequest(
            prompt=prompt,
            count=self.count,
            width=self.width,
            height=self.height,
            exact_size=True,
            size=f"{self.width}x{self.height}",
            quality="auto",
            style=self.style,
            negative_prompt=negative_prompt,
            seed=body.seed,
            guidance_scale=body.guidance_scale,
            steps=body.steps,
            output_format="png",
        )


def read_creation(body: CreateBody, market: Market) -> Creation:
    """Work out what a body asks for. Raises: InvalidRequest, NotFound (template)."""
    if not body.prompt.strip():
        raise _refused("prompt", "required")
    template = _template_of(body)
    width, height = _sides(body, template)
    level = body.quality or (template.quality if template else _DEFAULT_LEVEL)
    provider = body.provider or AUTO
    check_provider(provider)
    creation = Creation(
        body=body,
        template=template,
        width=width,
        height=height,
        level=level,
        style=_style(body, template),
        names=(),
    )
    if body.model:
        return msgspec.structs.replace(creation, names=(named_model(provider, body.model, market),))
    wish = choosing.Wish(
        width=width,
        height=height,
        level=level,
        level_named=body.quality is not None,
        family=template.recommended_provider if template else "",
    )
    request = creation.request(body.prompt, body.negative_prompt or "")
    candidates = choose(wish, provider, market, request)
    # Where nothing can be called the quote says why, by the provider's first model.
    names = tuple(found.model.key for found in candidates) or (models_of(provider)[0].key,)
    return msgspec.structs.replace(creation, names=names, candidates=candidates)


def check_provider(provider: str) -> None:
    """Refuse a provider that this API does not have. Raises: InvalidRequest."""
    if provider != AUTO and provider not in PROVIDERS:
        raise _refused("provider", f"one of {', '.join((AUTO, *PROVIDERS))}")


def named_model(provider: str, name: str, market: Market) -> str:
    """Give the catalogue's name of a model that a caller named by ours or by the catalogue's.

    Raises: InvalidRequest, if there is none, or it is another provider's; UnknownChannel.
    """
    known = find_model(name)
    if known is not None and provider in (AUTO, known.provider):
        return known.key
    if known is None and provider == AUTO and _is_image_model(name, market):
        return name
    offered = ", ".join(model.name for model in models_of(provider))
    raise _refused("model", f"{provider} has {offered}")


def _is_image_model(name: str, market: Market) -> bool:
    catalogue = market.runtime.catalogue
    try:
        catalogue.resolve_model(name, channel=market.channel, operation="image")
    except (UnknownKind, WrongOperation):
        return False
    return True


def choose(
    wish: choosing.Wish, provider: str, market: Market, request: ImageRequest
) -> tuple[Candidate, ...]:
    """Give the models that take all of a request, the best first. Where none does, the quote says
    why, by the best of those that would do otherwise.

    Raises: InvalidRequest, if none draws this size.
    """
    size = f"{wish.width}x{wish.height}"
    found = offers(market, models_of(provider), size=size)
    ordered = choosing.order_candidates(wish, found)
    missing = [lacking(market, one.model, request) for one in ordered]
    if found and all(field == "size" for field in missing):
        raise _refused("width", f"no model draws a picture that {size} can be cut from")
    able = [one for one, field in zip(ordered, missing, strict=True) if field is None]
    return choosing.stand_ins(able or ordered)


def _template_of(body: CreateBody) -> Template | None:
    if body.template_id is None:
        return None
    found = find_template(body.template_id)
    if found is None:
        raise NotFound(f'template_id: there is no template "{body.template_id[:64]}".')
    return found


def _sides(body: CreateBody, template: Template | None) -> tuple[int, int]:
    wish = ShapeWish(width=body.width, height=body.height, aspect_ratio=body.aspect_ratio)
    shape = template.aspect_ratio if template else None
    try:
        return sides_of(wish, template=(shape.width, shape.height) if shape else None)
    except ShapeRefused as error:
        raise InvalidRequest(str(error), details={"param": error.field}) from error


def _style(body: CreateBody, template: Template | None) -> str:
    if body.style_preset is None:
        return template.style_preset if template else ""
    if not body.style_preset.isprintable():
        raise _refused("style_preset", "printable characters only")
    return body.style_preset.strip()


def _refused(field: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: {why}.", details={"param": field})
