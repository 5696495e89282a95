"""What OpenRouter's double says: messages with reasoning, usage with its cost, generations.

Source: OpenRouter's OpenAPI 1.0.0 (Aug 2026), ChatResult, ChatUsage, GenerationResponse; github
charmbracelet/fantasy, recorded answers (2025) for `provider` and `native_finish_reason`.
"""

from collections import OrderedDict
from decimal import Decimal
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import Raw

from sandbox.faults import Faults
from sandbox.messages import Json
from sandbox.openai_choices import Choice, logprobs_of
from sandbox.openai_usage import REASONING_TOKENS, usage_of
from sandbox.text import filler_tokens

EPOCH = 1_780_000_000
MODELS: list[Json] = msgspec.json.decode(
    files("sandbox").joinpath("openrouter_models.json").read_bytes()
)
_BY_ID = {model["id"]: model for model in MODELS}
_KEPT_GENERATIONS = 1000


class Generations:
    """The last answers by their id: what `GET /generation` is asked for."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Json] = OrderedDict()

    def keep(self, generation: Json) -> None:
        """Keep one answer's record, and forget the oldest beyond the limit."""
        self._kept[generation["id"]] = generation
        while len(self._kept) > _KEPT_GENERATIONS:
            self._kept.popitem(last=False)

    def find(self, generation_id: str) -> Json | None:
        """Give the record of an answer."""
        return self._kept.get(generation_id)


def facts_of(model: str) -> Json:
    """Give what is known of a model; one that is not listed costs what the first costs."""
    return _BY_ID.get(model) or {**MODELS[0], "id": model, "name": model}


def listed(model: Json) -> Json:
    """Show a model as `GET /models` does."""
    return {
        "id": model["id"],
        "canonical_slug": model["id"],
        "hugging_face_id": None,
        "name": model["name"],
        "created": EPOCH,
        "description": "A double.",
        "context_length": model["context_length"],
        "architecture": {
            "modality": "text+image->text",
            "input_modalities": ["text", "image"],
            "output_modalities": ["text"],
            "tokenizer": model["tokenizer"],
            "instruct_type": None,
        },
        "pricing": model["pricing"],
        "top_provider": {
            "context_length": model["context_length"],
            "max_completion_tokens": model["max_completion_tokens"],
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": ["max_tokens", "reasoning", "stop", "temperature", "tools"],
        "supported_voices": None,
        "default_parameters": {"temperature": None},
        "links": {"details": f"/api/v1/models/{model['id']}/endpoints"},
        "expiration_date": None,
    }


def thought_tokens(wanted: Json) -> int:
    """Count what the model thinks: nothing unless it is asked to."""
    reasoning = wanted.get("reasoning") or {}
    if reasoning.get("max_tokens") is not None:
        return int(reasoning["max_tokens"])
    asked = reasoning.get("effort") or wanted.get("reasoning_effort")
    if asked is None and reasoning.get("enabled"):
        asked = "medium"
    return REASONING_TOKENS.get(asked or "none", 0)


def thought_of(wanted: Json, tokens: int) -> Json:
    """Show a thought of so many tokens: in words, encrypted by OpenAI's models, or not at all."""
    if not tokens or (wanted.get("reasoning") or {}).get("exclude"):
        return {"reasoning": None}
    if wanted["model"].startswith("openai/"):
        hidden = {
            "type": "reasoning.encrypted",
            "data": "c2FuZGJveA==",
            "format": "openai-responses-v1",
            "index": 0,
        }
        return {"reasoning": None, "reasoning_details": [hidden]}
    text = "".join(filler_tokens(tokens))
    shown = {"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}
    return {"reasoning": text, "reasoning_details": [shown]}


def whole(choice: Choice, thought: Json, top: int | None) -> Json:
    """Show the one choice of a plain answer."""
    message = choice.message()
    del message["annotations"]
    for place, call in enumerate(message.get("tool_calls") or ()):
        call["index"] = place
    logprobs = None
    if top is not None and choice.tokens:
        logprobs = logprobs_of(choice.tokens, top, refused=choice.refused)
    return {
        "logprobs": logprobs,
        "finish_reason": choice.finish_reason,
        "native_finish_reason": choice.finish_reason,
        "index": 0,
        "message": {**message, **thought},
    }


def usage_with_cost(wanted: Json, faults: Faults, choice: Choice, thought: int) -> Any:  # noqa: ANN401
    """Count a chat's tokens and what they cost, exactly."""
    counted: Any = usage_of(
        wanted,
        faults,
        answer=choice.tokens,
        answer_tokens=choice.count_tokens(),
        reasoning=thought,
    )
    if faults.usage:
        return counted
    details = counted["prompt_tokens_details"]
    cached, written = details["cached_tokens"], details["cache_write_tokens"]
    price = {name: Decimal(usd) for name, usd in facts_of(wanted["model"])["pricing"].items()}
    plain = max(counted["prompt_tokens"] - cached - written, 0)
    prompt_usd = plain * price["prompt"] + cached * price["input_cache_read"]
    prompt_usd += written * price.get("input_cache_write", price["prompt"])
    completion_usd = counted["completion_tokens"] * price["completion"]
    return {
        "prompt_tokens": counted["prompt_tokens"],
        "completion_tokens": counted["completion_tokens"],
        "total_tokens": counted["total_tokens"],
        "cost": _number(prompt_usd + completion_usd),
        "is_byok": False,
        "prompt_tokens_details": {
            "cached_tokens": cached,
            "cache_write_tokens": written,
            "audio_tokens": details["audio_tokens"],
        },
        "cost_details": {
            "upstream_inference_cost": None,
            "upstream_inference_prompt_cost": _number(prompt_usd),
            "upstream_inference_completions_cost": _number(completion_usd),
        },
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def _number(amount: Decimal) -> Raw:
    return Raw(f"{amount:f}".encode())


def generation_of(base: Json, choice: Choice, usage: Any, *, streamed: bool) -> Json:  # noqa: ANN401
    """Make the record of an answer."""
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    absent = (
        *("app_id", "cache_discount", "external_user", "http_referer", "moderation_latency"),
        *("native_tokens_completion_images", "num_fetches", "num_input_audio_prompt", "router"),
        *("num_media_completion", "num_media_prompt", "num_search_results", "preset_id"),
        *("upstream_inference_cost", "user_agent", "web_search_engine", "service_tier"),
        "workspace_id",
    )
    return {
        **dict.fromkeys(absent),
        "id": base["id"],
        "upstream_id": f"up-{base['id'][-8:]}",
        "api_type": "completions",
        "cancelled": False,
        "created_at": "2026-06-01T00:00:00.000Z",
        "data_region": "global",
        "finish_reason": choice.finish_reason,
        "native_finish_reason": choice.finish_reason,
        "generation_time": 1,
        "latency": 1,
        "is_byok": False,
        "model": base["model"],
        "native_tokens_prompt": prompt,
        "native_tokens_completion": completion,
        "native_tokens_cached": usage["prompt_tokens_details"]["cached_tokens"],
        "native_tokens_reasoning": usage["completion_tokens_details"]["reasoning_tokens"],
        "origin": "",
        "provider_name": base["provider"],
        "provider_responses": None,
        "streamed": streamed,
        "tokens_prompt": prompt,
        "tokens_completion": completion,
        "total_cost": usage["cost"],
        "usage": usage["cost"],
    }
