"""Tokens of a chat: what was used, and what may be used at most. No tokenizer: bytes bound tokens.

A byte-level tokenizer never makes more tokens than there are UTF-8 bytes: an honest ceiling.
"""

from operator import attrgetter
from typing import Literal

from msgspec import Struct

from gateway.operations.chat_messages import (
    AssistantMessage,
    AudioPart,
    DeveloperMessage,
    FilePart,
    FunctionCallPart,
    ImagePart,
    Message,
    RefusalPart,
    SystemMessage,
    TextPart,
    ThinkingBlock,
    UserMessage,
)
from gateway.operations.chat_request import ChatRequest

_BYTES_PER_TOKEN = 4
"""What English text has; used where a provider told no usage."""
_MESSAGE_TOKENS = 8
"""Around each message: role, name, separators (OpenAI counts 3 to 5)."""
_PRIMER_TOKENS = 32
"""Around the whole: the answer's opening and a provider's own preamble."""
_TOOL_TOKENS = 16
"""Around each tool, beyond its own JSON."""
_IMAGE_ESTIMATE_TOKENS = 765
"""An image of 1024 x 1024: 4 tiles of 170 tokens, and 85. Source: OpenAI's vision guide."""


class ChatUsage(Struct, frozen=True, kw_only=True):
    """What a chat used, in tokens ≥ 0.

    `input_tokens` includes `cached_input_tokens` and `cache_write_tokens`, `output_tokens` includes
    `reasoning_tokens`. `source` says who counted: the provider, or we (see `counted_tokens`).
    `provider_cost_ucr` is what the provider says the call cost us, in µcr, where it says so.
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    source: Literal["provider", "counted", "none"] = "provider"
    provider_cost_ucr: int | None = None


_SPOKEN = frozenset({UserMessage, SystemMessage, DeveloperMessage, AssistantMessage})
_ANSWER_FIELDS = tuple(
    name for name in AssistantMessage.__struct_fields__ if name not in ("name", "content")
)
_answer_fields = attrgetter(*_ANSWER_FIELDS)
_NO_ANSWER_FIELDS = (None,) * len(_ANSWER_FIELDS)
PLAIN_FIELDS = frozenset(
    {
        *("messages", "model", "kind", "stream", "stream_options", "temperature", "top_p"),
        *("max_completion_tokens", "max_tokens", "stop", "user"),
    }
)
"""What a plain chat may say: every provider serves it, and the price of tokens is all it costs."""
_ODD_FIELDS = tuple(name for name in ChatRequest.__struct_fields__ if name not in PLAIN_FIELDS)
_odd_fields = attrgetter(*_ODD_FIELDS)
_NO_ODD_FIELDS = (None,) * len(_ODD_FIELDS)


class ChatSize(Struct):
    """What the messages add up to: UTF-8 bytes of text, bytes of image addresses, images, files.

    `plain` is whether it is texts alone, and no field but `PLAIN_FIELDS` is set.
    """

    text_bytes: int = 0
    image_bytes: int = 0
    images: int = 0
    files: int = 0
    plain: bool = True


def counted_tokens(text_bytes: int) -> int:
    """Count tokens where the provider did not: one for each 4 bytes begun, at least 1."""
    return max(1, -(-text_bytes // _BYTES_PER_TOKEN))


def measure_chat(request: ChatRequest) -> ChatSize:
    """Add up the messages, once for all that is asked of them."""
    size = ChatSize(plain=_odd_fields(request) == _NO_ODD_FIELDS)
    for message in request.messages:
        content = message.content
        if _is_text(message):
            assert type(content) is str, "a text"
            size.text_bytes += len(content) if content.isascii() else len(content.encode())
        else:
            size.plain = False
            _add_message(size, message)
    return size


def input_token_ceiling(
    request: ChatRequest,
    body_bytes: int,
    *,
    image_tokens: int,
    context_tokens: int = 0,
    size: ChatSize | None = None,
) -> int:
    """Give the most input tokens this request can cost.

    `body_bytes` is the length of the request as it came, `image_tokens` the model's dearest image
    (from the catalogue): an image costs by its pixels, never by its base64. Sound counts by its
    bytes. A file may be compressed, so it may fill the model's whole context (`context_tokens`).
    `size` is what was measured already.
    """
    size = size or measure_chat(request)
    around = _PRIMER_TOKENS + _MESSAGE_TOKENS * len(request.messages) + size.images * image_tokens
    text_bytes = size.text_bytes
    if not size.plain and _has_extras(request):
        # Tools and schemas reach the model about as JSON: the body without its images bounds all.
        tools = len(request.tools or ()) + len(request.functions or ())
        around += _TOOL_TOKENS * tools
        text_bytes = max(text_bytes, body_bytes - size.image_bytes)
    ceiling = text_bytes + around
    return max(ceiling, context_tokens) if size.files else ceiling


def input_token_estimate(
    request: ChatRequest,
    *,
    image_tokens: int = _IMAGE_ESTIMATE_TOKENS,
    size: ChatSize | None = None,
) -> int:
    """Give the likely input tokens: what is charged where the provider told no usage."""
    size = size or measure_chat(request)
    around = _MESSAGE_TOKENS // 2 * len(request.messages) + size.images * image_tokens
    return counted_tokens(size.text_bytes) + around


def output_token_ceiling(
    request: ChatRequest, *, default_max_tokens: int, model_max_tokens: int | None
) -> int:
    """Give the most output tokens of *one* choice; the whole answer has at most this times `n`.

    That is what was asked for, else the default, and never more than the model can do.
    """
    wanted = request.max_completion_tokens or request.max_tokens or default_max_tokens
    return wanted if model_max_tokens is None else min(wanted, model_max_tokens)


def _has_extras(request: ChatRequest) -> bool:
    return bool(
        request.tools
        or request.functions
        or request.response_format
        or request.prediction
        or request.web_search_options
    )


def utf8_bytes(text: str | None) -> int:
    """Give the length of a text in UTF-8."""
    if not text:
        return 0
    return len(text) if text.isascii() else len(text.encode())


def _is_text(message: Message) -> bool:
    """Tell whether a message is a text and nothing else, as nearly all are."""
    kind = type(message)
    if type(message.content) is not str or message.name is not None or kind not in _SPOKEN:
        return False
    return kind is not AssistantMessage or _answer_fields(message) == _NO_ANSWER_FIELDS


def _add_message(size: ChatSize, message: Message) -> None:
    content = message.content
    if isinstance(content, str):
        size.text_bytes += utf8_bytes(content)
    elif content is not None:
        for part in content:
            _add_part(size, part)
    if message.name is not None:
        size.text_bytes += utf8_bytes(message.name)
    if isinstance(message, AssistantMessage):
        _add_answer(size, message)


def _add_part(
    size: ChatSize, part: TextPart | RefusalPart | ImagePart | AudioPart | FilePart
) -> None:
    if isinstance(part, TextPart):
        size.text_bytes += utf8_bytes(part.text)
    elif isinstance(part, ImagePart):
        size.images += 1
        size.image_bytes += utf8_bytes(part.image_url.url)
    elif isinstance(part, AudioPart):
        size.text_bytes += utf8_bytes(part.input_audio.data)
    elif isinstance(part, FilePart):
        size.files += 1
        size.text_bytes += utf8_bytes(part.file.file_data) + utf8_bytes(part.file.filename)
    else:
        size.text_bytes += utf8_bytes(part.refusal)


def _add_answer(size: ChatSize, message: AssistantMessage) -> None:
    """Add what an earlier answer holds beside its content."""
    size.text_bytes += utf8_bytes(message.refusal) + utf8_bytes(message.reasoning_content)
    for block in message.thinking_blocks or ():
        size.text_bytes += utf8_bytes(
            block.thinking if isinstance(block, ThinkingBlock) else block.data
        )
    if message.function_call is not None:
        size.text_bytes += utf8_bytes(message.function_call.name)
        size.text_bytes += utf8_bytes(message.function_call.arguments)
    for call in message.tool_calls or ():
        size.text_bytes += utf8_bytes(call.id)
        if isinstance(call, FunctionCallPart):
            size.text_bytes += utf8_bytes(call.function.name) + utf8_bytes(call.function.arguments)
        else:
            size.text_bytes += utf8_bytes(call.custom.name) + utf8_bytes(call.custom.input)
