"""Replicate's predictions over HTTP: routes, keys, errors, and the files that predictions leave.

Source: Replicate's OpenAPI 1.0.0-a1 (stored copy of 2026-04); `replicate` Python SDK 1.0.7; errors:
replies of the live API quoted in public repositories (2025, 2026).
Left out: deployments, trainings, collections, search, uploads, models other than Flux.
"""

import hashlib
import os
import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import msgspec

from sandbox.faults import HEADER, NO_FAULTS, Faults, UnknownFault, faults_of
from sandbox.messages import Headers, Json, Reply, Request
from sandbox.pictures import MEDIA_TYPES
from sandbox.replicate_models import (
    ReplicateError,
    completed_input,
    not_found,
    refusal,
)
from sandbox.replicate_predictions import Prediction, Predictions, life_s, new_id, planned
from sandbox.replicate_webhooks import EVENTS, SECRET, announce, announce_cancel

_PREDICTIONS = Predictions()
_RUN = os.urandom(8)
_JSON = (b"content-type", b"application/json")
_PAGE = 100
_SUBMIT = re.compile(r"/v1/models/([\w.-]+/[\w.-]+)/predictions")
_ONE = re.compile(r"/v1/predictions/(\w+)(/cancel)?")
_FILE = re.compile(r"/files/(\w+)/(out-\d+\.(\w+))")
_VERSION = re.compile(r"([\w.-]+/[\w.-]+)(?::([0-9a-f]{64}))?")
_WAIT = re.compile(r"wait(?:=(\d{1,2}))?")
_DURATION = re.compile(r"(?=\d)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_LEAST_LIFE_S = 5
_LONGEST_WAIT_S = 60
_FIELDS = ("input", "webhook", "webhook_events_filter", "stream")


def answer(request: Request) -> Reply:
    """Answer one request as api.replicate.com and replicate.delivery would."""
    try:
        return _route(request)
    except ReplicateError as error:
        return _error(error, NO_FAULTS)
    except UnknownFault as error:
        return _error(ReplicateError(str(error), status=400), NO_FAULTS)


def _route(request: Request) -> Reply:
    path, method = request.path, request.method
    if method == "GET" and (file := _FILE.fullmatch(path)):
        return _file(request, *file.groups())
    account = _account_of(request)
    if method == "POST" and (submitted := _SUBMIT.fullmatch(path)):
        return _submit(request, account, lambda body: (submitted[1], "hidden"))
    if method == "POST" and path == "/v1/predictions":
        return _submit(request, account, _versioned)
    if found := _ONE.fullmatch(path):
        return _one(request, account, found[1], cancels=bool(found[2]))
    fixed = _FIXED.get(path)
    if method != "GET" or fixed is None:
        raise not_found()
    return Reply(headers=[_JSON], body=msgspec.json.encode(fixed(request, account)))


def _account_of(request: Request) -> str:
    """Tell whose key it is; every key has an account of its own. Raises: ReplicateError."""
    scheme, _, key = request.header(b"authorization").partition(" ")
    if scheme.lower() not in ("bearer", "token") or not key.strip():
        text = "You did not pass an authentication token"
        raise ReplicateError(text, status=401, title="Unauthenticated")
    if "invalid" in key:
        text = "You did not pass a valid authentication token"
        raise ReplicateError(text, status=401, title="Unauthenticated")
    if request.method == "POST" and "quota" in key:
        raise _asked_for(Faults(status=402))
    if "ratelimited" in key:
        raise _asked_for(Faults(status=429))
    return hashlib.sha256(key.encode()).hexdigest()


def _submit(request: Request, account: str, model_of: Callable[[Json], tuple[str, str]]) -> Reply:
    """Begin a prediction, and wait for it if `Prefer` says so. Raises: ReplicateError."""
    body = _decoded(request.body)
    model, version = model_of(body)
    given = body.get("input")
    prompt = given.get("prompt") if isinstance(given, dict) else None
    asked, _ = faults_of(request.headers.get(HEADER), prompt if isinstance(prompt, str) else "")
    faults = asked
    if "submit" in _places(asked) and asked.times:
        faults = request.due(asked)
    wire = faults if "submit" in _places(faults) else NO_FAULTS
    if wire.status and wire.code != "begun":
        return _error(_asked_for(wire), wire)
    _check_body(body)
    completed = completed_input(model, given if isinstance(given, dict) else {})
    if wire.reject in completed:
        text = f"Additional property {wire.reject} is not allowed"
        raise refusal([("additional_property_not_allowed", "input", text)])
    prediction = _begun(request, account, faults, completed=completed, model=(model, version))
    _PREDICTIONS.keep(prediction)
    announce(prediction)
    if wire.status:
        return _error(_asked_for(wire), wire)
    return _created(request, prediction, wire)


def _begun(
    request: Request, account: str, faults: Faults, *, completed: Json, model: tuple[str, str]
) -> Prediction:
    """Make a prediction, with all that will become of it."""
    body = _decoded(request.body)
    now = _PREDICTIONS.now()
    life = _life_asked(request)
    deadline_at = None if life is None else now + life
    count = completed.get("num_outputs", 1)
    line = planned(faults, count=count, now=now, deadline_at=deadline_at)
    return Prediction(
        id=new_id(request.digest, request.number, _RUN),
        model=model[0],
        version=model[1],
        account=account,
        origin=_origin(request),
        given=body["input"],
        completed=completed,
        faults=faults,
        timeline=line,
        deadline_at=deadline_at,
        expires_at=line.ended_at + life_s(faults),
        webhook=body.get("webhook") or "",
        events=tuple(body.get("webhook_events_filter") or ()),
    )


def _created(request: Request, prediction: Prediction, wire: Faults) -> Reply:
    """Show a new prediction, after a wait as it is then.

    What ended well in the wait still says `processing`. Source: the SDK's `run.py`.
    """
    wait_s = _wait_asked(request)
    line = prediction.timeline
    left_s = max(line.ended_at - line.created_at, 0.0)
    ends = wait_s is not None and left_s <= wait_s
    shown = prediction.render(line.created_at + (min(left_s, wait_s) if wait_s else 0))
    if ends and line.end == "succeeded":
        shown["status"] = "processing"
    if wait_s is not None:
        waited_ms = int(min(left_s, wait_s) * 1000)
        wire = msgspec.structs.replace(wire, latency_ms=wire.latency_ms + waited_ms)
    status = 202 if wait_s is not None and not ends else 201
    return Reply(status=status, headers=[_JSON], body=msgspec.json.encode(shown), faults=wire)


def _one(request: Request, account: str, prediction_id: str, *, cancels: bool) -> Reply:
    """Show a prediction, or stop it. Raises: ReplicateError."""
    prediction = _PREDICTIONS.find(prediction_id)
    if prediction is None or prediction.account != account:
        raise not_found()
    if request.method != ("POST" if cancels else "GET"):
        raise ReplicateError(f'Method "{request.method}" not allowed.', status=405)
    faults = _later_faults(request, prediction, "cancel" if cancels else "poll")
    if faults.status:
        return _error(_asked_for(faults), faults)
    now = _PREDICTIONS.now()
    if cancels and now < prediction.timeline.ended_at:
        prediction.cancel(now)
        announce_cancel(prediction)
    body = msgspec.json.encode(prediction.render(now))
    return Reply(headers=[_JSON], body=body, faults=faults)


def _file(request: Request, prediction_id: str, name: str, form: str) -> Reply:
    """Give a file; no key is asked for. Raises: ReplicateError."""
    prediction = _PREDICTIONS.find(prediction_id)
    if prediction is None:
        raise not_found()
    faults = _later_faults(request, prediction, "file")
    if faults.status:
        return _error(_asked_for(faults), faults)
    data = prediction.file(name, _PREDICTIONS.now())
    if data is None:
        raise not_found()
    headers = [(b"content-type", MEDIA_TYPES[form].encode()), (b"cache-control", b"max-age=3600")]
    return Reply(headers=headers, body=data, faults=faults)


def _later_faults(request: Request, prediction: Prediction, place: str) -> Faults:
    """Give the faults of a later request: of its own header, else those of the prompt for it."""
    asked, _ = faults_of(request.headers.get(HEADER), "")
    if asked is NO_FAULTS and place in _places(prediction.faults):
        asked = prediction.faults
    return request.due(asked) if asked.times else asked


def _places(faults: Faults) -> list[str]:
    return faults.at.split(",") if faults.at else ["submit"]


def _decoded(body: bytes) -> Json:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise ReplicateError("Malformed JSON", status=400, title="Bad request") from None
    if not isinstance(found, dict):
        raise refusal([("invalid_type", "", "Invalid type. Expected: object, given: array")])
    return found


def _check_body(body: Json) -> None:
    """Refuse fields that are missing, unknown or of another type. Raises: ReplicateError."""
    problems = [
        ("additional_property_not_allowed", "", f"Additional property {name} is not allowed")
        for name in body
        if name not in (*_FIELDS, "version")
    ]
    if not isinstance(body.get("input"), dict):
        problems.append(("required", "", "input is required"))
    webhook = body.get("webhook")
    if webhook is not None and not _is_address(webhook):
        problems.append(("format", "webhook", "Does not match format 'uri'"))
    events = body.get("webhook_events_filter")
    if events is not None and not (isinstance(events, list) and set(events) <= set(EVENTS)):
        allowed = ", ".join(f'"{event}"' for event in EVENTS)
        text = f"webhook_events_filter.0 must be one of the following: {allowed}"
        problems.append(("enum", "webhook_events_filter.0", text))
    if problems:
        raise refusal(problems)


def _is_address(given: object) -> bool:
    """Tell whether messages can go there; unlike Replicate, the double also takes plain HTTP."""
    if not isinstance(given, str):
        return False
    parts = urlsplit(given)
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _versioned(body: Json) -> tuple[str, str]:
    """Read model and version of a request that names both in one field. Raises: ReplicateError."""
    if "version" not in body:
        raise refusal([("required", "", "version is required")])
    found = _VERSION.fullmatch(str(body["version"]))
    if found is None:
        text = (
            "The specified version does not exist (or perhaps you don't have permission to use it?)"
        )
        raise ReplicateError(text, status=422, title="Invalid version or not permitted")
    return found[1], found[2] or "hidden"


def _life_asked(request: Request) -> int | None:
    """Read `Cancel-After`, in seconds. Raises: ReplicateError."""
    text = request.header(b"cancel-after")
    if not text:
        return None
    found = _DURATION.fullmatch(text)
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    life = 3600 * hours + 60 * minutes + seconds
    if life < _LEAST_LIFE_S:
        raise ReplicateError(f"Invalid Cancel-After header: {text}", status=422)
    return life


def _wait_asked(request: Request) -> float | None:
    """Read `Prefer: wait`, in seconds; None without it. Raises: ReplicateError."""
    text = request.header(b"prefer")
    if not text:
        return None
    found = _WAIT.fullmatch(text)
    wait_s = int(found[1] or _LONGEST_WAIT_S) if found else 0
    if not 1 <= wait_s <= _LONGEST_WAIT_S:
        raise ReplicateError(f"Invalid Prefer header: {text}", status=422)
    return float(wait_s)


def _asked_for(faults: Faults) -> ReplicateError:
    """Make the error a fault asks for."""
    headers: Headers = []
    if faults.retry_after:
        headers.append((b"retry-after", faults.retry_after.encode()))
    if faults.status == 402:
        text = (
            "You have insufficient credit to run this model. Go to "
            "https://replicate.com/account/billing#billing to purchase credit. Once you purchase "
            "credit, please wait a few minutes before trying again."
        )
        return ReplicateError(text, status=402, title="Insufficient credit", headers=headers)
    if faults.status == 429:
        text = f"Request was throttled. Your rate limit resets in ~{faults.retry_after or 1}s."
        return ReplicateError(text, status=429, title="Request was throttled", headers=headers)
    text = f"The sandbox was asked to answer {faults.status}."
    return ReplicateError(text, status=faults.status, headers=headers)


def _error(error: ReplicateError, faults: Faults) -> Reply:
    body = msgspec.json.encode(error.body)
    headers = [(b"content-type", b"application/problem+json"), *error.headers]
    return Reply(status=error.status, headers=headers, body=body, faults=faults)


def _origin(request: Request) -> str:
    return f"http://{request.header(b'host')}"


def _listed(request: Request, account: str) -> Json:
    """List an account's predictions, the newest first, a page at a time."""
    place = int(dict(parse_qsl(request.query)).get("cursor", "0"))
    found = _PREDICTIONS.newest(account)
    now = _PREDICTIONS.now()
    address = f"{_origin(request)}/replicate/v1/predictions?cursor="
    more = len(found) > place + _PAGE
    return {
        "previous": f"{address}{max(place - _PAGE, 0)}" if place else None,
        "next": f"{address}{place + _PAGE}" if more else None,
        "results": [one.render(now) for one in found[place : place + _PAGE]],
    }


def _secret(request: Request, account: str) -> Json:
    return {"key": SECRET}


def _account(request: Request, account: str) -> Json:
    return {
        "type": "organization",
        "username": "sandbox",
        "name": "Sandbox",
        "github_url": "https://github.com/sandbox",
    }


_FIXED: dict[str, Callable[[Request, str], Json]] = {
    "/v1/predictions": _listed,
    "/v1/webhooks/default/secret": _secret,
    "/v1/account": _account,
}
