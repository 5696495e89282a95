"""Which requests OpenRouter refuses, and how it says so.

Source: OpenRouter's OpenAPI 1.0.0 (Aug 2026), ChatRequest and the error responses; `openrouter`
Python SDK 1.3.84; openrouter.ai/docs, Errors and Debugging, Limits. Stricter than the live API,
which ignores what it does not know: an unknown field is refused, to show what is sent.
"""

from types import MappingProxyType

from sandbox.messages import Headers, Json
from sandbox.openai_checks import CHECKS, Check, WireError

_USER = "user_sandbox"
_TYPES = MappingProxyType(
    {
        400: "invalid_request",
        401: "authentication",
        402: "payment_required",
        403: "permission_denied",
        404: "not_found",
        408: "timeout",
        413: "payload_too_large",
        422: "unprocessable",
        429: "rate_limit_exceeded",
        500: "server",
        502: "provider_unavailable",
        503: "provider_overloaded",
        504: "timeout",
        529: "provider_overloaded",
    }
)
_OTHER_FIELDS = frozenset(
    (
        *("cache_control", "debug", "deferred_tools", "image_config", "min_p", "models", "plugins"),
        *("provider", "reasoning", "repetition_penalty", "route", "session_id", "top_a", "top_k"),
        *("stop_server_tools_when", "trace", "usage", "include_reasoning", "transforms"),
    )
)
_NOT_THEIRS = frozenset(
    (
        *("n", "functions", "function_call", "audio", "store", "safety_identifier", "moderation"),
        "prompt_cache_retention",
    )
)
_EFFORTS = ("max", "xhigh", "high", "medium", "low", "minimal", "none")
_ROLES = ("system", "user", "assistant", "tool", "developer")
_EXTENSIONS = ("reasoning_content", "thinking_blocks", "extra_content")


class RouterError(WireError):
    """An answer other than 200, or an error inside one: `code` is the status."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        metadata: Json | None = None,
        headers: Headers | None = None,
    ) -> None:
        super().__init__(message, status=status, headers=headers)
        said = {"error_type": _TYPES.get(status, "unmapped"), **(metadata or {})}
        self.error: Json = {"code": status, "message": message, "metadata": said}
        self.body = {"error": self.error, "user_id": _USER}


def out_of_credits() -> RouterError:
    """Make the 402 of an account without money."""
    return RouterError(
        "Insufficient credits. Add more using https://openrouter.ai/settings/credits",
        status=402,
        metadata={"limit_source": "openrouter_credits", "remedy_hint": "Add credits."},
    )


def limited(retry_after: str) -> RouterError:
    """Make a 429 of OpenRouter's own."""
    headers: Headers = [
        (b"x-ratelimit-limit", b"20"),
        (b"x-ratelimit-remaining", b"0"),
        (b"x-ratelimit-reset", b"1790000060000"),
    ]
    if retry_after:
        headers.append((b"retry-after", retry_after.encode()))
    return RouterError("Rate limit exceeded", status=429, headers=headers)


def asked_for(status: int, code: str, retry_after: str) -> RouterError:
    """Make the error a fault asks for; `code` says which of a status's meanings."""
    metadata: Json = {}
    message = f"The sandbox was asked to answer {status}."
    if code == "in_flight":
        metadata = {
            "reason": "in_flight_budget_exhausted",
            "limit_source": "openrouter_in_flight_budget",
        }
    elif code == "moderation":
        metadata = {
            "reasons": ["sandbox"],
            "flagged_input": "Hello",
            "provider_name": "OpenInference",
            "model_slug": "openai/gpt-5.6-sol",
        }
    elif code == "guardrail":
        message = "Request blocked: prompt injection patterns detected"
        metadata = {"patterns": ["ignore all previous instructions"]}
    elif code == "key_limit":
        metadata = {"limit_source": "openrouter_key_limit"}
    elif status == 402:
        return out_of_credits()
    elif status == 429:
        return limited(retry_after)
    headers = [(b"retry-after", retry_after.encode())] if retry_after else []
    return RouterError(message, status=status, metadata=metadata, headers=headers)


def check_request(wanted: Json) -> None:
    """Refuse what OpenRouter would refuse.

    Raises: RouterError.
    """
    if not wanted.get("messages"):
        raise RouterError('Input required: specify "prompt" or "messages"')
    if wanted.get("model") is None:
        raise RouterError("No models provided")
    for name, value in wanted.items():
        if name in _NOT_THEIRS or name not in (*CHECKS, *_OTHER_FIELDS):
            raise RouterError(f"Unrecognized key: {name}")
        check = CHECKS.get(name)
        if value is not None and check is not None:
            _check_as_openai(check, name, value)
    check_model(wanted["model"])
    for index, message in enumerate(wanted["messages"]):
        _check_message(message, f"messages.{index}")
    _check_tools(wanted.get("tools") or [])
    _check_reasoning(wanted)


def check_model(model: str) -> None:
    """Refuse a model whose id has no vendor.

    Raises: RouterError.
    """
    vendor, _, name = model.partition("/")
    if not vendor or not name:
        raise RouterError(f"{model} is not a valid model ID")


def _check_as_openai(check: Check, name: str, value: object) -> None:
    try:
        check(name, value)
    except WireError as error:
        raise RouterError(error.body["error"]["message"]) from None


def _check_tools(tools: list[Json]) -> None:
    for index, tool in enumerate(tools):
        if tool["type"] != "function":
            raise RouterError(f"tools.{index}.type: Invalid input: expected function")


def _check_message(message: Json, where: str) -> None:
    if message["role"] not in _ROLES:
        raise RouterError(f"{where}.role: Invalid discriminator value")
    calls = message.get("tool_calls") or []
    for holder in (message, *calls):
        unknown = next((name for name in _EXTENSIONS if name in holder), None)
        if unknown is not None:
            raise RouterError(f"{where}: Unrecognized key: {unknown}")
    for call in calls:
        if call.get("type") != "function":
            raise RouterError(f"{where}.tool_calls: Invalid input: expected function")


def _check_reasoning(wanted: Json) -> None:
    reasoning = wanted.get("reasoning")
    if reasoning is None:
        return
    if not isinstance(reasoning, dict):
        raise RouterError("reasoning: Invalid input: expected object")
    effort = reasoning.get("effort")
    if effort is not None and effort not in _EFFORTS:
        raise RouterError(f"reasoning.effort: Invalid option: {effort}")
    if effort is not None and reasoning.get("max_tokens") is not None:
        raise RouterError('Only one of "reasoning.effort" and "reasoning.max_tokens" is allowed')
    shorthand = wanted.get("reasoning_effort")
    if shorthand is not None and effort is not None and shorthand != effort:
        raise RouterError('"reasoning_effort" and "reasoning.effort" differ')
