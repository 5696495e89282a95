"""OpenRouter's chat, models and account: routes, keys, streams, errors that come with 200.

Source: OpenRouter's OpenAPI 1.0.0 (Aug 2026); `openrouter` Python SDK 1.3.84; openrouter.ai/docs,
Errors and Debugging.
Left out: fallback models, routing, plugins, server tools.
"""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import msgspec

from sandbox import openai_embeddings, openrouter_images
from sandbox.chat_form import decoded, event, last_user_text, rows
from sandbox.faults import HEADER, NO_FAULTS, Faults, UnknownFault, faults_of
from sandbox.messages import Headers, Json, Reply, Request
from sandbox.openai_checks import WireError
from sandbox.openai_choices import Choice, choices_of, logprobs_of
from sandbox.openrouter_answers import (
    EPOCH,
    MODELS,
    Generations,
    facts_of,
    generation_of,
    listed,
    thought_of,
    thought_tokens,
    usage_with_cost,
    whole,
)
from sandbox.openrouter_checks import (
    RouterError,
    asked_for,
    check_request,
    limited,
    out_of_credits,
)

_JSON = (b"content-type", b"application/json")
_WAITING = b"\n         \n"
"""Keeps a plain answer's connection alive until the answer is there."""
_PROCESSING = b": OPENROUTER PROCESSING\n\n"
_SPANS = ("", "_daily", "_weekly", "_monthly")
_GENERATIONS = Generations()


def answer(request: Request) -> Reply:
    """Answer one request as openrouter.ai would."""
    try:
        return _route(request)
    except RouterError as error:
        return _error(error, NO_FAULTS)


def _route(request: Request) -> Reply:
    name = request.path.removeprefix("/api/v1/")
    if name == "chat/completions":
        _check_call(request, "POST")
        return _chat(request)
    if name == "embeddings":
        _check_call(request, "POST")
        return _answered(request, openai_embeddings.directive_text, _embedded)
    if name == "images":
        _check_call(request, "POST")
        return _answered(
            request,
            openrouter_images.directive_text,
            lambda wanted, faults: openrouter_images.draw(wanted, faults, request.digest),
        )
    found = {"models": _models, "key": _key, "credits": _credits, "generation": _generation}
    if name not in found:
        raise RouterError(f"No such route: {request.path}", status=404)
    _check_call(request, "GET")
    body = msgspec.json.encode(found[name](request))
    return Reply(headers=[_JSON], body=body)


def _check_call(request: Request, method: str) -> None:
    """Refuse another method, and a key that is missing or names its error."""
    if request.method != method:
        raise RouterError("Method Not Allowed", status=405)
    scheme, _, key = request.header(b"authorization").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise RouterError("No auth credentials found", status=401)
    if "invalid" in key:
        raise RouterError("User not found.", status=401)
    if "quota" in key:
        raise out_of_credits()
    if "ratelimited" in key:
        raise limited("1")


def _models(_: Request) -> Json:
    models = [listed(model) for model in MODELS]
    return {"data": models, "links": {"next": None}, "total_count": len(models)}


def _key(request: Request) -> Json:
    key = request.header(b"authorization").partition(" ")[2]
    amounts = [f"{kind}{span}" for kind in ("usage", "byok_usage") for span in _SPANS]
    # Beyond the document: what the SDK asks for, which is newer.
    return {
        "data": {
            **dict.fromkeys(amounts, 0),
            "label": f"sk-or-v1-...{key[-3:]}",
            "limit": 100,
            "limit_remaining": 100,
            "limit_reset": None,
            "include_byok_in_limit": False,
            "is_free_tier": False,
            "is_management_key": "management" in key,
            "is_provisioning_key": "management" in key,
            "creator_user_id": None,
            "expires_at": None,
            "allowed_data_regions": ["global"],
            "budgets": [],
            "effective_budget": None,
            "free_model_daily_requests": {"limit": 1000, "remaining": 1000, "used": 0},
            "organization_id": None,
            "workspace_id": None,
            "rate_limit": {"requests": -1, "interval": "10s", "note": "Deprecated."},
        }
    }


