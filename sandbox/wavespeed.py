"""WaveSpeed over HTTP: routes, keys, errors, and the files that tasks leave.

Source: `wavespeed` Python SDK 2.0.5, `api/client.py`. Bodies of errors have no page: they have the
envelope's `code` and `message`. Left out: uploads, webhooks, other models.
"""

import hashlib
import os
import re

import msgspec

from sandbox.faults import HEADER, NO_FAULTS, Faults, UnknownFault, faults_of
from sandbox.messages import Headers, Json, Reply, Request
from sandbox.pictures import MEDIA_TYPES
from sandbox.wavespeed_tasks import SYNC_S, Task, Tasks, WaveSpeedError, check_input, new_id

_TASKS = Tasks()
_RUN = os.urandom(8)
_JSON = (b"content-type", b"application/json")
_SUBMIT = re.compile(r"/api/v3/(?!predictions/)([\w.-]+(?:/[\w.-]+)+)")
_ONE = re.compile(r"/api/v3/predictions/(\w+)(?:/result)?")
_FILE = re.compile(r"/files/(\w+)/1\.(\w+)")
_SYNC_TIMED_OUT = 5004


def answer(request: Request, *, api: str = "") -> Reply:
    """Answer one request as api.wavespeed.ai and its CDN would.

    `api` is where a task says that it is, the double itself by default.
    """
    try:
        return _route(request, api)
    except WaveSpeedError as error:
        return _error(error, NO_FAULTS)
    except UnknownFault as error:
        return _error(WaveSpeedError(str(error), status=400), NO_FAULTS)


def _route(request: Request, api: str) -> Reply:
    path, method = request.path, request.method
    if method == "GET" and (file := _FILE.fullmatch(path)):
        return _file(request, file[1], file[2])
    account = _account_of(request)
    if method == "GET" and (found := _ONE.fullmatch(path)):
        return _one(request, account, found[1])
    if method == "POST" and (submitted := _SUBMIT.fullmatch(path)):
        return _submit(request, account, model=submitted[1], api=api)
    raise WaveSpeedError("not found", status=404)


def _account_of(request: Request) -> str:
    """Tell whose key it is; every key has an account of its own. Raises: WaveSpeedError."""
    scheme, _, key = request.header(b"authorization").partition(" ")
    if scheme.lower() != "bearer" or not key.strip() or "invalid" in key:
        raise WaveSpeedError("invalid authentication: please check your API key", status=401)
    if request.method == "POST" and "quota" in key:
        raise _asked_for(Faults(status=402))
    if "ratelimited" in key:
        raise _asked_for(Faults(status=429))
    return hashlib.sha256(key.encode()).hexdigest()


def _submit(request: Request, account: str, *, model: str, api: str) -> Reply:
    """Begin a task. Raises: WaveSpeedError."""
    given = _decoded(request.body)
    prompt = given.get("prompt")
    asked, words = faults_of(request.headers.get(HEADER), prompt if isinstance(prompt, str) else "")
    faults = request.due(asked) if "submit" in _places(asked) and asked.times else asked
    wire = faults if "submit" in _places(faults) else NO_FAULTS
    if wire.status and wire.code != "begun":
        return _error(_asked_for(wire), wire)
    check_input(model, given)
    origin = f"http://{request.header(b'host')}/wavespeed"
    task = Task(
        id=new_id(request.digest, request.number, _RUN),
        model=model,
        account=account,
        api=api or origin,
        origin=origin,
        given=given,
        prompt=words,
        faults=faults,
        begun_at=_TASKS.now(),
    )
    _TASKS.keep(task)
    if wire.status:
        return _error(_asked_for(wire), wire)
    return _begun(task, wire)


def _begun(task: Task, wire: Faults) -> Reply:
    """Show a new task; in its sync mode at its end, if that comes within a minute."""
    shown = task.render(task.begun_at)
    if task.given.get("enable_sync_mode") is True:
        wait_s = min(task.ended_at - task.begun_at, SYNC_S)
        wire = msgspec.structs.replace(wire, latency_ms=wire.latency_ms + round(1000 * wait_s))
        shown = task.render(task.begun_at + wait_s)
        if shown["status"] == "processing":
            shown |= {"code": _SYNC_TIMED_OUT, "error": "Sync mode timed out"}
    return _success(shown, wire)


def _one(request: Request, account: str, task_id: str) -> Reply:
    """Show a task. Raises: WaveSpeedError."""
    task = _TASKS.find(task_id)
    if task is None or task.account != account:
        raise WaveSpeedError("prediction not found", status=404)
    faults = _later_faults(request, task, "poll")
    if faults.status:
        return _error(_asked_for(faults), faults)
    return _success(task.render(_TASKS.now()), faults)


def _file(request: Request, task_id: str, form: str) -> Reply:
    """Give a file; no key is asked for, and none is to come. Raises: WaveSpeedError."""
    task = _TASKS.find(task_id)
    if task is None or task.form != form:
        raise WaveSpeedError("not found", status=404)
    if request.header(b"authorization"):
        raise WaveSpeedError("a key was shown to the CDN", status=400)
    faults = _later_faults(request, task, "file")
    if faults.status:
        return _error(_asked_for(faults), faults)
    data = task.file(_TASKS.now())
    if data is None:
        raise WaveSpeedError("not found", status=404)
    headers = [(b"content-type", MEDIA_TYPES[form].encode()), (b"cache-control", b"max-age=604800")]
    return Reply(headers=headers, body=data, faults=faults)


def _later_faults(request: Request, task: Task, place: str) -> Faults:
    """Give the faults of a later request: of its own header, else those of the prompt for it."""
    asked, _ = faults_of(request.headers.get(HEADER), "")
    if asked is NO_FAULTS and place in _places(task.faults):
        asked = task.faults
    return request.due(asked) if asked.times else asked


def _places(faults: Faults) -> list[str]:
    return faults.at.split(",") if faults.at else ["submit"]


def _decoded(body: bytes) -> Json:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise WaveSpeedError("request body is not valid JSON", status=400) from None
    if not isinstance(found, dict):
        raise WaveSpeedError("request body must be an object", status=400)
    return found


def _asked_for(faults: Faults) -> WaveSpeedError:
    """Make the error a fault asks for; with `code=inside` it comes with 200."""
    text = {
        402: "Insufficient credits. Please top up your account.",
        429: "Too many requests. Please slow down.",
    }.get(faults.status, f"The sandbox was asked to answer {faults.status}.")
    return WaveSpeedError(text, status=faults.status, inside=faults.code == "inside")


def _success(shown: Json, faults: Faults) -> Reply:
    body = {"code": 200, "message": "success", "data": shown}
    return Reply(headers=[_JSON], body=msgspec.json.encode(body), faults=faults)


def _error(error: WaveSpeedError, faults: Faults) -> Reply:
    headers: Headers = [_JSON]
    if faults.retry_after:
        headers.append((b"retry-after", faults.retry_after.encode()))
    status = 200 if error.inside else error.status
    body = msgspec.json.encode(error.body)
    return Reply(status=status, headers=headers, body=body, faults=faults)
