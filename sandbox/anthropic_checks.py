"""Which requests to Messages Anthropic refuses, and roughly in which words.

Source: Anthropic's OpenAPI document of August 2026, CreateMessageParams; `anthropic` Python SDK
2.12.0 where it is newer; platform.claude.com/docs: Versions (2026-10-21), Troubleshooting thinking.
Only `type` and the named place are worth a test.
"""

import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from sandbox.anthropic_errors import WireError
from sandbox.anthropic_messages import (
    MAX_CACHE_MARKS,
    NEWEST_VERSION,
    Turn,
    cache_marks,
    check_cache_mark,
    check_messages,
    check_text_blocks,
    refuse,
)
from sandbox.anthropic_models import Traits, traits_of
from sandbox.messages import Json

Check = Callable[[str, Any], None]

VERSIONS = ("2023-06-01", NEWEST_VERSION)
MIN_BUDGET_TOKENS = 1024
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_TOOL_FIELDS = {
    *("type", "name", "description", "input_schema", "cache_control", "strict"),
    *("allowed_callers", "defer_loading", "eager_input_streaming", "input_examples"),
}
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_SAMPLING = ("temperature", "top_p", "top_k")
_BOUNDS = ("minimum", "maximum", "multipleOf", "minLength", "maxLength", "maxItems")


def _typed(text: str, *types: type) -> Check:
    def check(name: str, value: object) -> None:
        if type(value) not in types:
            raise refuse(name, f"Input should be a valid {text}")

    return check


def _one_of(*values: str) -> Check:
    def check(name: str, value: object) -> None:
        if value not in values:
            raise refuse(name, f"Input should be {' or '.join(repr(v) for v in values)}")

    return check


def _range(low: float, high: float, *types: type) -> Check:
    def check(name: str, value: object) -> None:
        if type(value) not in types or not isinstance(value, int | float):
            raise refuse(name, "Input should be a valid number")
        if not low <= value <= high:
            raise refuse(name, f"Input should be between {low} and {high}")

    return check


def _fields(name: str, value: object, allowed: set[str], required: tuple[str, ...]) -> Json:
    """Refuse anything but an object with these fields."""
    if not isinstance(value, dict):
        raise refuse(name, "Input should be a valid dictionary")
    for field in required:
        if field not in value:
            raise refuse(f"{name}.{field}", "Field required")
    if unknown := set(value) - allowed:
        raise refuse(f"{name}.{min(unknown)}", "Extra inputs are not permitted")
    return value


def _system(name: str, value: object) -> None:
    if isinstance(value, list):
        check_text_blocks(name, value)
    elif not isinstance(value, str):
        raise refuse(name, "Input should be a valid string")


def _stop_sequences(name: str, value: object) -> None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise refuse(name, "Input should be a valid list")
    if not all(item.strip() for item in value):
        raise refuse(name, "each stop sequence must contain non-whitespace")


def _metadata(name: str, value: object) -> None:
    user_id = _fields(name, value, {"user_id"}, ()).get("user_id")
    if user_id is not None and (not isinstance(user_id, str) or len(user_id) > 512):
        raise refuse(f"{name}.user_id", "String should have at most 512 characters")


def _tools(name: str, value: object) -> None:
    if not isinstance(value, list):
        raise refuse(name, "Input should be a valid list")
    for index, entry in enumerate(value):
        where = f"{name}.{index}"
        tool = _fields(where, entry, _TOOL_FIELDS, ("name", "input_schema"))
        if tool.get("type") not in (None, "custom"):
            raise refuse(f"{where}.type", "the sandbox has no tools of the server's")
        if not isinstance(tool["name"], str) or not _TOOL_NAME.fullmatch(tool["name"]):
            raise refuse(f"{where}.name", "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'")
        schema = tool["input_schema"]
        if not isinstance(schema, dict) or schema.get("type") != "object":
            raise refuse(f"{where}.input_schema.type", "Input should be 'object'")
        check_cache_mark(where, tool.get("cache_control"))
    names = [tool["name"] for tool in value]
    if len(names) != len(set(names)):
        raise WireError("tools: Tool names must be unique.")


