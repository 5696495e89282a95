"""Stability AI's routes, keys and errors.

stability_form.py reads forms, stability_rules.py checks them, stability_images.py draws, and
stability_results.py keeps what is asked for by id.

Source: Stability's OpenAPI document of Feb 2025 (v2beta, and `/v1/user/balance`). Bodies of 401 and
402 are not in it: they have the form of the others.
"""

import os
from base64 import b64encode

import msgspec

from sandbox.faults import HEADER, NO_FAULTS, Faults, UnknownFault, faults_of
from sandbox.messages import Headers, Json, Reply, Request
from sandbox.stability_form import FormError, read_form
from sandbox.stability_images import Picture, draw
from sandbox.stability_results import Results
from sandbox.stability_rules import RULES, check_form

_JSON = (b"content-type", b"application/json")
_RUN = os.urandom(8).hex()
_FOLDER = "/v2beta/stable-image/"
_RESULTS = "/v2beta/results/"
_OLD_RESULTS = "/v2beta/stable-image/upscale/creative/result/"
_BEGINS = "upscale/creative"
_RUNNING_STATUS = 202
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
_NOT_FOUND = "The requested resource was not found."
_results = Results()


def answer(request: Request) -> Reply:
    """Answer one request as api.stability.ai would."""
    try:
        return _route(request)
    except FormError as error:
        return _error(request, error, NO_FAULTS)


def _route(request: Request) -> Reply:
    key = _checked_key(request)
    path, method = request.path, request.method
    if method == "GET" and path == "/v1/user/balance":
        return Reply(headers=_headers(request), body=b'{"credits":1000.5}')
    for folder in (_RESULTS, _OLD_RESULTS):
        if method == "GET" and path.startswith(folder):
            return _result(request, path.removeprefix(folder), key)
    operation = path.removeprefix(_FOLDER)
    if method != "POST" or operation not in RULES:
        raise FormError(_NOT_FOUND, status=404)
    return _made(request, operation, key)


def _checked_key(request: Request) -> str:
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
    return key


def _out_of_credits() -> FormError:
    text = "You lack sufficient credits to make this request. Please purchase more credits."
    return FormError(text, status=402)


def _made(request: Request, operation: str, key: str) -> Reply:
    form = read_form(request)
    try:
        asked, prompt = faults_of(request.headers.get(HEADER), form.texts.get("prompt", ""))
    except UnknownFault as error:
        raise FormError(str(error)) from None
    places = asked.at.split(",") if asked.at else ["submit"]
    asked_now = asked if "submit" in places else NO_FAULTS
    faults = request.due(asked_now) if asked_now.times else asked_now
    try:
        check_form(operation, form)
        if faults.status:
            raise _asked_for(faults)
        picture = draw(operation, form, prompt, faults=faults)
    except FormError as error:
        return _error(request, error, faults)
    if operation != _BEGINS:
        return _shown(request, picture, faults)
    later = asked if "poll" in places else _only_when(asked)
    body = {"id": _results.begin(request.number, key, picture, later)}
    return Reply(headers=_headers(request), body=msgspec.json.encode(body), faults=faults)


def _only_when(asked: Faults) -> Faults:
    """Keep of the faults only when the result is there, and for how long."""
    return Faults(running_ms=asked.running_ms, expire_ms=asked.expire_ms)


def _result(request: Request, result_id: str, key: str) -> Reply:
    """Show what was begun with this key."""
    found = _results.find(result_id, key)
    if found is None:
        raise FormError("id: the generation either does not exist or has expired.", status=404)
    faults = request.due(found.faults) if found.faults.times else found.faults
    if faults.status:
        return _error(request, _asked_for(faults), faults)
    if _results.is_ready(found):
        return _shown(request, found.picture, faults)
    body = {"id": result_id, "status": "in-progress"}
    return Reply(
        status=_RUNNING_STATUS,
        headers=_headers(request),
        body=msgspec.json.encode(body),
        faults=faults,
    )


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
