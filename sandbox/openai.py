"""OpenAI's routes, keys and errors, its models, and its chat with the two forms of an answer.

Source: github openai/openai-openapi v2.3.0 (2026-08-21); `openai` Python SDK 3.52.0.
Left out: audio in chats, `moderation` results, stored completions.
"""

import os
from collections.abc import Callable, Iterator
from importlib.resources import files
from itertools import chain
from typing import Any

import msgspec

from sandbox import (
    openai_embeddings,
    openai_images,
    openai_realtime,
    openai_speech,
    openai_transcriptions,
)
from sandbox.chat_form import decoded, event, last_user_text, rows
from sandbox.faults import HEADER, NO_FAULTS, Faults, UnknownFault, faults_of
from sandbox.messages import Headers, Json, Reply, Request
from sandbox.openai_checks import WireError, check_model, check_request
from sandbox.openai_choices import Choice, choices_of, logprobs_of, text_of
from sandbox.openai_usage import reasoning_tokens, usage_of

_MODELS: list[Json] = msgspec.json.decode(
    files("sandbox").joinpath("openai_models.json").read_bytes()
)
_BY_ID = {model["id"]: model for model in _MODELS}
_RUN = os.urandom(8).hex()
_JSON = (b"content-type", b"application/json")
_COMMON: Headers = [
    (b"openai-organization", b"sandbox"),
    (b"openai-version", b"2020-10-01"),
    (b"x-ratelimit-limit-requests", b"10000"),
    (b"x-ratelimit-limit-tokens", b"2000000"),
    (b"x-ratelimit-remaining-requests", b"9999"),
    (b"x-ratelimit-remaining-tokens", b"1999000"),
    (b"x-ratelimit-reset-requests", b"6ms"),
    (b"x-ratelimit-reset-tokens", b"30ms"),
]
_SERVER_ERRORS = {
    500: "server_error",
    502: "server_error",
    503: "server_error",
    529: "overloaded_error",
}
_EPOCH = 1_780_000_000
"""`created` is this and up to 97 days: derived from the body, like the id."""


def answer(request: Request) -> Reply:
    """Answer one request as api.openai.com would."""
    try:
        return _route(request)
    except WireError as error:
        return _error(request, error, NO_FAULTS)


def _route(request: Request) -> Reply:
    path, method = request.path, request.method
    if path == "/v1/chat/completions":
        _check_method(request, "POST")
        _check_key(request)
        return _chat(request)
    if path == "/v1/embeddings":
        return _plain(request, openai_embeddings.directive_text, openai_embeddings.embed)
    if path == "/v1/images/generations":
        return _plain(
            request,
            openai_images.directive_text,
            lambda wanted, faults: openai_images.draw(wanted, faults, request.digest),
        )
    if path == "/v1/realtime/client_secrets":
        return _plain(
            request,
            openai_realtime.directive_text,
            lambda wanted, _: openai_realtime.give_secret(wanted, request),
        )
    if path == "/v1/audio/speech":
        return _spoken(request)
    if path == "/v1/audio/transcriptions":
        return _heard(request)
    if path == "/v1/models" or path.startswith("/v1/models/"):
        _check_method(request, "GET")
        _check_key(request)
        return _models(request, path[len("/v1/models/") :])
    raise WireError(f"Invalid URL ({method} {path})", status=404)


def _check_method(request: Request, allowed: str) -> None:
    if request.method != allowed:
        raise WireError(f"Not allowed to {request.method} on {request.path}.", status=405)


def _check_key(request: Request) -> None:
    """Refuse a missing or `invalid` key; `quota` and `ratelimited` in a key name their error."""
    scheme, _, key = request.header(b"authorization").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise WireError("You didn't provide an API key in an Authorization header.", status=401)
    if "invalid" in key:
        text = f"Incorrect API key provided: {key[:4]}****{key[-4:]}."
        raise WireError(text, code="invalid_api_key", status=401)
    if "quota" in key:
        raise _limited("insufficient_quota", "")
    if "ratelimited" in key:
        raise _limited("rate_limit_exceeded", "1")


def _limited(code: str, retry_after: str) -> WireError:
    """Make a 429; its two codes differ in whether another try can help."""
    if code == "insufficient_quota":
        text = "You exceeded your current quota, please check your plan and billing details."
        return WireError(text, code=code, kind=code, status=429)
    headers = [(b"retry-after", retry_after.encode())] if retry_after else []
    text = "Rate limit reached for requests. Please try again later."
    return WireError(text, code=code, kind="requests", status=429, headers=headers)