def _tool_choice(name: str, value: object) -> None:
    kind = value.get("type") if isinstance(value, dict) else None
    _one_of("auto", "any", "tool", "none")(f"{name}.type", kind)
    allowed = {"type"} if kind == "none" else {"type", "disable_parallel_tool_use"}
    required: tuple[str, ...] = ("type",)
    if kind == "tool":
        allowed, required = {*allowed, "name"}, ("type", "name")
    _fields(name, value, allowed, required)


def _thinking(name: str, value: object) -> None:
    if not isinstance(value, dict):
        raise refuse(name, "Input should be a valid dictionary")
    kind = value.get("type")
    _one_of("enabled", "adaptive", "disabled", "between_tools")(f"{name}.type", kind)
    allowed = {"type"} if kind in ("disabled", "between_tools") else {"type", "display"}
    if kind == "enabled":
        _fields(name, value, {*allowed, "budget_tokens"}, ("budget_tokens",))
        budget = value["budget_tokens"]
        if type(budget) is not int or budget < MIN_BUDGET_TOKENS:
            raise refuse(f"{name}.enabled.budget_tokens", "should be at least 1024")
    else:
        _fields(name, value, allowed, ())
    if value.get("display") is not None:
        _one_of("summarized", "omitted")(f"{name}.display", value["display"])


def _output_config(name: str, value: object) -> None:
    config = _fields(name, value, {"effort", "format"}, ())
    if config.get("effort") is not None:
        _one_of(*_EFFORTS)(f"{name}.effort", config["effort"])
    if config.get("format") is not None:
        where = f"{name}.format"
        form = _fields(where, config["format"], {"type", "schema"}, ("type", "schema"))
        _one_of("json_schema")(f"{where}.type", form["type"])
        if not isinstance(form["schema"], dict):
            raise refuse(f"{where}.schema", "Input should be a valid dictionary")
        _check_schema(f"{where}.schema", form["schema"])


def _check_schema(where: str, schema: Json) -> None:
    """Refuse what structured outputs cannot hold an answer to."""
    kind = schema.get("type")
    if kind == "object" and schema.get("additionalProperties") is not False:
        text = "For 'object' type, 'additionalProperties' must be explicitly set to false"
        raise refuse(where, text)
    for bound in _BOUNDS:
        if bound in schema:
            raise refuse(where, f"For '{kind}' type, property '{bound}' is not supported")
    inner = list((schema.get("properties") or {}).values())
    inner += (schema.get("$defs") or {}).values()
    inner += schema.get("anyOf") or schema.get("allOf") or []
    for part in [*inner, schema.get("items")]:
        if isinstance(part, dict):
            _check_schema(where, part)


_string = _typed("string", str)
_free = _typed("value", str, dict, type(None))

CHECKS: MappingProxyType[str, Check] = MappingProxyType(
    {
        "model": _string,
        "messages": _typed("list", list),
        "max_tokens": _range(0, 2**53, int),
        "system": _system,
        "stop_sequences": _stop_sequences,
        "stream": _typed("boolean", bool),
        "temperature": _range(0, 1, int, float),
        "top_p": _range(0, 1, int, float),
        "top_k": _range(0, 2**53, int),
        "tools": _tools,
        "tool_choice": _tool_choice,
        "thinking": _thinking,
        "output_config": _output_config,
        "metadata": _metadata,
        "service_tier": _one_of("auto", "standard_only"),
        "cache_control": check_cache_mark,
        "container": _free,
        "diagnostics": _free,
        "inference_geo": _free,
        "speed": _free,
    }
)


def check_request(wanted: Json, *, version: str, counting: bool) -> Traits:
    """Refuse what Anthropic would refuse; only the prompt is needed to count its tokens.

    Returns: the model. Raises: WireError.
    """
    required = ("model", "messages") if counting else ("model", "max_tokens", "messages")
    for name in required:
        if name not in wanted:
            raise refuse(name, "Field required")
    for name, value in wanted.items():
        check = CHECKS.get(name)
        if check is None or (name in _SAMPLING and version == NEWEST_VERSION):
            raise refuse(name, "Extra inputs are not permitted")
        check(name, value)
    model = find_model(wanted["model"])
    turns = check_messages(wanted["messages"], version=version)
    marks = len(cache_marks(wanted))
    if marks > MAX_CACHE_MARKS:
        raise WireError(
            f"A maximum of {MAX_CACHE_MARKS} blocks with cache_control may be provided. "
            f"Found {marks}."
        )
    _check_tools(wanted, model, turns)
    _check_thinking(wanted, model, turns)
    _check_for_model(wanted, model, turns)
    return model


