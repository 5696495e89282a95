"""Which chat requests xAI refuses, and in which of its two forms.

Source: xAI's REST API, OpenAPI 1.0.0 (stored copy of 2026), ChatRequest; docs.x.ai, Debugging
Errors, May 15 retirement; LiteLLM 1.109.1 `llms/xai`. The wording follows replies of the live API.
Stricter than it: an unknown field is refused, to show what a client must leave out.
"""

from types import MappingProxyType

from sandbox.messages import Headers, Json
from sandbox.openai_checks import CHECKS, WireError

_FIELDS = frozenset(
    (
        *("model", "messages", "temperature", "top_p", "n", "max_completion_tokens", "max_tokens"),
        *("stop", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "seed"),
        *("top_logprobs", "response_format", "tools", "tool_choice", "parallel_tool_calls", "user"),
        *("stream", "stream_options", "reasoning_effort", "deferred", "search_parameters"),
        *("web_search_options",),
    )
)
_REFUSED_BY_GROK_4 = MappingProxyType(
    {
        "stop": "stop",
        "presence_penalty": "presencePenalty",
        "frequency_penalty": "frequencyPenalty",
    }
)
_RETIRED = ("grok-3", "grok-4-fast", "grok-4-1-fast", "grok-4-0709", "grok-code-fast-1")
_PARTS = ("text", "image_url")
_EFFORTS = ("none", "low", "medium", "high")
BAD_ARGUMENT = "Client specified an invalid argument"
CODES = MappingProxyType(
    {
        400: BAD_ARGUMENT,
        401: "Unauthenticated",
        403: "The caller does not have permission to execute the specified operation",
        404: "Some requested entity was not found",
        422: BAD_ARGUMENT,
        429: "Some resource has been exhausted",
    }
)


class XAIError(WireError):
    """An answer other than 200: a text beside a code, or an object like OpenAI's."""

    def __init__(self, message: str, *, status: int = 400, headers: Headers | None = None) -> None:
        super().__init__(message, status=status, headers=headers)
        if status < 500:
            self.body = {"code": CODES.get(status, BAD_ARGUMENT), "error": message}
        else:
            error = {"message": message, "type": "server_error", "param": None, "code": None}
            self.body = {"error": error}


def check_request(wanted: Json) -> None:
    """Refuse what xAI would refuse.

    Raises: XAIError.
    """
    for name in ("messages", "model"):
        if wanted.get(name) is None:
            raise _unreadable(f"missing field `{name}`")
    for name, value in wanted.items():
        if name not in _FIELDS:
            raise _unreadable(f"unknown field `{name}`")
        if value is not None and name in CHECKS:
            _check_as_openai(name, value)
    check_model(wanted["model"])
    _check_messages(wanted["messages"])
    _check_tools(wanted.get("tools") or [])
    _check_options(wanted)


def check_model(model: str) -> None:
    """Refuse a model that is not xAI's by its name, or no more.

    Raises: XAIError, 404.
    """
    if not model.startswith("grok-") or model.startswith(_RETIRED):
        text = f"The model {model} does not exist or your team sandbox does not have access to it."
        raise XAIError(text, status=404)


def _unreadable(what: str) -> XAIError:
    text = f"Failed to deserialize the JSON body into the target type: {what}"
    return XAIError(text, status=422)


def _check_as_openai(name: str, value: object) -> None:
    try:
        CHECKS[name](name, value)
    except WireError as error:
        raise XAIError(error.body["error"]["message"]) from None


def _check_messages(messages: list[Json]) -> None:
    for index, message in enumerate(messages):
        if message["role"] == "developer":
            raise _unreadable(f"messages[{index}].role: unknown variant `developer`")
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part["type"] not in _PARTS:
                kind = part["type"]
                raise XAIError(f"messages[{index}]: content part {kind} is not supported.")


def _check_tools(tools: list[Json]) -> None:
    for index, tool in enumerate(tools):
        if tool["type"] != "function":
            raise _unreadable(f"tools[{index}].type: unknown variant `{tool['type']}`")
        if tool["function"].get("parameters") is None:
            raise _unreadable(f"tools[{index}].function: missing field `parameters`")


def _check_options(wanted: Json) -> None:
    model: str = wanted["model"]
    if wanted.get("deferred"):
        raise XAIError("Deferred completions are not available in the sandbox.")
    for name, called in _REFUSED_BY_GROK_4.items():
        if "grok-4" in model and wanted.get(name) is not None:
            raise XAIError(f"Model {model} does not support parameter {called}.")
    if wanted.get("logit_bias") is not None:
        raise XAIError(f"Model {model} does not support parameter logitBias.")
    if (wanted.get("top_logprobs") or 0) > 8:
        raise XAIError("top_logprobs must be between 0 and 8.")
    if isinstance(wanted.get("stop"), str):
        raise _unreadable("stop: invalid type: string, expected a sequence")
    _check_effort(model, wanted.get("reasoning_effort"))


def _check_effort(model: str, effort: str | None) -> None:
    if effort is None:
        return
    if "non-reasoning" in model:
        raise XAIError(f"Model {model} does not support parameter reasoningEffort.")
    if effort not in _EFFORTS:
        raise XAIError(f"Invalid reasoning effort: {effort}.")
