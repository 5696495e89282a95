"""One request of OpenAI's Responses API, read strictly, and the chat that it asks for.

Source: `openai` Python SDK 3.52.0 (`types/responses/response_create_params.py`); github
openai/openai-openapi v2.3.0 (2026-08-21), CreateResponse, for the ranges.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.operations.chat import ChatRequest
from gateway.operations.chat_messages import Message, SystemMessage, UserMessage
from gateway.operations.chat_request import PromptCacheOptions, StreamOptions
from gateway.operations.json_body import MAX_INTEGER, read_body
from gateway.surfaces.responses.items import read_item, refused, word
from gateway.surfaces.responses.tools import (
    Choice,
    Format,
    PlainFormat,
    Tool,
    chat_choice,
    chat_format,
    chat_tool,
    read_tool,
    shown_tool,
)
from gateway.surfaces.responses.turns import messages_of

_LOGPROBS = "message.output_text.logprobs"
_HARMLESS = (_LOGPROBS, "reasoning.encrypted_content", "message.input_image.image_url")
"""What may be included: carried, given anyway, or of stored responses only."""
_REFUSED = {
    "previous_response_id": "nothing is stored here; send the earlier items in input",
    "conversation": "nothing is stored here; send the earlier items in input",
    "prompt": "templates are not kept here; send their text in instructions and input",
    "context_management": "nothing is compacted here; shorten input yourself",
    "moderation": "answers are not moderated here; moderate them in a call of its own",
    "image": "images are passed on as they are; leave it out",
    "access_programs": "access programs cannot be used here; leave it out",
}
_Count = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]


class _Options(Struct, forbid_unknown_fields=True, kw_only=True):
    """An object of settings whose fields are all listed. Null counts as absent."""


class StreamSettings(_Options):
    """What a stream carries beside the answer; nothing is padded here."""

    include_obfuscation: bool | None = None


class TextSettings(_Options):
    """The form of the answer's text, and how much of it there is."""

    format: Format | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningSettings(_Options):
    """How much the model reasons.

    Asked for a summary, visible reasoning is given as one; models show what they show.
    """

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: Literal["auto"] | None = None
    mode: Literal["standard"] | None = None


class ResponseBody(_Options):
    """The body of `POST /v1/responses`. Items and tools are read one by one.

    Fields of type Any are refused unless they are null.
    """

    input: str | list[Raw] | None = None
    model: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    instructions: str | None = None
    stream: bool | None = None
    stream_options: StreamSettings | None = None
    max_output_tokens: _Count | None = None
    max_tool_calls: _Count | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: list[Raw] | None = None
    tool_choice: Choice | None = None
    parallel_tool_calls: bool | None = None
    text: TextSettings | None = None
    reasoning: ReasoningSettings | None = None
    include: list[str] | None = None
    metadata: (
        Annotated[
            dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]],
            Meta(max_length=16),
        ]
        | None
    ) = None
    user: str | None = None
    safety_identifier: Annotated[str, Meta(max_length=64)] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    store: bool | None = None
    truncation: Literal["auto", "disabled"] | None = None
    background: bool | None = None
    previous_response_id: Any = None
    conversation: Any = None
    prompt: Any = None
    context_management: Any = None
    moderation: Any = None
    image: Any = None
    access_programs: Any = None


class Asked(Struct, frozen=True, kw_only=True):
    """What a request asks for: the chat, and what its answer repeats of it.

    `summarizes` says whether visible reasoning is given as a summary.
    """

    chat: ChatRequest
    shown: dict[str, Any]
    summarizes: bool


_BODY = msgspec.json.Decoder(ResponseBody)


def read_response(body: bytes) -> Asked:
    """Read the body of `POST /v1/responses`.

    Raises: InvalidRequest for every body that is not exactly one, whatever its bytes.
    """
    wanted = read_body(_BODY, body)
    _check_absent(wanted)
    _check_settings(wanted)
    tools = [read_tool(raw, f"tools[{index}]") for index, raw in enumerate(wanted.tools or ())]
    reasoning = wanted.reasoning or ReasoningSettings()
    return Asked(
        chat=_chat_of(wanted, tools),
        shown=_shown_of(wanted, tools),
        summarizes=(reasoning.summary or reasoning.generate_summary) is not None,
    )


