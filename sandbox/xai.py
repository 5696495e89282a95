"""xAI's chat and models: routes, keys, errors in two forms, usage and cost in its own counting.

Source: xAI's REST API, OpenAPI 1.0.0 (stored copy of 2026); docs.x.ai, Cost Tracking and Debugging
Errors; github charmbracelet/fantasy, recorded streams (2025-10).
Left out: deferred completions, live search, files, the Responses API, long prompts' higher price.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from sandbox.chat_form import decoded, event, last_user_text, rows
from sandbox.faults import HEADER, NO_FAULTS, Faults, UnknownFault, faults_of
from sandbox.messages import Headers, Json, Reply, Request
from sandbox.openai_choices import Choice, choices_of, logprobs_of
from sandbox.openai_usage import reasoning_tokens, usage_of
from sandbox.text import filler_tokens
from sandbox.xai_checks import XAIError, check_model, check_request

_JSON = (b"content-type", b"application/json")
_LIMITS: Headers = [
    (b"x-ratelimit-limit-requests", b"600"),
    (b"x-ratelimit-limit-tokens", b"2000000"),
    (b"x-ratelimit-remaining-requests", b"599"),
    (b"x-ratelimit-remaining-tokens", b"1999000"),
]
_PRICES = {
    "grok-4.7": (20_000, 5_000, 60_000),
    "grok-4.3": (12_500, 2_000, 25_000),
    "grok-4.20-non-reasoning": (12_500, 2_000, 25_000),
}
"""Ticks per token of input, cached input and output; a tick is a ten-billionth of a dollar. Any
other model costs what the second costs.
"""
_SPENT = (
    "Your team sandbox has either used all available credits or reached its monthly spending limit."
)
_FLAGGED = "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_SANDBOX"
_EPOCH = 1_780_000_000
_THOUGHT_TOKENS = 16
"""A stream cuts reasoning into pieces of so many tokens."""


def answer(request: Request) -> Reply:
    """Answer one request as api.x.ai would."""
    try:
        return _route(request)
    except XAIError as error:
        return _error(request, error, NO_FAULTS)


def _route(request: Request) -> Reply:
    path = request.path
    if path == "/v1/chat/completions":
        _check_call(request, "POST")
        return _chat(request)
    name, _, model_id = path.removeprefix("/v1/").partition("/")
    if name not in ("models", "language-models", "api-key"):
        raise XAIError(f"No such route: {request.method} {path}", status=404)
    _check_call(request, "GET")
    if name == "api-key":
        return _json(request, _api_key(request))
    if model_id:
        check_model(model_id)
        return _json(request, _model(model_id, priced=name != "models"))
    listed = [_model(known, priced=name != "models") for known in _PRICES]
    return _json(
        request, {"object": "list", "data": listed} if name == "models" else {"models": listed}
    )


def _check_call(request: Request, method: str) -> None:
    """Refuse another method, and a key that is missing or names its error."""
    if request.method != method:
        raise XAIError(f"{request.method} is not allowed on {request.path}.", status=405)
    scheme, _, key = request.header(b"authorization").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise XAIError("No credentials were provided in the Authorization header.", status=401)
    if "invalid" in key:
        # Source: docs.x.ai, Debugging Errors: an incorrect key is a 400.
        shown = f"{key[:2]}***{key[-2:]}"
        raise XAIError(
            f"Incorrect API key provided: {shown}. You can obtain one from https://console.x.ai."
        )
    if "quota" in key:
        raise XAIError(_SPENT, status=429)
    if "ratelimited" in key:
        raise _limited("1")


def _limited(retry_after: str) -> XAIError:
    headers = [(b"retry-after", retry_after.encode())] if retry_after else []
    return XAIError("Too many requests for team sandbox.", status=429, headers=headers)


def _api_key(request: Request) -> Json:
    key = request.header(b"authorization").partition(" ")[2]
    return {
        "redacted_api_key": f"xai-...{key[-4:]}",
        "name": "sandbox",
        "team_id": "sandbox",
        "acls": ["api-key:model:*", "api-key:endpoint:*"],
        "team_blocked": False,
        "api_key_blocked": False,
        "api_key_disabled": False,
    }


def _model(model_id: str, *, priced: bool) -> Json:
    model: Json = {"id": model_id, "created": _EPOCH, "object": "model", "owned_by": "xai"}
    if not priced:
        return model
    # Cents for 100 000 000 tokens are ticks for one.
    given, cached, made = _prices(model_id)
    return {
        **model,
        "version": "1.0",
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "prompt_text_token_price": given,
        "cached_prompt_text_token_price": cached,
        "completion_text_token_price": made,
        "aliases": [f"{model_id}-latest"],
    }


def _prices(model: str) -> tuple[int, int, int]:
    return _PRICES.get(model, _PRICES["grok-4.3"])


def _chat(request: Request) -> Reply:
    wanted = decoded(request.body)
    if wanted is None:
        raise XAIError("Failed to parse the request body as JSON.", status=422)
    try:
        asked, prompt = faults_of(request.headers.get(HEADER), last_user_text(wanted))
    except UnknownFault as error:
        raise XAIError(str(error)) from None
    faults = request.due(asked) if asked.times else asked
    try:
        if faults.status:
            raise _asked_for(faults)
        check_request(wanted)
        if faults.reject in wanted:
            raise XAIError(f"Model {wanted['model']} does not support {faults.reject}.")
        return _completed(request, wanted, prompt, faults)
    except XAIError as error:
        return _error(request, error, faults)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        # The checks above do not look into schemas and tool choices.
        return _error(request, XAIError("A nested value is malformed.", status=422), faults)


def _asked_for(faults: Faults) -> XAIError:
    """Make the error a fault asks for; `code` tells two meanings of one status apart."""
    if faults.code == "credits":
        return XAIError(_SPENT, status=faults.status)
    if faults.code == "guidelines":
        return XAIError(_FLAGGED, status=faults.status)
    if faults.status == 429:
        return _limited(faults.retry_after)
    headers = [(b"retry-after", faults.retry_after.encode())] if faults.retry_after else []
    text = f"The sandbox was asked to answer {faults.status}."
    return XAIError(text, status=faults.status, headers=headers)


def _json(request: Request, found: Json) -> Reply:
    return Reply(headers=[_JSON, *_headers(request, 0)], body=msgspec.json.encode(found))


def _error(request: Request, error: XAIError, faults: Faults) -> Reply:
    return Reply(
        status=error.status,
        headers=[_JSON, *_headers(request, faults.latency_ms), *error.headers],
        body=msgspec.json.encode(error.body),
        faults=faults,
    )


def _headers(request: Request, latency_ms: int) -> Headers:
    number = b"%08x-0000-4000-8000-%012x" % (request.number, request.number)
    return [*_LIMITS, (b"x-request-id", number), (b"x-metrics-e2e-ms", b"%d" % (latency_ms + 1))]


def _completed(request: Request, wanted: Json, prompt: str, faults: Faults) -> Reply:
    """Answer a good request, whole or streamed."""
    digest = request.digest.hex()
    reasoning = reasoning_tokens(wanted)
    limit = wanted.get("max_completion_tokens")
    total = wanted.get("max_tokens")
    if total is not None:
        # What it bounds beside the answer: github evalstate/fast-agent #276 (2025-07).
        reasoning = min(reasoning, total)
        limit = total - reasoning if limit is None else min(limit, total - reasoning)
    choices = choices_of(wanted, faults, prompt=prompt, limit=limit, seed=digest)
    base: Json = {
        "id": "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32])),
        "object": "chat.completion",
        "created": _EPOCH + int(digest[:6], 16) // 2,
        "model": wanted["model"],
        "system_fingerprint": "fp_sandbox",
    }
    usage = None if faults.missing_usage else _usage(wanted, faults, choices, reasoning)
    thought = filler_tokens(reasoning)
    if wanted.get("stream"):
        chunks = _chunks(wanted, choices, thought)
        return _stream(request, wanted, faults, base=base, chunks=chunks, usage=usage)
    base["choices"] = [
        _whole(index, choice, thought, _top(wanted)) for index, choice in enumerate(choices)
    ]
    base["usage"] = usage
    headers = [_JSON, *_headers(request, faults.latency_ms)]
    return Reply(headers=headers, body=msgspec.json.encode(base), faults=faults)


def _usage(wanted: Json, faults: Faults, choices: list[Choice], reasoning: int) -> Any:  # noqa: ANN401
    """Count as xAI does: reasoning stands beside `completion_tokens`, and the cost is told."""
    visible = sum(choice.count_tokens() for choice in choices)
    counted: Any = usage_of(
        wanted, faults, answer=choices[0].tokens, answer_tokens=visible, reasoning=0
    )
    if faults.usage:
        return counted
    reasoning *= len(choices)
    total, details = counted["prompt_tokens"], counted["prompt_tokens_details"]
    cached = details["cached_tokens"]
    given, read, made = _prices(wanted["model"])
    return {
        "prompt_tokens": total,
        "completion_tokens": visible,
        "total_tokens": total + visible + reasoning,
        "prompt_tokens_details": {
            "text_tokens": total - details["image_tokens"],
            "audio_tokens": 0,
            "image_tokens": details["image_tokens"],
            "cached_tokens": cached,
        },
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
        "num_sources_used": 0,
        "cost_in_usd_ticks": max(total - cached, 0) * given
        + cached * read
        + (visible + reasoning) * made,
    }


def _top(wanted: Json) -> int | None:
    """Give how many log probabilities each token shall have; None for none at all."""
    return wanted.get("top_logprobs") or 0 if wanted.get("logprobs") else None


def _whole(index: int, choice: Choice, thought: list[str], top: int | None) -> Json:
    message = choice.message()
    del message["annotations"]
    message["content"] = message["content"] or ""
    if thought:
        message["reasoning_content"] = "".join(thought)
    whole: Json = {"index": index, "message": message, "finish_reason": choice.finish_reason}
    if top is not None and choice.tokens:
        whole["logprobs"] = logprobs_of(choice.tokens, top, refused=choice.refused)
    return whole


def _stream(
    request: Request,
    wanted: Json,
    faults: Faults,
    *,
    base: Json,
    chunks: Iterator[Json],
    usage: object,
) -> Reply:
    base["object"] = "chat.completion.chunk"
    events: Iterator[bytes] = (event({**base, "choices": [chunk]}) for chunk in chunks)
    if usage is not None and (wanted.get("stream_options") or {}).get("include_usage"):
        events = chain(events, [event({**base, "choices": [], "usage": usage})])
    if not faults.no_done:
        events = chain(events, [b"data: [DONE]"])
    broken = {"code": "The service is currently unavailable", "error": "The model broke off."}
    return Reply(
        headers=_headers(request, faults.latency_ms),
        events=events,
        error_event=event(broken),
        faults=faults,
    )


def _chunks(wanted: Json, choices: list[Choice], thought: list[str]) -> Iterator[Json]:
    """Give the chunks: the role and thoughts, the answer, the end; what is null is left out."""
    top = _top(wanted)
    for index in range(len(choices)):
        for delta in _opening(thought):
            yield {"index": index, "delta": delta}
    for index, delta, token in rows(choices):
        if token:
            chunk: Json = {"index": index, "delta": delta}
            if top is not None:
                chunk["logprobs"] = logprobs_of([token], top, refused=choices[index].refused)
            yield chunk
    for index, choice in enumerate(choices):
        # A call comes whole. Source: docs.x.ai, Function Calling.
        for place, call in enumerate(choice.message().get("tool_calls") or ()):
            yield {"index": index, "delta": {"tool_calls": [{**call, "index": place}]}}
        yield {"index": index, "delta": {}, "finish_reason": choice.finish_reason}


def _opening(thought: list[str]) -> Iterator[Json]:
    """Give the role, then the thoughts and a pause after them."""
    yield {"role": "assistant"}
    for start in range(0, len(thought), _THOUGHT_TOKENS):
        yield {"reasoning_content": "".join(thought[start : start + _THOUGHT_TOKENS])}
    if thought:
        yield {}
