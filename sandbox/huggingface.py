"""Hugging Face's router and the part of its Hub that clients ask first: who serves a model.

The router hands on what it is sent, so each provider behind it has a form of its own
(huggingface_forms.py); Replicate and WaveSpeed are the doubles of their own APIs.
Source: `huggingface_hub` 2.4.0, `inference/_providers/`; huggingface/hub-docs @242f4a1; texts of
401 and 402: replies quoted in github fal-ai/fal #1043 and huggingface/hub-docs #2392.
Left out: chats and every task but text to image, queues of fal, other providers.
"""

import re
from dataclasses import replace
from types import MappingProxyType

import msgspec

from sandbox import replicate, wavespeed
from sandbox.faults import HEADER, NO_FAULTS, Faults, UnknownFault, faults_of
from sandbox.huggingface_forms import FORMS, HuggingFaceError, draw_file
from sandbox.messages import Headers, Json, Reply, Request

_JSON = (b"content-type", b"application/json")
_MODEL = re.compile(r"/api/models/([\w.-]+/[\w.-]+)")
_FILE = re.compile(r"/files/([0-9a-f]{32})\.(\w+)")
_BEHIND = re.compile(r"/([a-z-]+)(/.+)")
_FLUX = "black-forest-labs/FLUX.1-"
_MAPPING: MappingProxyType[str, dict[str, str]] = MappingProxyType(
    {
        f"{_FLUX}Krea-dev": {"fal-ai": "fal-ai/flux/krea"},
        f"{_FLUX}dev": {
            "fal-ai": "fal-ai/flux/dev",
            "hf-inference": f"{_FLUX}dev",
            "replicate": "black-forest-labs/flux-dev",
            "together": f"{_FLUX}dev",
            "wavespeed": "wavespeed-ai/flux-dev",
        },
        f"{_FLUX}schnell": {
            "nscale": f"{_FLUX}schnell",
            "replicate": "black-forest-labs/flux-schnell",
        },
    }
)
"""Which provider serves a model, and under which id of its own."""


def answer(request: Request) -> Reply:
    """Answer one request as router.huggingface.co, huggingface.co and fal.media would."""
    try:
        return _route(request)
    except HuggingFaceError as error:
        return _error(error, NO_FAULTS)
    except UnknownFault as error:
        return _error(HuggingFaceError(str(error), status=400), NO_FAULTS)


def _route(request: Request) -> Reply:
    if request.method == "GET" and (file := _FILE.fullmatch(request.path)):
        return draw_file(request, file[1], file[2])
    if request.method == "GET" and (model := _MODEL.fullmatch(request.path)):
        return _mapping(model[1])
    found = _BEHIND.fullmatch(request.path)
    if found is None:
        raise HuggingFaceError("Not Found", status=404)
    _check_key(request)
    who, path = found.groups()
    behind = replace(request, path=path)
    if who == "replicate":
        return replicate.answer(behind)
    if who == "wavespeed":
        return wavespeed.answer(behind, api="https://api.wavespeed.ai")
    form = FORMS.get(who)
    if form is None or request.method != "POST":
        raise HuggingFaceError("Not Found", status=404)
    return _asked(behind, who)


def _check_key(request: Request) -> None:
    """Refuse a missing or `invalid` key; `quota` and `ratelimited` in a key name their error."""
    scheme, _, key = request.header(b"authorization").partition(" ")
    if scheme.lower() != "bearer" or not key.strip() or "invalid" in key:
        raise HuggingFaceError("Invalid username or password.", status=401)
    if request.method == "POST" and "quota" in key:
        raise _asked_for(Faults(status=402))
    if "ratelimited" in key:
        raise _asked_for(Faults(status=429))


def _asked(request: Request, who: str) -> Reply:
    """Answer in the form of whoever is behind the router. Raises: HuggingFaceError."""
    given = _decoded(request.body)
    prompt = given.get("prompt", given.get("inputs"))
    asked, words = faults_of(request.headers.get(HEADER), prompt if isinstance(prompt, str) else "")
    faults = request.due(asked) if asked.times else asked
    try:
        if faults.status:
            raise _asked_for(faults)
        return FORMS[who](request, given, words, faults)
    except HuggingFaceError as error:
        return _error(error, faults)


def _decoded(body: bytes) -> Json:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise HuggingFaceError("Invalid JSON.", status=400) from None
    if not isinstance(found, dict):
        raise HuggingFaceError("The body must be an object.", status=422)
    return found


def _mapping(model: str) -> Reply:
    """Tell who serves a model. Raises: HuggingFaceError."""
    served = _MAPPING.get(model)
    if served is None:
        raise HuggingFaceError("Repository not found", status=404)
    mapping = {
        who: {"status": "live", "providerId": name, "task": "text-to-image"}
        for who, name in served.items()
    }
    body = {"_id": "66a0e9a8f3a1c5d2b4e7f801", "id": model, "inferenceProviderMapping": mapping}
    return Reply(headers=[_JSON], body=msgspec.json.encode(body))


def _asked_for(faults: Faults) -> HuggingFaceError:
    """Make the error a fault asks for; with `code=loading` a 503 is a model being loaded."""
    if faults.status == 402:
        # A line of text, and no JSON.
        text = "Pay-as-you go is not enabled for provider fal-ai yet."
        return HuggingFaceError(text, status=402, plain=True)
    if faults.status == 429:
        return HuggingFaceError("Rate limit reached. Please slow down.", status=429)
    if faults.status == 503 and faults.code == "loading":
        return HuggingFaceError("Model is currently loading", status=503, estimated_s=20.0)
    text = f"The sandbox was asked to answer {faults.status}."
    return HuggingFaceError(text, status=faults.status)


def _error(error: HuggingFaceError, faults: Faults) -> Reply:
    kind = b"text/plain; charset=utf-8" if error.plain else b"application/json"
    headers: Headers = [(b"content-type", kind)]
    if faults.retry_after:
        headers.append((b"retry-after", faults.retry_after.encode()))
    return Reply(status=error.status, headers=headers, body=error.body, faults=faults)
