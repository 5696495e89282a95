"""Both doors.

Paths in `FAST` are served by plain ASGI handlers before Django; everything else is Django's. A `*`
stands for one part of a path, such as an id after a collection's name.

A route has one door: `tests/gateway/test_doors.py` checks that no path is in both. The process's
runtime is made and closed with the ASGI lifespan, which Django does not know.
"""

import asyncio
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")

import django  # noqa: E402  the settings module must be named first

django.setup()

from django.conf import settings  # noqa: E402
from django.core import checks  # noqa: E402  needs django.setup()
from django.core.handlers.asgi import ASGIHandler  # noqa: E402  needs django.setup()
from django.urls import get_resolver  # noqa: E402

if not settings.DEBUG:
    found = checks.run_checks(databases=["default"])
    faults = [str(fault) for fault in found if fault.is_serious()]
    if faults:
        raise SystemExit("\n".join(["Studio does not start like this:", *faults]))

from analytics.rolling import check_numbers  # noqa: E402
from gateway.runtime import Runtime  # noqa: E402
from gateway.surfaces.chat import chat  # noqa: E402
from gateway.surfaces.core import images as core_images  # noqa: E402
from gateway.surfaces.core.transcriptions import transcriptions  # noqa: E402
from gateway.surfaces.door import (  # noqa: E402
    Answer,
    Handler,
    Message,
    Receive,
    Request,
    Scope,
    Send,
    pass_through,
    preflight_answer,
)
from gateway.surfaces.embeddings.views import embeddings  # noqa: E402
from gateway.surfaces.envelopes import surface_of  # noqa: E402
from gateway.surfaces.estimates import estimate  # noqa: E402
from gateway.surfaces.image_studio import control as image_control  # noqa: E402
from gateway.surfaces.image_studio import create as image_create  # noqa: E402
from gateway.surfaces.image_studio import edit as image_edit  # noqa: E402
from gateway.surfaces.image_studio import estimates as image_estimates  # noqa: E402
from gateway.surfaces.image_studio import health as image_health  # noqa: E402
from gateway.surfaces.image_studio import personas as image_personas  # noqa: E402
from gateway.surfaces.image_studio import providers as image_providers  # noqa: E402
from gateway.surfaces.image_studio import social as image_social  # noqa: E402
from gateway.surfaces.image_studio import templates as image_templates  # noqa: E402
from gateway.surfaces.image_studio import upscale as image_upscale  # noqa: E402
from gateway.surfaces.jobs import views as jobs  # noqa: E402
from gateway.surfaces.llm import images as llm_images  # noqa: E402
from gateway.surfaces.messages.views import count_tokens, messages  # noqa: E402
from gateway.surfaces.responses.views import responses  # noqa: E402
from gateway.surfaces.speech import chat as speech_chat  # noqa: E402
from gateway.surfaces.speech import generate as speech_generate  # noqa: E402
from gateway.surfaces.speech import status as speech_status  # noqa: E402
from gateway.surfaces.speech import voices as speech_voices  # noqa: E402
from gateway.surfaces.studio import assets, images, music, voices  # noqa: E402
from gateway.surfaces.studio.analytics_chat import analytics_chat  # noqa: E402
from gateway.surfaces.studio.ephemeral import ephemeral  # noqa: E402
from gateway.surfaces.studio.sessions import refresh, validate  # noqa: E402
from gateway.surfaces.voice import audio, voice  # noqa: E402
from studio.core.errors import MethodNotAllowed  # noqa: E402

_DJANGO_BODY_BYTES = 4 * 1024 * 1024
_MOST_PARTS = 8
"""No path of ours has more; what has is not split further."""

