"""POST /api/image-studio/create: from words to pictures, in base64."""

import time
from typing import Any

import msgspec

from gateway.errors import InsufficientCredits
from gateway.imaging.brands import Brand, avoided, with_brand
from gateway.imaging.enhancing import Subject
from gateway.imaging.personas import access_default, access_persona, brand_of
from gateway.jobs.quoting import JobQuote, JobTask, quote_job
from gateway.jobs.submitting import find_submitted
from gateway.jobs.views import JobView
from gateway.models import Persona
from gateway.operations.json_body import read_body
from gateway.surfaces.answers import Headers
from gateway.surfaces.asking import in_thread
from gateway.surfaces.base64_images import Picture, answer_with_pictures
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import read_channel
from gateway.surfaces.image_studio.creation import CREATE, CreateBody, Creation, read_creation
from gateway.surfaces.image_studio.enhancement import Enhancement, enhance, stored_prompt
from gateway.surfaces.image_studio.entry import accepted, image_entered, made_job
from gateway.surfaces.image_studio.offers import Market
from gateway.surfaces.image_studio.variations import Variation, variations_of
from gateway.surfaces.jobs.making import (
    LONGEST_WAIT_S,
    Outcome,
    Wanted,
    job_task,
    made_headers,
    make,
)
from studio.accounts.callers import Caller
from studio.core.errors import GatewayError, InvalidRequest
from studio.core.money import credits_text, credits_to_ucr

_BODY_LIMIT_BYTES = 64 * 1024
_FAILING = "Image generation failed"
_NO_ROOM = "The enhanced prompt is too long for the model."
_ENHANCEMENT = "prompt_enhancement"


class _Making(msgspec.Struct, kw_only=True):
    """One request on its way: what it asks for, and what became of its prompt."""

    caller: Caller
    body: bytes
    creation: Creation
    persona: Persona | None
    enhancement: Enhancement

    @property
    def brand(self) -> Brand | None:
        return None if self.persona is None else brand_of(self.persona)


async def create(request: Request) -> Answer | None:
    """Make pictures: all that could be made come back, and no others are charged."""
    async with image_entered(request, "image") as admitted:
        caller = admitted.caller
        check_media_type(request)
        body = await request.read_body(_BODY_LIMIT_BYTES)
        making = await _read(request, caller, body)
        wanted = _wanted(making)
        task = job_task(request, caller, wanted, body)
        known = await find_submitted(request.runtime, task)
        if known is not None:
            making.enhancement = await _recalled(request, task, known.job, making)
        elif making.creation.enhances:
            wanted = await _enhance(request, task, making, wanted)
        return await _make(request, making, wanted)


async def _read(request: Request, caller: Caller, body: bytes) -> _Making:
    given = read_body(CREATE, body)
    market = Market(
        runtime=request.runtime,
        caller=caller,
        user_keys=request.user_keys,
        channel=read_channel(request, caller),
    )
    return _Making(
        caller=caller,
        body=body,
        creation=read_creation(given, market),
        persona=await _persona(caller, given),
        enhancement=Enhancement(status="off"),
    )


async def _persona(caller: Caller, given: CreateBody) -> Persona | None:
    """Read the brand that the pictures keep to. Raises: NotFound, InvalidRequest (no default)."""
    if not given.use_persona:
        return None
    if given.persona_id is None:
        return await in_thread(access_default, caller.workspace_id)
    return await in_thread(access_persona, given.persona_id, workspace_id=caller.workspace_id)


async def _enhance(request: Request, task: JobTask, making: _Making, wanted: Wanted) -> Wanted:
    """Better the prompt, once it is known that the pictures can be made and paid for.

    Raises: what `quote_job` raises; nothing is held or charged then.
    """
    creation = making.creation
    quote = quote_job(request.runtime, task, wanted.request)
    subject = Subject(
        prompt=creation.body.prompt,
        style=creation.style,
        made_for=creation.template.name if creation.template else "",
        brand=making.brand,
    )
    making.enhancement = await enhance(request, task, quote, subject)
    better = _wanted(making)
    if making.enhancement.prompt is not None and not _fits(request, task, quote, better):
        making.enhancement = msgspec.structs.replace(
            making.enhancement, status="failed", prompt=None, reason=_NO_ROOM
        )
        better = _wanted(making)
    return better


def _fits(request: Request, task: JobTask, quote: JobQuote, better: Wanted) -> bool:
    """Tell whether the model that would have the plain prompt takes the enhanced one too."""
    try:
        again = quote_job(request.runtime, task, better.request)
    except InvalidRequest:
        return False
    return again.routes[0] == quote.routes[0]