def find_model(model_id: str) -> Traits:
    """Find a model. Raises: WireError, 404."""
    model = traits_of(model_id)
    if model is None:
        raise WireError(f"model: {model_id}", status=404)
    return model


def _check_tools(wanted: Json, model: Traits, turns: list[Turn]) -> None:
    tools = [tool["name"] for tool in wanted.get("tools") or ()]
    used = any(block["type"].startswith("tool_") for turn in turns for _, block in turn.blocks)
    if used and not tools:
        raise WireError(
            "Requests which include `tool_use` or `tool_result` blocks must define tools"
        )
    choice = wanted.get("tool_choice")
    if choice is None:
        return
    if not tools:
        raise refuse("tool_choice", "may only be specified while providing tools")
    if choice["type"] == "tool" and choice["name"] not in tools:
        raise WireError(f"Tool '{choice['name']}' not found in provided tools")
    if not forces_tool(wanted):
        return
    if not model.forced_tools:
        raise refuse("tool_choice", 'type "tool" and "any" are not supported for this model.')
    if (wanted.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        raise WireError("Thinking may not be enabled when tool_choice forces tool use.")


def forces_tool(wanted: Json) -> bool:
    """Tell whether the answer has to be a tool call."""
    return (wanted.get("tool_choice") or {}).get("type") in ("any", "tool")


def _check_thinking(wanted: Json, model: Traits, turns: list[Turn]) -> None:
    thinking = wanted.get("thinking") or {}
    kind = thinking.get("type")
    if kind is not None and kind not in model.thinking:
        raise WireError(f'"thinking.type.{kind}" is not supported for this model.')
    if kind != "enabled":
        return
    if thinking["budget_tokens"] >= wanted.get("max_tokens", 2**53):
        raise WireError("`max_tokens` must be greater than `thinking.budget_tokens`.")
    spoken = [turn for turn in turns if turn.role == "assistant" and list(turn.of_type("tool_use"))]
    if spoken and not spoken[-1].blocks[0][1]["type"].endswith("thinking"):
        raise refuse(
            spoken[-1].blocks[0][0],
            "Expected `thinking` or `redacted_thinking`. When `thinking` is enabled, a final "
            "`assistant` message must start with a thinking block.",
        )


def _check_for_model(wanted: Json, model: Traits, turns: list[Turn]) -> None:
    if wanted.get("max_tokens", 0) > model.max_tokens:
        raise refuse("max_tokens", f"{wanted['max_tokens']} > {model.max_tokens}")
    effort = (wanted.get("output_config") or {}).get("effort")
    if effort is not None and effort not in model.efforts:
        raise WireError(f'"output_config.effort" value "{effort}" is not supported for this model')
    if not model.sampling:
        _check_sampling(wanted)
    if turns[-1].role != "assistant":
        return
    if not model.prefill:
        raise WireError(
            "This model does not support assistant message prefill. The conversation must end with "
            "a user message."
        )
    last = turns[-1].blocks[-1][1] if turns[-1].blocks else {"type": "none"}
    if last["type"] == "text" and last["text"] != last["text"].rstrip():
        raise WireError("messages: final assistant content cannot end with trailing whitespace")


def _check_sampling(wanted: Json) -> None:
    """Refuse sampling other than the default, where only the older version lets it through."""
    wrong = {
        "temperature": wanted.get("temperature", 1) != 1,
        "top_p": wanted.get("top_p", 1) < 0.99,
        "top_k": "top_k" in wanted,
    }
    for name, refused in wrong.items():
        if refused:
            raise refuse(name, "not supported for this model")