def _models(request: Request, model_id: str) -> Reply:
    if not model_id:
        found: Json = {"object": "list", "data": _MODELS}
    else:
        check_model(model_id)
        unlisted = {
            "object": "model",
            "created": _EPOCH,
            "owned_by": "openai",
            "shutdown_date": None,
        }
        found = _BY_ID.get(model_id) or {"id": model_id, **unlisted}
    return Reply(headers=[_JSON, *_headers(request, 0)], body=msgspec.json.encode(found))


def _chat(request: Request) -> Reply:
    wanted = _decoded(request.body)
    prompt = last_user_text(wanted)
    try:
        asked, prompt = faults_of(request.headers.get(HEADER), prompt)
    except UnknownFault as error:
        raise WireError(str(error), param="messages", code="unknown_fault") from None
    faults = request.due(asked) if asked.times else asked
    try:
        if faults.status:
            raise _asked_for(faults)
        check_request(wanted)
        if faults.reject in wanted:
            text = (
                f"Unsupported value: '{faults.reject}' does not support this value with this model."
            )
            raise WireError(text, param=faults.reject, code="unsupported_value")
        _check_json_word(wanted)
        return _completed(request, wanted, prompt, faults)
    except WireError as error:
        return _error(request, error, faults)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        # The checks above do not look into schemas, tool choices and predictions.
        return _error(request, WireError("Invalid request: a nested value is malformed."), faults)


def _plain(
    request: Request,
    directive_text: Callable[[Json], str],
    answer_to: Callable[[Json, Faults], Json],
) -> Reply:
    """Answer what is one JSON object for another."""
    _check_method(request, "POST")
    _check_key(request)
    wanted = _decoded(request.body)
    try:
        asked, _ = faults_of(request.headers.get(HEADER), directive_text(wanted))
    except UnknownFault as error:
        raise WireError(str(error), code="unknown_fault") from None
    faults = request.due(asked) if asked.times else asked
    try:
        if faults.status:
            raise _asked_for(faults)
        body = msgspec.json.encode(answer_to(wanted, faults))
    except WireError as error:
        return _error(request, error, faults)
    return Reply(headers=[_JSON, *_headers(request, faults.latency_ms)], body=body, faults=faults)


def _spoken(request: Request) -> Reply:
    """Read a text aloud."""
    _check_method(request, "POST")
    _check_key(request)
    wanted = _decoded(request.body)
    text = openai_speech.directive_text(wanted)
    return _made(request, text, lambda faults: openai_speech.speak(wanted, faults))


def _heard(request: Request) -> Reply:
    """Write down what a file says."""
    _check_method(request, "POST")
    _check_key(request)
    form, said = openai_transcriptions.read(request)
    text = openai_transcriptions.directive_text(form, said)
    return _made(request, text, lambda faults: openai_transcriptions.hear(form, said, faults))


def _made(request: Request, text: str, make: Callable[[Faults], Reply]) -> Reply:
    """Answer with what is made, if the faults that `text` asks for let it."""
    try:
        asked, _ = faults_of(request.headers.get(HEADER), text)
    except UnknownFault as error:
        raise WireError(str(error), code="unknown_fault") from None
    faults = request.due(asked) if asked.times else asked
    try:
        if faults.status:
            raise _asked_for(faults)
        reply = make(faults)
    except WireError as error:
        return _error(request, error, faults)
    reply.headers.extend(_headers(request, faults.latency_ms))
    return reply


def _decoded(body: bytes) -> Json:
    wanted = decoded(body)
    if wanted is None:
        raise WireError(
            "We could not parse the JSON body of your request. A JSON object is expected."
        )
    return wanted


def _asked_for(faults: Faults) -> WireError:
    if faults.status == 429:
        return _limited(faults.code or "rate_limit_exceeded", faults.retry_after)
    kind = _SERVER_ERRORS.get(faults.status, "invalid_request_error")
    headers = [(b"retry-after", faults.retry_after.encode())] if faults.retry_after else []
    text = f"The sandbox was asked to answer {faults.status}."
    return WireError(
        text, code=faults.code or None, kind=kind, status=faults.status, headers=headers
    )


def _check_json_word(wanted: Json) -> None:
    """Refuse JSON mode when no message says JSON: the live API does."""
    if (wanted.get("response_format") or {}).get("type") != "json_object":
        return
    if not any("json" in text_of(message).lower() for message in wanted["messages"]):
        text = (
            "'messages' must contain the word 'json' in some form, to use 'response_format' of "
            "type 'json_object'."
        )
        raise WireError(text, param="messages")


def _error(request: Request, error: WireError, faults: Faults) -> Reply:
    return Reply(
        status=error.status,
        headers=[_JSON, *_headers(request, faults.latency_ms), *error.headers],
        body=msgspec.json.encode(error.body),
        faults=faults,
    )


