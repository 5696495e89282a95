"""Anthropic's Messages, token counts and models: routes, keys, errors, the two forms of an answer.

Source: Anthropic's OpenAPI document of August 2026; `anthropic` Python SDK 2.12.0;
platform.claude.com/docs, Versions (2026-10-21), Streaming messages, Errors.
Left out: server tools, citations, batches, files, system messages in `messages`.
"""

import os
from collections.abc import Iterator
from urllib.parse import parse_qsl

import msgspec

from sandbox.anthropic_blocks import Said, answer_to
from sandbox.anthropic_checks import VERSIONS, check_request, find_model
from sandbox.anthropic_errors import WireError, limited
from sandbox.anthropic_models import MODELS, Traits
from sandbox.anthropic_usage import prompt_tokens, usage_of
from sandbox.delivery import BAD_UTF8, HTML
from sandbox.faults import HEADER, NO_FAULTS, Faults, UnknownFault, faults_of
from sandbox.messages import Headers, Json, Reply, Request

SPEND_LIMIT = "enforced_spend_limit_reached"
LARGEST_BODY_BYTES = 32 * 1024 * 1024
_RUN = os.urandom(8).hex()
_JSON = (b"content-type", b"application/json")
_RESET = b"2026-11-21T12:00:00Z"
_COMMON: Headers = [(b"anthropic-organization-id", b"00000000-0000-4000-8000-000000000000")]
for _name, _limit in ((b"requests", 4000), (b"tokens", 2400000)):
    _COMMON += [
        (b"anthropic-ratelimit-%s-limit" % _name, b"%d" % _limit),
        (b"anthropic-ratelimit-%s-remaining" % _name, b"%d" % (_limit - 1)),
        (b"anthropic-ratelimit-%s-reset" % _name, _RESET),
    ]
