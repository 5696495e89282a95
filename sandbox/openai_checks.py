"""Which chat requests OpenAI refuses, and in which words.

Source: github openai/openai-openapi v2.3.0 (2026-08-21), CreateChatCompletionRequest; `openai`
Python SDK 3.52.0. The wording follows replies of the live API; only `type`, `param` and `code`
are worth a test.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from sandbox.messages import Headers, Json

Check = Callable[[str, object], None]

ROLES = ("system", "assistant", "user", "function", "tool", "developer")
PARTS = ("text", "image_url", "input_audio", "file", "refusal")
MODEL_PREFIXES = ("gpt-", "o1", "o3", "o4", "chatgpt-")


class WireError(Exception):
    """An answer other than 200, with OpenAI's four keys."""

    def __init__(  # noqa: PLR0913 - the four keys of the body, and how it travels
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int = 400,
        kind: str = "invalid_request_error",
        headers: Headers | None = None,
    ) -> None:
        super().__init__(message)
        error = {"message": message, "type": kind, "param": param, "code": code}
        self.body: Json = {"error": error}
        self.status = status
        self.headers = headers or []


def _article(value: object) -> str:
    names = {bool: "a boolean", str: "a string", list: "an array", dict: "an object"}
    if isinstance(value, float):
        return "a decimal"
    return names.get(type(value), "an integer")


def _wrong_type(name: str, expected: str, value: object) -> WireError:
    message = f"Invalid type for '{name}': expected {expected}, but got {_article(value)} instead."
    return WireError(message, param=name, code="invalid_type")


def _typed(expected: str, *types: type) -> Check:
    def check(name: str, value: object) -> None:
        if type(value) not in types:
            raise _wrong_type(name, expected, value)

    return check


_boolean = _typed("a boolean", bool)
_string = _typed("a string", str)
_object = _typed("an object", dict)
_array = _typed("an array", list)


def _between(low: float, high: float | None, *types: type) -> Check:
    expected = "a decimal" if float in types else "an integer"
    noun = expected.split()[-1]

    def check(name: str, value: object) -> None:
        if type(value) not in types or not isinstance(value, int | float):
            raise _wrong_type(name, expected, value)
        if value < low:
            wish, code = f">= {low}", f"{noun}_below_min_value"
        elif high is not None and value > high:
            wish, code = f"<= {high}", f"{noun}_above_max_value"
        else:
            return
        message = (
            f"Invalid '{name}': {noun} out of range. Expected a value {wish}, but got {value}."
        )
        raise WireError(message, param=name, code=code)

    return check


def _one_of(*values: str) -> Check:
    def check(name: str, value: object) -> None:
        _string(name, value)
        if value not in values:
            supported = ", ".join(f"'{v}'" for v in values)
            message = f"Invalid value: '{value}'. Supported values are: {supported}."
            raise WireError(message, param=name, code="invalid_value")

    return check


def _up_to_characters(limit: int) -> Check:
    def check(name: str, value: object) -> None:
        if not isinstance(value, str):
            raise _wrong_type(name, "a string", value)
        if len(value) > limit:
            message = f"Invalid '{name}': string too long. Expected at most {limit} characters."
            raise WireError(message, param=name, code="string_above_max_length")

    return check


def _stop(name: str, value: object) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong_type(name, "one of an array of strings or a string", value)
    if not 1 <= len(value) <= 4:
        code = "array_above_max_length" if value else "empty_array"
        message = f"Invalid '{name}': expected an array of 1 to 4 strings, but got {len(value)}."
        raise WireError(message, param=name, code=code)


def _metadata(name: str, value: object) -> None:
    if not isinstance(value, dict):
        raise _wrong_type(name, "an object", value)
    if len(value) > 16:
        message = f"Invalid '{name}': too many properties. Expected at most 16."
        raise WireError(message, param=name, code="object_above_max_properties")
    for key, item in value.items():
        _up_to_characters(64)(f"{name}.{key}"[:80], key)
        _up_to_characters(512)(f"{name}.{key}", item)