def _wanted(making: _Making) -> Wanted:
    """Give the job of these pictures, by the prompt as it is by now."""
    creation, persona, brand = making.creation, making.persona, making.brand
    prompt = making.enhancement.prompt or creation.body.prompt
    negative_prompt = creation.body.negative_prompt or ""
    if brand is not None:
        prompt, negative_prompt = with_brand(prompt, brand), avoided(negative_prompt, brand)
    return Wanted(
        request=creation.request(prompt, negative_prompt),
        kind=None,
        model=None,
        models=creation.names,
        parameters={
            "template_id": creation.template.id if creation.template else None,
            "width": creation.width,
            "height": creation.height,
            "quality": creation.level,
            "num_variations": creation.count,
            "persona_id": persona.public_id if persona else None,
            "models": [
                {"model": found.model.name, "because": found.reasons}
                for found in creation.candidates
            ],
            _ENHANCEMENT: making.enhancement.kept(),
        },
    )


async def _recalled(request: Request, task: JobTask, job: JobView, making: _Making) -> Enhancement:
    """Give what was said of the prompt when the job was submitted; its text as long as it is kept.

    Raises: IdempotencyMismatch.
    """
    told = job.parameters.get(_ENHANCEMENT, {})
    enhancement = Enhancement(
        status=told.get("status", "off"),
        reason=told.get("reason"),
        request_id=told.get("request_id"),
        charged_ucr=credits_to_ucr(told.get("credits", "0")),
    )
    if enhancement.status != "enhanced":
        return enhancement
    prompt = await stored_prompt(request, task, making.creation.body.prompt)
    return msgspec.structs.replace(enhancement, prompt=prompt)


async def _make(request: Request, making: _Making, wanted: Wanted) -> Answer | None:
    """Submit, wait and answer. What the prompt cost is told with whatever comes of it."""
    caller, charged_ucr = making.caller, making.enhancement.charged_ucr
    wait_s = max(0, LONGEST_WAIT_S - int(time.perf_counter() - request.started))
    try:
        outcome = await _submitted(request, making, wanted, wait_s)
        job = made_job(outcome, failing=_FAILING)
    except GatewayError as error:
        if charged_ucr:
            error.headers["X-Credits-Charged"] = credits_text(charged_ucr)
        raise
    if not job.is_final:
        answer = accepted(request, outcome)
        answer.headers = _with_charge(answer.headers, charged_ucr)
        return answer
    headers = _with_charge(made_headers(request, outcome), charged_ucr + job.charge_ucr)
    shown = _body(making, outcome, await variations_of(request.runtime, job))
    await answer_with_pictures(request, caller, shown, headers=headers)
    return None


async def _submitted(request: Request, making: _Making, wanted: Wanted, wait_s: int) -> Outcome:
    """Make the pictures. A wallet too thin for stand-ins may do for the first model alone."""
    caller, body = making.caller, making.body
    try:
        return await make(request, caller, wanted, body, longest_wait_s=wait_s)
    except InsufficientCredits:
        task = job_task(request, caller, wanted, body)
        first, *others = quote_job(request.runtime, task, wanted.request).routes
        if not others:
            raise
    alone = msgspec.structs.replace(wanted, models=(f"{first.provider}:{first.model}",))
    return await make(request, caller, alone, body, longest_wait_s=wait_s)


def _body(making: _Making, outcome: Outcome, made: list[Variation]) -> dict[str, Any]:
    """Write the answer; `provider` and `model` of the request are the first picture's."""
    creation, enhancement, job = making.creation, making.enhancement, outcome.job
    template, persona = creation.template, making.persona
    prompt = enhancement.prompt
    if prompt is not None and making.brand is not None:
        prompt = with_brand(prompt, making.brand)
    return {
        "success": True,
        "request": {
            "prompt": creation.body.prompt,
            "enhanced_prompt": prompt,
            "template_id": template.id if template else None,
            "template_name": template.name if template else None,
            "provider": made[0].provider,
            "model": made[0].model,
            "dimensions": f"{creation.width}x{creation.height}",
            "quality": creation.level,
            "persona_id": persona.public_id if persona else None,
            _ENHANCEMENT: enhancement.shown(),
        },
        "results": [_result(one) for one in made],
        "total_generated": len(made),
        "total_failed": job.item_count - len(made),
    }


def _result(one: Variation) -> dict[str, Any]:
    return {
        "image_base64": Picture(one.file),
        "width": one.file.width,
        "height": one.file.height,
        "provider": one.provider,
        "model": one.model,
        "variation": one.number,
    }


def _with_charge(headers: Headers, charged_ucr: int) -> Headers:
    """Say what was charged in all: for the pictures, and for the prompt."""
    name = b"x-credits-charged"
    others = [pair for pair in headers if pair[0] != name]
    if not charged_ucr and len(others) == len(headers):
        return headers
    return [*others, (name, credits_text(charged_ucr).encode())]
