"""Stability AI's routes, keys and errors; the pictures are stability_images.py's.

Source: Stability's OpenAPI document of Feb 2025 (v2beta, and `/v1/user/balance`). Bodies of 401 and
402 are not in it: they have the form of the others.
Left out: edits, upscaling, control, and everything that is asked for by id.
"""

import os
from base64 import b64encode

import msgspec

from sandbox.faults import HEADER, NO_FAULTS, Faults, UnknownFault, faults_of
from sandbox.messages import Headers, Json, Reply, Request
from sandbox.stability_form import FormError, read_form
from sandbox.stability_images import Picture, draw

_JSON = (b"content-type", b"application/json")
_RUN = os.urandom(8).hex()
_GENERATE = "/v2beta/stable-image/generate/"
_NAMES = {
    400: "bad_request",
    401: "unauthorized",
    402: "payment_required",
    403: "content_moderation",
    404: "not_found",
    413: "payload_too_large",
    422: "unprocessable_entity",
    429: "rate_limit_exceeded",
    500: "internal_error",
}
_LIMITED = (
    "You have exceeded the rate limit of 150 requests within a 10 second period, and have been "
    "timed out for 60 seconds."
)


def answer(request: Request) -> Reply:
    """Answer one request as api.stability.ai would."""
    try:
        return _route(request)
    except FormError as error:
        return _error(request, error, NO_FAULTS)


def _route(request: Request) -> Reply:
    _check_key(request)
    if request.path == "/v1/user/balance" and request.method == "GET":
        return Reply(headers=_headers(request), body=b'{"credits":1000.5}')
    model = request.path.removeprefix(_GENERATE)
    if model not in ("ultra", "core", "sd3") or request.method != "POST":
        raise FormError("The requested resource was not found.", status=404)
    return _generate(request, model)


def _check_key(request: Request) -> None:
    """Refuse a missing or `invalid` key; `quota` and `ratelimited` in a key name their error."""
    scheme, _, key = request.header(b"authorization").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise FormError("authorization: missing", status=401)
    if "invalid" in key:
        raise FormError("Incorrect API key provided", status=401)
    if "quota" in key:
        raise _out_of_credits()
    if "ratelimited" in key:
        raise FormError(_LIMITED, status=429)


def _out_of_credits() -> FormError:
    text = "You lack sufficient credits to make this request. Please purchase more credits."
    return FormError(text, status=402)


def _generate(request: Request, model: str) -> Reply:
    fields = read_form(request)
    try:
        asked, prompt = faults_of(request.headers.get(HEADER), fields.get("prompt", ""))
    except UnknownFault as error:
        raise FormError(str(error)) from None
    faults = request.due(asked) if asked.times else asked
    try:
        if faults.status:
            raise _asked_for(faults)
        picture = draw(model, fields, prompt, faults=faults)
    except FormError as error:
        return _error(request, error, faults)
    return _shown(request, picture, faults)


def _shown(request: Request, picture: Picture, faults: Faults) -> Reply:
    """Give the bytes themselves, or as base64 in JSON: as `accept` says."""
    accepted = request.header(b"accept") or "*/*"
    if accepted not in ("*/*", "image/*", "application/json"):
        raise FormError("accept: must be one of image/*, application/json")
    kind, reason = picture.media_type.encode(), picture.finish_reason
    headers = _headers(request)[1:]
    if accepted != "application/json":
        headers += [
            (b"content-type", kind),
            (b"finish-reason", reason.encode()),
            (b"seed", b"%d" % picture.seed),
        ]
        return Reply(headers=headers, body=picture.data, faults=faults)
    body: Json = {"image": b64encode(picture.data).decode(), "finish_reason": reason}
    body["seed"] = picture.seed
    headers.append((b"content-type", b"application/json; type=" + kind))
    return Reply(headers=headers, body=msgspec.json.encode(body), faults=faults)


def _asked_for(faults: Faults) -> FormError:
    """Make the error a fault asks for; `code` is its name."""
    if faults.status == 402:
        return _out_of_credits()
    if faults.status == 429:
        return FormError(_LIMITED, status=429)
    text = f"The sandbox was asked to answer {faults.status}."
    return FormError(text, status=faults.status, name=faults.code)


def _error(request: Request, error: FormError, faults: Faults) -> Reply:
    headers = _headers(request)
    if faults.retry_after:
        headers.append((b"retry-after", faults.retry_after.encode()))
    body = {
        "id": request.digest.hex()[:32],
        "name": error.name or _NAMES.get(error.status, "internal_error"),
        "errors": [str(error)],
    }
    return Reply(
        status=error.status, headers=headers, body=msgspec.json.encode(body), faults=faults
    )


def _headers(request: Request) -> Headers:
    return [_JSON, (b"x-request-id", b"%s%016x" % (_RUN.encode(), request.number))]