FAST: dict[str, dict[str, Handler]] = {
    "/v1/chat": {"POST": chat},
    "/v1/chat/completions": {"POST": chat},
    "/v1/messages": {"POST": messages},
    "/v1/messages/count_tokens": {"POST": count_tokens},
    "/v1/responses": {"POST": responses},
    "/v1/embeddings": {"POST": embeddings},
    "/v1/ephemeral": {"GET": ephemeral},
    "/v1/estimate": {"POST": estimate},
    "/v1/images": {"POST": images.images},
    "/v1/images/generate": {"POST": images.generate},
    "/v1/images/generations": {"POST": core_images.generations},
    "/v1/images/*": {"GET": images.image},
    "/v1/images/*/cancel": {"POST": images.cancel_image},
    "/api/v1/llm/image/generations": {"POST": llm_images.generations},
    "/api/v1/llm/images/generations": {"POST": llm_images.generations},
    "/v1/voice": {"POST": voice.voice},
    "/v1/audio/speech": {"POST": audio.speech},
    "/v1/voices": {"GET": voices.voices},
    "/v1/voices/*": {"GET": voices.voice},
    "/v1/voices/*/preview": {"GET": voices.preview},
    "/speech/generate": {"POST": speech_generate.generate},
    "/speech/chat": {"POST": speech_chat.chat},
    "/speech/voices": {"GET": speech_voices.voices},
    "/speech/voices/*": {"GET": speech_voices.voice},
    "/speech/health": {"GET": speech_status.health},
    "/speech/status": {"GET": speech_status.status},
    "/api/image-studio/create": {"POST": image_create.create},
    "/api/image-studio/templates": {"GET": image_templates.templates},
    "/api/image-studio/templates/search": {"GET": image_templates.search},
    "/api/image-studio/templates/recommend": {"GET": image_templates.recommend},
    "/api/image-studio/providers": {"GET": image_providers.providers},
    "/api/image-studio/estimate-cost": {"POST": image_estimates.estimate_cost},
    "/api/image-studio/health": {"GET": image_health.health},
    "/api/image-studio/personas": {
        "GET": image_personas.list_all,
        "POST": image_personas.add,
    },
    "/api/image-studio/personas/*": {
        "GET": image_personas.show,
        "PUT": image_personas.change,
        "DELETE": image_personas.delete,
    },
    "/api/image-studio/edit/process": {"POST": image_edit.process},
    "/api/image-studio/edit/operations": {"GET": image_edit.operations},
    "/api/image-studio/upscale": {"POST": image_upscale.upscale},
    "/api/image-studio/control/process": {"POST": image_control.process},
    "/api/image-studio/control/operations": {"GET": image_control.operations},
    "/api/image-studio/social/optimize": {"POST": image_social.optimize},
    "/api/image-studio/social/platforms/*/formats": {"GET": image_social.formats},
    "/api/image-studio/platform-specs/*": {"GET": image_social.specs},
    "/v1/audio/transcriptions": {"POST": transcriptions},
    "/v1/music": {"POST": music.music},
    "/v1/music/*": {"GET": music.piece},
    "/v1/jobs": {"GET": jobs.jobs},
    "/v1/jobs/*": {"GET": jobs.job},
    "/v1/jobs/*/events": {"GET": jobs.events},
    "/v1/jobs/*/cancel": {"POST": jobs.cancel},
    "/v1/assets/*": {"GET": assets.read, "HEAD": assets.read, "DELETE": assets.delete},
    "/v1/analytics/chat": {"POST": analytics_chat},
    "/v1/validate": {"POST": validate},
    "/v1/validate/refresh": {"POST": refresh},
}

_django: Any = ASGIHandler()
get_resolver().url_patterns  # noqa: B018  imports every view now instead of at the first request


_OPEN_PLACES = sorted({path.split("/").index("*") for path in FAST if "*" in path.split("/")})
"""Where a path may have any word, counted in its parts between slashes."""


def methods_of(path: str) -> dict[str, Handler] | None:
    """Give the fast door's handlers of a path by method; None if the path is Django's."""
    methods = FAST.get(path)
    if methods is not None or path.count("/") > _MOST_PARTS:
        return methods
    parts = path.split("/")
    for place in _OPEN_PLACES:
        if place < len(parts) and parts[place]:
            named = "/".join([*parts[:place], "*", *parts[place + 1 :]])
            if methods := FAST.get(named):
                return methods
    return None


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one ASGI connection: the lifespan, a request for the fast door, or one for Django."""
    if scope["type"] == "lifespan":
        await _lifespan(scope, receive, send)
        return
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1008})
        return
    methods = methods_of(scope["path"])
    surface = surface_of(scope["path"])
    if surface is not None and scope["method"] == "OPTIONS":
        await pass_through(scope, receive, send, handler=_preflight, surface=surface)
    elif methods is not None and surface is not None:
        handler = methods.get(scope["method"], _wrong_method)
        await pass_through(scope, receive, send, handler=handler, surface=surface)
    else:
        await _django(scope, _bounded(receive), send)


def _bounded(receive: Receive) -> Receive:
    """Cut a body off before Django, which reads it whole before anybody looks, has it all."""
    received_bytes = 0

    async def receive_bounded() -> Message:
        nonlocal received_bytes
        message = await receive()
        received_bytes += len(message.get("body", b""))
        return message if received_bytes <= _DJANGO_BODY_BYTES else {"type": "http.disconnect"}

    return receive_bounded


async def _preflight(request: Request) -> Answer:
    return preflight_answer()


async def _wrong_method(request: Request) -> Answer:
    allowed = ", ".join(methods_of(request.path) or ())
    raise MethodNotAllowed(f"Use {allowed} here.", headers={"Allow": allowed})


async def _lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Open the runtime before the first request and close it after the last."""
    runtime: Runtime | None = None
    while True:
        message: Any = await receive()
        if message["type"] == "lifespan.startup":
            runtime = Runtime()
            try:
                await asyncio.to_thread(check_numbers)
                await runtime.open()
            except BaseException:
                await runtime.close()
                raise
            scope["state"]["runtime"] = runtime
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            if runtime is not None:
                await runtime.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