def _check_absent(wanted: ResponseBody) -> None:
    """Refuse what nobody here can do, and say what to do instead. Raises: InvalidRequest."""
    for name, reason in _REFUSED.items():
        if getattr(wanted, name) is not None:
            raise refused(name, reason)
    if wanted.input is None:
        raise refused("input", "required")


def _check_settings(wanted: ResponseBody) -> None:
    """Refuse the values of settings that cannot be had. Raises: InvalidRequest."""
    if wanted.background:
        raise refused("background", "nothing is stored here; wait for the answer or stream it")
    if wanted.truncation == "auto":
        raise refused("truncation", "nothing is cut off here; shorten input yourself")
    if wanted.stream_options is not None and not wanted.stream:
        raise refused("stream_options", "only allowed when stream is true")
    for index, name in enumerate(wanted.include or ()):
        if name not in _HARMLESS:
            raise refused(f"include[{index}]", f"{word(name)} cannot be had here")


def _chat_of(wanted: ResponseBody, tools: list[Tool]) -> ChatRequest:
    text, reasoning = wanted.text or TextSettings(), wanted.reasoning or ReasoningSettings()
    chat = ChatRequest(
        messages=_messages_of(wanted),
        model=wanted.model,
        max_completion_tokens=wanted.max_output_tokens,
        temperature=wanted.temperature,
        top_p=wanted.top_p,
        tools=[chat_tool(tool) for tool in tools] or None,
        parallel_tool_calls=wanted.parallel_tool_calls,
        response_format=chat_format(text.format),
        verbosity=text.verbosity,
        reasoning_effort=reasoning.effort,
        user=wanted.user,
        safety_identifier=wanted.safety_identifier,
        prompt_cache_key=wanted.prompt_cache_key,
        prompt_cache_options=wanted.prompt_cache_options,
        prompt_cache_retention=wanted.prompt_cache_retention,
        service_tier=wanted.service_tier,
    )
    if wanted.tool_choice is not None:
        chat.tool_choice = chat_choice(wanted.tool_choice)
    if wanted.stream:
        chat.stream = True
        chat.stream_options = StreamOptions(include_usage=True)
    if wanted.top_logprobs or _LOGPROBS in (wanted.include or ()):
        chat.logprobs = True
        chat.top_logprobs = wanted.top_logprobs
    return chat


def _messages_of(wanted: ResponseBody) -> list[Message]:
    """Give the conversation, instructions first. Raises: InvalidRequest if there is none."""
    given = wanted.input if wanted.input is not None else ""
    if isinstance(given, str):
        messages: list[Message] = [UserMessage(content=given)]
    else:
        messages = messages_of(read_item(raw, f"input[{index}]") for index, raw in enumerate(given))
        if not messages:
            raise refused("input", "holds nothing to answer")
    if wanted.instructions:
        messages.insert(0, SystemMessage(content=wanted.instructions))
    return messages


def _shown_of(wanted: ResponseBody, tools: list[Tool]) -> dict[str, Any]:
    """Give what an answer repeats of its request, every field of it."""
    text, reasoning = wanted.text or TextSettings(), wanted.reasoning or ReasoningSettings()
    cache = wanted.prompt_cache_options
    return {
        "background": False,
        "conversation": None,
        "instructions": wanted.instructions,
        "max_output_tokens": wanted.max_output_tokens,
        "max_tool_calls": wanted.max_tool_calls,
        "metadata": wanted.metadata or {},
        "moderation": None,
        "parallel_tool_calls": wanted.parallel_tool_calls is not False,
        "previous_response_id": None,
        "prompt": None,
        "prompt_cache_key": wanted.prompt_cache_key,
        "prompt_cache_options": None
        if cache is None
        else {"mode": cache.mode or "implicit", "ttl": cache.ttl or "30m"},
        "prompt_cache_retention": wanted.prompt_cache_retention,
        "reasoning": {
            "effort": reasoning.effort,
            "summary": reasoning.summary or reasoning.generate_summary,
        },
        "safety_identifier": wanted.safety_identifier,
        "store": False,
        "temperature": wanted.temperature,
        "text": {"format": text.format or PlainFormat(), "verbosity": text.verbosity},
        "tool_choice": wanted.tool_choice or "auto",
        "tools": [shown_tool(tool) for tool in tools],
        "top_logprobs": wanted.top_logprobs or 0,
        "top_p": wanted.top_p,
        "truncation": "disabled",
        "user": wanted.user,
    }