def _tools(name: str, value: object) -> None:
    if not isinstance(value, list):
        raise _wrong_type(name, "an array of objects", value)
    for index, tool in enumerate(value):
        where = f"{name}[{index}]"
        _object(where, tool)
        kind = _required(tool, "type", where)
        _one_of("function", "custom")(f"{where}.type", kind)
        body = _required(tool, kind, where)
        _object(f"{where}.{kind}", body)
        _string(f"{where}.{kind}.name", _required(body, "name", f"{where}.{kind}"))


def _tool_choice(name: str, value: object) -> None:
    if isinstance(value, dict):
        kind = _required(value, "type", name)
        _one_of("function", "custom", "allowed_tools")(f"{name}.type", kind)
        _object(f"{name}.{kind}", _required(value, kind, name))
    else:
        _one_of("none", "auto", "required")(name, value)


def _response_format(name: str, value: object) -> None:
    if not isinstance(value, dict):
        raise _wrong_type(name, "an object", value)
    kind = _required(value, "type", name)
    _one_of("json_object", "json_schema", "text")(f"{name}.type", kind)
    if kind == "json_schema":
        body = _required(value, "json_schema", name)
        _object(f"{name}.json_schema", body)
        _string(f"{name}.json_schema.name", _required(body, "name", f"{name}.json_schema"))


def _required(holder: Json, name: str, where: str) -> Any:  # noqa: ANN401 - a JSON border
    if holder.get(name) is None:
        path = f"{where}.{name}"
        message = f"Missing required parameter: '{path}'."
        raise WireError(message, param=path, code="missing_required_parameter")
    return holder[name]


def _messages(name: str, value: object) -> None:
    if not isinstance(value, list):
        raise _wrong_type(name, "an array of objects", value)
    if not value:
        message = f"Invalid '{name}': empty array. Expected an array with minimum length 1."
        raise WireError(message, param=name, code="empty_array")
    called: set[str] = set()
    for index, message in enumerate(value):
        where = f"{name}[{index}]"
        _object(where, message)
        role = message.get("role")
        if role not in ROLES:
            _one_of(*ROLES)(f"{where}.role", _required(message, "role", where))
        if role == "assistant":
            called.update(_called_ids(message, where))
        elif role == "tool":
            _tool_result(message, where, called)
        _content(message, where, optional=role == "assistant")


def _called_ids(message: Json, where: str) -> list[str]:
    calls = message.get("tool_calls") or []
    _array(f"{where}.tool_calls", calls)
    for index, call in enumerate(calls):
        _object(f"{where}.tool_calls[{index}]", call)
        _string(f"{where}.tool_calls[{index}].id", call.get("id"))
    return [call["id"] for call in calls]


def _tool_result(message: Json, where: str, called: set[str]) -> None:
    call_id = _required(message, "tool_call_id", where)
    _string(f"{where}.tool_call_id", call_id)
    if call_id not in called:
        text = (
            "Invalid parameter: messages with role 'tool' must be a response to a preceding "
            "message with 'tool_calls'."
        )
        raise WireError(text, param=f"{where}.role")


def _content(message: Json, where: str, *, optional: bool) -> None:
    content = message.get("content")
    if type(content) is str:
        return
    where = f"{where}.content"
    if content is None:
        # Source: ChatCompletionRequestAssistantMessage: required without tool or function calls.
        if not (optional and (message.get("tool_calls") or message.get("function_call"))):
            _required(message, "content", where.removesuffix(".content"))
        return
    if not isinstance(content, list):
        raise _wrong_type(where, "one of a string or array of objects", content)
    for index, part in enumerate(content):
        _part(part, f"{where}[{index}]")


def _part(part: Json, where: str) -> None:
    _object(where, part)
    kind = part.get("type")
    if kind not in PARTS:
        _one_of(*PARTS)(f"{where}.type", _required(part, "type", where))
    body = _required(part, str(kind), where)
    if kind in ("text", "refusal"):
        _string(f"{where}.{kind}", body)
        return
    _object(f"{where}.{kind}", body)
    if kind == "image_url":
        _string(f"{where}.image_url.url", _required(body, "url", f"{where}.image_url"))
        _one_of("auto", "low", "high", "original")(f"{where}.detail", body.get("detail", "auto"))
    elif kind == "input_audio":
        _string(f"{where}.input_audio.data", _required(body, "data", f"{where}.input_audio"))