def _credits(request: Request) -> Json:
    if "management" not in request.header(b"authorization"):
        raise RouterError("Only management keys can perform this operation", status=403)
    return {"data": {"total_credits": 100, "total_usage": 0}}


def _generation(request: Request) -> Json:
    generation_id = parse_qs(request.query).get("id", [""])[0]
    found = _GENERATIONS.find(generation_id)
    if found is None:
        raise RouterError(f"Generation {generation_id} not found", status=404)
    return {"data": found}


def _chat(request: Request) -> Reply:
    wanted = decoded(request.body)
    if wanted is None:
        raise RouterError("Invalid JSON in the request body")
    try:
        asked, prompt = faults_of(request.headers.get(HEADER), last_user_text(wanted))
    except UnknownFault as error:
        raise RouterError(str(error)) from None
    faults = request.due(asked) if asked.times else asked
    try:
        if faults.status:
            raise asked_for(faults.status, faults.code, faults.retry_after)
        check_request(wanted)
        if faults.reject in wanted:
            raise RouterError(f"{faults.reject}: not supported by this model")
        return _completed(request, wanted, prompt, faults)
    except RouterError as error:
        return _error(error, faults)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        # The checks above do not look into schemas and tool choices.
        return _error(RouterError("Invalid input: a nested value is malformed"), faults)


def _answered(
    request: Request,
    directive_text: Callable[[Json], str],
    answer_to: Callable[[Json, Faults], Json],
) -> Reply:
    """Answer what is one JSON object for another."""
    wanted = decoded(request.body)
    if wanted is None:
        raise RouterError("Invalid JSON in the request body")
    try:
        asked, _ = faults_of(request.headers.get(HEADER), directive_text(wanted))
    except UnknownFault as error:
        raise RouterError(str(error)) from None
    faults = request.due(asked) if asked.times else asked
    try:
        if faults.status:
            raise asked_for(faults.status, faults.code, faults.retry_after)
        body = msgspec.json.encode(answer_to(wanted, faults))
    except RouterError as error:
        return _error(error, faults)
    return Reply(headers=[_JSON], body=body, faults=faults)


def _embedded(wanted: Json, faults: Faults) -> Json:
    """Answer with OpenAI's vectors under the vendor's name, the cost in the usage."""
    vendor, _, model = str(wanted.get("model")).partition("/")
    try:
        body = openai_embeddings.embed({**wanted, "model": model}, faults)
    except WireError as error:
        raise RouterError(error.body["error"]["message"], status=error.status) from None
    body["model"] = f"{vendor}/{model}"
    if isinstance(body.get("usage"), dict):
        body["usage"]["cost"] = 0.00000002 * body["usage"]["prompt_tokens"]
    return body


def _error(error: RouterError, faults: Faults) -> Reply:
    return Reply(
        status=error.status,
        headers=[_JSON, *error.headers],
        body=msgspec.json.encode(error.body),
        faults=faults,
    )


def _completed(request: Request, wanted: Json, prompt: str, faults: Faults) -> Reply:
    """Answer a good request, whole or streamed."""
    digest = request.digest.hex()
    thought, limit = thought_tokens(wanted), None
    cap = wanted.get("max_completion_tokens") or wanted.get("max_tokens")
    if cap is not None:
        thought = min(thought, cap)
        limit = cap - thought
    (choice,) = choices_of(wanted, faults, prompt=prompt, limit=limit, seed=digest)
    created = EPOCH + int(digest[:6], 16) // 2
    base: Json = {
        "id": f"gen-{created}-{digest[:20]}",
        "provider": facts_of(wanted["model"])["provider"],
        "model": wanted["model"],
        "object": "chat.completion",
        "created": created,
        "system_fingerprint": None,
    }
    usage = None
    if not faults.missing_usage:
        usage = usage_with_cost(wanted, faults, choice, thought)
        if not faults.usage:
            streamed = bool(wanted.get("stream"))
            _GENERATIONS.keep(generation_of(base, choice, usage, streamed=streamed))
    headers: Headers = [(b"x-generation-id", base["id"].encode())]
    said = thought_of(wanted, thought)
    if wanted.get("stream"):
        events = _events(base, _chunks(wanted, choice, said), usage, faults)
        broken = event(_broken_chunk(base, faults))
        return Reply(headers=headers, events=events, error_event=broken, faults=faults)
    body = _plain(request, base, whole(choice, said, _top(wanted)), usage, faults)
    return Reply(
        headers=[_JSON, *headers], body=_WAITING + msgspec.json.encode(body), faults=faults
    )