def _headers(request: Request, latency_ms: int) -> Headers:
    return [
        *_COMMON,
        (b"openai-processing-ms", b"%d" % (latency_ms + 1)),
        (b"x-request-id", b"req_%s%016x" % (_RUN.encode(), request.number)),
    ]


def _completed(request: Request, wanted: Json, prompt: str, faults: Faults) -> Reply:
    """Answer a good request, whole or streamed."""
    digest = request.digest.hex()
    cap = wanted.get("max_completion_tokens") or wanted.get("max_tokens")
    reasoning = reasoning_tokens(wanted)
    if cap is not None:
        reasoning = min(reasoning, cap)
    limit = None if cap is None else cap - reasoning
    choices = choices_of(wanted, faults, prompt=prompt, limit=limit, seed=digest)
    tier = wanted.get("service_tier") or "auto"
    base: Json = {
        "id": f"chatcmpl-{digest[:29]}",
        "object": "chat.completion",
        "created": _EPOCH + int(digest[:6], 16) // 2,
        "model": wanted["model"],
        # Source: ServiceTier: `fast` is shown as "priority", `auto` as what was used.
        "service_tier": {"auto": "default", "fast": "priority"}.get(tier, tier),
        "system_fingerprint": "fp_sandbox",
    }
    usage = None
    if not faults.missing_usage:
        usage = _usage(wanted, faults, choices, reasoning)
    if wanted.get("stream"):
        return _stream(request, wanted, faults, base=base, choices=choices, usage=usage)
    top = wanted.get("top_logprobs") or 0 if wanted.get("logprobs") else None
    base["choices"] = [_whole(index, choice, top) for index, choice in enumerate(choices)]
    if usage is not None:
        base["usage"] = usage
    if wanted.get("metadata"):
        base["metadata"] = wanted["metadata"]
    headers = [_JSON, *_headers(request, faults.latency_ms)]
    return Reply(headers=headers, body=msgspec.json.encode(base), faults=faults)


def _usage(wanted: Json, faults: Faults, choices: list[Choice], reasoning: int) -> object:
    return usage_of(
        wanted,
        faults,
        answer=choices[0].tokens,
        answer_tokens=sum(choice.count_tokens() for choice in choices),
        reasoning=reasoning * len(choices),
    )


def _whole(index: int, choice: Choice, top: int | None) -> Json:
    logprobs = None
    if top is not None and choice.tokens:
        logprobs = logprobs_of(choice.tokens, top, refused=choice.refused)
    return {
        "index": index,
        "message": choice.message(),
        "logprobs": logprobs,
        "finish_reason": choice.finish_reason,
    }


def _stream(
    request: Request,
    wanted: Json,
    faults: Faults,
    *,
    base: Json,
    choices: list[Choice],
    usage: object,
) -> Reply:
    base["object"] = "chat.completion.chunk"
    options = wanted.get("stream_options") or {}
    padding = "" if options.get("include_obfuscation") is False else request.digest.hex()
    top = wanted.get("top_logprobs") or 0 if wanted.get("logprobs") else None
    chunks = _chunks(choices, top)
    if options.get("include_usage"):
        base["usage"] = None
    events = _events(base, chunks, padding)
    if usage is not None and options.get("include_usage"):
        events = chain(events, [event({**base, "choices": [], "usage": usage})])
    if not faults.no_done:
        events = chain(events, [b"data: [DONE]"])
    broken = WireError(
        "The server had an error while processing your request.", kind="server_error"
    )
    return Reply(
        headers=_headers(request, faults.latency_ms),
        events=events,
        error_event=event(broken.body),
        faults=faults,
    )


def _events(base: Json, chunks: Iterator[Json], padding: str) -> Iterator[bytes]:
    for chunk in chunks:
        data = {**base, "choices": [chunk]}
        if padding:
            # Source: stream_options.include_obfuscation: on by default, evens out event sizes.
            data["obfuscation"] = padding[: 16 - len(chunk["delta"].get("content") or "") % 16]
        yield event(data)


def _chunks(choices: list[Choice], top: int | None) -> Iterator[Json]:
    """Interleave the deltas of all choices, then close each."""
    for index, delta, token in rows(choices):
        chunk = _chunk(index, delta)
        if token and top is not None:
            chunk["logprobs"] = logprobs_of([token], top, refused=choices[index].refused)
        yield chunk
    for index, choice in enumerate(choices):
        yield {**_chunk(index, {}), "finish_reason": choice.finish_reason}


def _chunk(index: int, delta: dict[str, Any]) -> Json:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