_number = (int, float)
_tokens = _between(1, None, int)

CHECKS: MappingProxyType[str, Check] = MappingProxyType(
    {
        "model": _string,
        "messages": _messages,
        "temperature": _between(0, 2, *_number),
        "top_p": _between(0, 1, *_number),
        "n": _between(1, 128, int),
        "max_completion_tokens": _tokens,
        "max_tokens": _tokens,
        "stop": _stop,
        "presence_penalty": _between(-2, 2, *_number),
        "frequency_penalty": _between(-2, 2, *_number),
        "logit_bias": _object,
        "logprobs": _boolean,
        "top_logprobs": _between(0, 20, int),
        "seed": _between(-(2**63), 2**63, int),
        "response_format": _response_format,
        "tools": _tools,
        "tool_choice": _tool_choice,
        "parallel_tool_calls": _boolean,
        "stream": _boolean,
        "stream_options": _object,
        "reasoning_effort": _one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"),
        "verbosity": _one_of("low", "medium", "high"),
        "service_tier": _one_of("auto", "default", "flex", "scale", "priority", "fast"),
        "modalities": _array,
        "audio": _object,
        "prediction": _object,
        "store": _boolean,
        "metadata": _metadata,
        "user": _string,
        "safety_identifier": _up_to_characters(64),
        "prompt_cache_key": _string,
        "prompt_cache_options": _object,
        "prompt_cache_retention": _one_of("in_memory", "24h"),
        "web_search_options": _object,
        "moderation": _object,
        "functions": _array,
        "function_call": _typed("one of a string or an object", str, dict),
    }
)


def check_request(wanted: Json) -> None:
    """Refuse what OpenAI would refuse.

    Raises: WireError.
    """
    for name, value in wanted.items():
        check = CHECKS.get(name)
        if check is None:
            text = f"Unknown parameter: '{name}'."
            raise WireError(text, param=name, code="unknown_parameter")
        if value is not None:
            check(name, value)
    for name in ("model", "messages"):
        if wanted.get(name) is None:
            text = f"Missing required parameter: '{name}'."
            raise WireError(text, param=name, code="missing_required_parameter")
    check_model(wanted["model"])
    _check_together(wanted)
    _check_for_model(wanted)


def check_model(model: str) -> None:
    """Refuse a model that is not OpenAI's by its name.

    Raises: WireError, 404.
    """
    if not model.startswith(MODEL_PREFIXES):
        text = f"The model `{model}` does not exist or you do not have access to it."
        raise WireError(text, code="model_not_found", status=404)


def _check_together(wanted: Json) -> None:
    """Refuse fields that exclude or need each other."""
    if wanted.get("stream_options") is not None and not wanted.get("stream"):
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise WireError(text, param="stream_options")
    if wanted.get("top_logprobs") is not None and not wanted.get("logprobs"):
        text = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."
        raise WireError(text, param="top_logprobs")
    if wanted.get("max_tokens") is not None and wanted.get("max_completion_tokens") is not None:
        text = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise WireError(text, param="max_tokens", code="invalid_parameter_combination")
    for name in ("tool_choice", "parallel_tool_calls"):
        if wanted.get(name) not in (None, "none") and not wanted.get("tools"):
            text = (
                f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified."
            )
            raise WireError(text, param=name)


def _check_for_model(wanted: Json) -> None:
    """Refuse what the spec says reasoning models do not take (`max_tokens`, `stop`)."""
    model: str = wanted["model"]
    if model[0] != "o":
        return
    refused = ["max_tokens"]
    if model.startswith(("o3", "o4-mini")):
        refused.append("stop")
    for name in refused:
        if wanted.get(name) is not None:
            text = f"Unsupported parameter: '{name}' is not supported with this model."
            raise WireError(text, param=name, code="unsupported_parameter")