def _plain(request: Request, base: Json, choice: Json, usage: Any, faults: Faults) -> Json:  # noqa: ANN401
    """Make a plain answer, or the error that takes its place although the status is 200."""
    if faults.error_event == 0:
        return _late_error(faults).body
    if faults.error_event is not None:
        choice["finish_reason"] = choice["native_finish_reason"] = "error"
        choice["error"] = _late_error(faults).error
    whole_answer = {**base, "choices": [choice]}
    if usage is not None:
        whole_answer["usage"] = usage
    if request.header(b"x-openrouter-metadata") == "enabled":
        whole_answer["openrouter_metadata"] = _metadata(base)
    return whole_answer


def _metadata(base: Json) -> Json:
    served = {"provider": base["provider"], "model": base["model"], "selected": True}
    return {
        "requested": base["model"],
        "strategy": "direct",
        "region": "iad",
        "summary": "available=1",
        "attempt": 1,
        "is_byok": False,
        "endpoints": {"total": 1, "available": [served]},
    }


def _late_error(faults: Faults) -> RouterError:
    """Make the error of a model that had begun; the fault's `code` is its status."""
    status = int(faults.code) if faults.code.isdigit() else 502
    return RouterError("Provider returned error", status=status)


def _top(wanted: Json) -> int | None:
    """Give how many log probabilities each token shall have; None for none at all."""
    return wanted.get("top_logprobs") or 0 if wanted.get("logprobs") else None


def _events(base: Json, chunks: Iterator[Json], usage: object, faults: Faults) -> Iterator[bytes]:
    """Give the events; comments come before the first, usage behind the end of the answer."""
    base["object"] = "chat.completion.chunk"
    comments = _PROCESSING * 2
    for chunk in chunks:
        yield comments + event({**base, "choices": [chunk]})
        comments = b""
    if usage is not None:
        yield event({**base, "choices": [_chunk({"content": ""})], "usage": usage})
    if not faults.no_done:
        yield b"data: [DONE]"


def _chunks(wanted: Json, choice: Choice, thought: Json) -> Iterator[Json]:
    """Give the chunks: the role, the thought, the answer, the end."""
    opening = [{"content": ""}]
    if thought.get("reasoning_details"):
        opening.append({"content": "", **thought})
    yield from map(_chunk, opening)
    top = _top(wanted)
    for _, delta, token in rows([choice]):
        if "role" in delta:
            continue
        chunk = _chunk(delta)
        if token and top is not None:
            chunk["logprobs"] = logprobs_of([token], top, refused=choice.refused)
        yield chunk
    end = {"finish_reason": choice.finish_reason, "native_finish_reason": choice.finish_reason}
    yield {**_chunk({"content": ""}), **end}


def _chunk(delta: Json) -> Json:
    return {
        "index": 0,
        "delta": {"role": "assistant", **delta},
        "finish_reason": None,
        "native_finish_reason": None,
        "logprobs": None,
    }


def _broken_chunk(base: Json, faults: Faults) -> Json:
    choice = {**_chunk({"content": ""}), "finish_reason": "error", "native_finish_reason": "error"}
    error = _late_error(faults).error
    return {**base, "object": "chat.completion.chunk", "error": error, "choices": [choice]}