_COUNTED = (
    *("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
    *("output_tokens", "output_tokens_details", "server_tool_use"),
)
_OVERLOADED = (
    b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":null}'
)


def answer(request: Request) -> Reply:
    """Answer one request as api.anthropic.com would."""
    try:
        return _route(request)
    except WireError as error:
        return _error(request, error, NO_FAULTS)


def _route(request: Request) -> Reply:
    path = request.path
    if path in ("/v1/messages", "/v1/messages/count_tokens"):
        _check_head(request, "POST")
        return _messages(request, counting=path.endswith("tokens"))
    if path == "/v1/models" or path.startswith("/v1/models/"):
        _check_head(request, "GET")
        return _models(request, path[len("/v1/models/") :])
    raise WireError("Not Found", status=404)


def _check_head(request: Request, method: str) -> None:
    """Refuse a wrong method, a missing version, and a missing or `invalid` key.

    `quota` and `ratelimited` in a key name their error.
    """
    if request.method != method:
        raise WireError("Method Not Allowed", status=405)
    scheme, _, token = request.header(b"authorization").partition(" ")
    key = request.header(b"x-api-key") or (token.strip() if scheme.lower() == "bearer" else "")
    if not key:
        raise WireError("x-api-key header is required", status=401)
    if "invalid" in key:
        raise WireError("invalid x-api-key", status=401)
    if not request.header(b"anthropic-version"):
        raise WireError("anthropic-version: header is required")
    if request.header(b"anthropic-version") not in VERSIONS:
        raise WireError('anthropic-version: "anthropic-version" must be a known version')
    if "quota" in key:
        raise limited(SPEND_LIMIT, "")
    if "ratelimited" in key:
        raise limited("", "1")


def _models(request: Request, model_id: str) -> Reply:
    found = find_model(model_id).describe() if model_id else _page(dict(parse_qsl(request.query)))
    return Reply(headers=[_JSON, *_headers(request)], body=msgspec.json.encode(found))


def _page(asked: dict[str, str]) -> Json:
    """Give a page of the models, newest first."""
    limit = asked.get("limit", "20")
    if not limit.isdecimal() or not 1 <= int(limit) <= 1000:
        raise WireError("limit: Input should be between 1 and 1000")
    ids = [model.id for model in MODELS]
    if "before_id" in asked:
        end = ids.index(asked["before_id"]) if asked["before_id"] in ids else 0
        start, more = max(0, end - int(limit)), end > int(limit)
    else:
        start = ids.index(asked["after_id"]) + 1 if asked.get("after_id") in ids else 0
        end = start + int(limit)
        more = end < len(ids)
    page = [model.describe() for model in MODELS[start:end]]
    ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
    return {"data": page, "has_more": more, "first_id": None, "last_id": None, **ends}


def _messages(request: Request, *, counting: bool) -> Reply:
    wanted = _decoded(request.body)
    try:
        asked, prompt = faults_of(request.headers.get(HEADER), _last_user_text(wanted))
    except UnknownFault as error:
        raise WireError(str(error), code="unknown_fault") from None
    faults = request.due(asked) if asked.times else asked
    try:
        if faults.status:
            raise _asked_for(faults)
        version = request.header(b"anthropic-version")
        model = check_request(wanted, version=version, counting=counting)
        if faults.reject in wanted:
            raise WireError(f"{faults.reject}: Extra inputs are not permitted")
        if counting:
            count = msgspec.json.encode({"input_tokens": prompt_tokens(wanted)})
            return Reply(headers=[_JSON, *_headers(request)], body=count, faults=faults)
        return _answered(request, wanted, model, prompt, faults)
    except WireError as error:
        return _error(request, error, faults)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        # The checks above do not look into schemas.
        return _error(request, WireError("A nested value is malformed."), faults)


def _decoded(body: bytes) -> Json:
    if len(body) > LARGEST_BODY_BYTES:
        raise WireError("Request exceeds the maximum size", status=413)
    try:
        wanted = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise WireError("The request body is not valid JSON") from None
    if not isinstance(wanted, dict):
        raise WireError("Input should be a valid dictionary")
    return wanted


def _last_user_text(wanted: Json) -> str:
    """Read the last text of a user in a body that nothing has checked yet."""
    messages = wanted.get("messages")
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
            texts = [block.get("text") for block in blocks if isinstance(block, dict)]
            text = " ".join(text for text in texts if isinstance(text, str))
            if text:
                return text
    return ""


def _asked_for(faults: Faults) -> WireError:
    if faults.status == 429:
        return limited(faults.code, faults.retry_after)
    headers = [(b"retry-after", faults.retry_after.encode())] if faults.retry_after else []
    text = "Overloaded" if faults.status == 529 else f"The sandbox was asked for {faults.status}."
    return WireError(text, status=faults.status, code=faults.code, headers=headers)


def _error(request: Request, error: WireError, faults: Faults) -> Reply:
    headers = [*_headers(request), *error.headers]
    if error.status == 413:
        # It comes from the edge, which speaks HTML.
        html = (b"content-type", b"text/html; charset=utf-8")
        return Reply(status=413, headers=[html, *headers], body=HTML, faults=faults)
    body = msgspec.json.encode(error.body(_request_id(request)))
    return Reply(status=error.status, headers=[_JSON, *headers], body=body, faults=faults)


def _request_id(request: Request) -> str:
    return f"req_{_RUN}{request.number:016x}"


def _headers(request: Request) -> Headers:
    return [*_COMMON, (b"request-id", _request_id(request).encode())]


def _answered(request: Request, wanted: Json, model: Traits, prompt: str, faults: Faults) -> Reply:
    """Answer a good request, whole or streamed."""
    digest = request.digest.hex()
    said = answer_to(wanted, model, faults, prompt=prompt, seed=digest)
    message: Json = {
        "id": f"msg_{digest[:24]}",
        "type": "message",
        "role": "assistant",
        "model": wanted["model"],
        "content": [block.whole for block in said.blocks],
        "container": None,
        "stop_reason": said.stop_reason,
        "stop_sequence": said.stop_sequence,
        "stop_details": _stop_details(said),
    }
    usage = None if faults.missing_usage else usage_of(wanted, faults, said)
    if usage is not None:
        message["usage"] = usage
    # The shared delivery looks for OpenAI's field; the words here stand in another.
    kept = msgspec.structs.replace(faults, invalid_utf8=None) if faults is not NO_FAULTS else faults
    if not wanted.get("stream"):
        body = msgspec.json.encode(message)
        if faults.invalid_utf8 is not None:
            body = _spoiled(body)
        return Reply(headers=[_JSON, *_headers(request)], body=body, faults=kept)
    events = _events(message, said, ends=not faults.no_done)
    return Reply(
        headers=_headers(request),
        events=_with_bad_utf8(events, faults.invalid_utf8),
        error_event=b"event: error\ndata: " + _OVERLOADED,
        faults=kept,
    )


def _stop_details(said: Said) -> Json | None:
    if said.stop_reason != "refusal":
        return None
    return {"type": "refusal", "category": None, "explanation": None}


def _events(message: Json, said: Said, *, ends: bool) -> Iterator[bytes]:
    """Tell the message event by event; a ping comes behind the first delta."""
    yield _event({"type": "message_start", "message": _opening(message)})
    pinged = False
    for index, block in enumerate(said.blocks):
        yield _event({"type": "content_block_start", "index": index, "content_block": block.start})
        for delta in block.deltas:
            yield _event({"type": "content_block_delta", "index": index, "delta": delta})
            if not pinged:
                pinged = True
                yield _event({"type": "ping"})
        yield _event({"type": "content_block_stop", "index": index})
    names = ("container", "stop_reason", "stop_sequence", "stop_details")
    closing: Json = {"type": "message_delta", "delta": {name: message[name] for name in names}}
    if "usage" in message:
        closing["usage"] = {name: message["usage"][name] for name in _COUNTED}
    yield _event(closing)
    if ends:
        yield _event({"type": "message_stop"})


def _opening(message: Json) -> Json:
    """Make the message as a stream begins it: nothing said, hardly anything counted."""
    opening = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    opening["stop_details"] = None
    if "usage" in message:
        output = message["usage"]["output_tokens"]
        first = min(1, output) if isinstance(output, int) else output
        opening["usage"] = {**message["usage"], "output_tokens": first}
        del opening["usage"]["output_tokens_details"]
    return opening


def _event(data: Json) -> bytes:
    return b"event: %s\ndata: %s" % (data["type"].encode(), msgspec.json.encode(data))


def _with_bad_utf8(events: Iterator[bytes], number: int | None) -> Iterator[bytes]:
    for count, event in enumerate(events):
        yield _spoiled(event) if count == number else event


def _spoiled(data: bytes) -> bytes:
    return data.replace(b'"text":"', b'"text":"' + BAD_UTF8, 1)
