"""The items of a request's input, field for field as OpenAI documents them, and how each is read.

What no chat can carry has no field here, or is refused by name in `turns.py`.
Source: `openai` Python SDK 3.52.0 (`types/responses/*_param.py`).
"""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from gateway.operations.chat_messages import CacheBreakpoint, CacheControl
from gateway.operations.json_body import read_body
from studio.core.errors import InvalidRequest

_Id = Annotated[str, Meta(min_length=1, max_length=512)]
_Status = Literal["in_progress", "completed", "incomplete"]
_LONGEST_WORD = 100


class _Part(Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """A piece of content; its type tells which. Null counts as absent."""


class InputText(_Part, tag="input_text"):
    """A piece of text."""

    text: str
    prompt_cache_breakpoint: CacheBreakpoint | None = None
    cache_control: CacheControl | None = None


class InputImage(_Part, tag="input_image"):
    """An image by https address or as a `data:` URL."""

    image_url: Annotated[str, Meta(min_length=1)] | None = None
    detail: Literal["auto", "low", "high", "original"] | None = None
    file_id: str | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None
    cache_control: CacheControl | None = None


class InputFile(_Part, tag="input_file"):
    """A file in base64. How finely it is looked at cannot be said to every provider."""

    file_data: str | None = None
    filename: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    detail: Literal["auto"] | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None
    cache_control: CacheControl | None = None


class OutputText(_Part, tag="output_text"):
    """A piece of an earlier answer. What came along with it is not sent on."""

    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class OutputRefusal(_Part, tag="refusal"):
    """An earlier refusal."""

    refusal: str


class ReasoningText(_Part, tag="reasoning_text"):
    """A piece of reasoning."""

    text: str


class SummaryText(_Part, tag="summary_text"):
    """A piece of a summary of reasoning."""

    text: str


InputPart = InputText | InputImage | InputFile
OutputPart = OutputText | OutputRefusal | InputText


class Item(Struct, forbid_unknown_fields=True, kw_only=True):
    """An item of the input. Its id and its status are an answer's, and are not sent on."""

    type: str | None = None
    id: str | None = None
    status: _Status | None = None


class UserItem(Item, kw_only=True):
    """What the user said or showed."""

    role: Literal["user"]
    content: str | Annotated[list[InputPart], Meta(min_length=1)]
    phase: None = None


class InstructionsItem(Item, kw_only=True):
    """Instructions, at the head of a conversation or in the middle of it."""

    role: Literal["system", "developer"]
    content: str | Annotated[list[InputText], Meta(min_length=1)]
    phase: None = None


class AssistantItem(Item, kw_only=True):
    """What the assistant said. Chats do not know phases."""

    role: Literal["assistant"]
    content: str | list[OutputPart]
    phase: Literal["commentary", "final_answer"] | None = None


class DirectCaller(Struct, forbid_unknown_fields=True, kw_only=True):
    """The model itself called the tool."""

    type: Literal["direct"]


class _CallItem(Item, kw_only=True):
    """A call of a tool, or what it gave back."""

    call_id: _Id
    caller: DirectCaller | None = None
    namespace: None = None


class FunctionCallItem(_CallItem, kw_only=True):
    """A call of a function; `arguments` is JSON as text.

    `extra_content` is Google's thought signature, as our answers carry it.
    """

    name: _Id
    arguments: str
    extra_content: dict[str, Any] | None = None
    is_async: bool | None = field(default=None, name="async")


class CustomCallItem(_CallItem, kw_only=True):
    """A call of a custom tool, with its input as free text."""

    name: _Id
    input: str
    is_async: bool | None = field(default=None, name="async")


class CallOutputItem(_CallItem, kw_only=True):
    """What a function or a custom tool gave back."""

    output: str | list[InputPart]
    name: str | None = None


class ReasoningItem(Item):
    """Earlier reasoning; `encrypted_content` is ours, or another's and of no use here."""

    summary: list[SummaryText] | None = None
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None


InputItem = (
    UserItem
    | InstructionsItem
    | AssistantItem
    | FunctionCallItem
    | CustomCallItem
    | CallOutputItem
    | ReasoningItem
)


class Named(Struct):
    """What tells which item, or which tool, this is."""

    type: Any = None
    role: Any = None
    id: Any = None


_Wanted = TypeVar("_Wanted")
_NAMED = msgspec.json.Decoder(Named)
_BY_ROLE: dict[str, msgspec.json.Decoder[Any]] = {
    "user": msgspec.json.Decoder(UserItem),
    "system": msgspec.json.Decoder(InstructionsItem),
    "developer": msgspec.json.Decoder(InstructionsItem),
    "assistant": msgspec.json.Decoder(AssistantItem),
}
_BY_TYPE: dict[str, msgspec.json.Decoder[Any]] = {
    "function_call": msgspec.json.Decoder(FunctionCallItem),
    "function_call_output": msgspec.json.Decoder(CallOutputItem),
    "custom_tool_call": msgspec.json.Decoder(CustomCallItem),
    "custom_tool_call_output": msgspec.json.Decoder(CallOutputItem),
    "reasoning": msgspec.json.Decoder(ReasoningItem),
}


def read_item(raw: Raw, place: str) -> InputItem:
    """Read one item; a message needs no type. `place` names it in refusals.

    Raises: InvalidRequest.
    """
    named = read_names(raw, place)
    decoder: msgspec.json.Decoder[Any] | None
    if named.type in (None, "message"):
        decoder = _message_decoder(named, place)
    else:
        decoder = _BY_TYPE.get(word(named.type))
    if decoder is None:
        raise _refused_type(named, place)
    item: InputItem = read_piece(decoder, raw, place)
    return item


def _message_decoder(named: Named, place: str) -> msgspec.json.Decoder[Any]:
    decoder = _BY_ROLE.get(word(named.role))
    if decoder is not None:
        return decoder
    if named.type is None and named.role is None:
        raise _refused_type(named, place)
    raise refused(f"{place}.role", "one of user, assistant, system and developer is expected")


def _refused_type(named: Named, place: str) -> InvalidRequest:
    if named.type == "item_reference" or (named.type is None and named.id is not None):
        return refused(place, "nothing is stored here; send the item itself instead of its id")
    if named.type is None:
        return refused(f"{place}.type", "required")
    return refused(f"{place}.type", f"{word(named.type)} items have no place here")


def read_names(raw: Raw, place: str) -> Named:
    """Read what tells the kind of an object. Raises: InvalidRequest if it is none."""
    try:
        return _NAMED.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise refused(place, "an object is expected") from error


def read_piece(decoder: msgspec.json.Decoder[_Wanted], raw: Raw, place: str) -> _Wanted:
    """Read a piece of the body, whose place begins the name of any field that is refused.

    Raises: InvalidRequest.
    """
    try:
        return read_body(decoder, bytes(raw))
    except InvalidRequest as error:
        param = error.details.get("param")
        if param is None:
            raise
        text = f"{place}.{error.message}"
        raise InvalidRequest(text, details={"param": f"{place}.{param}"}) from error


def refused(param: str, reason: str) -> InvalidRequest:
    """Name the field at fault, and why."""
    return InvalidRequest(f"{param}: {reason}", details={"param": param})


def word(value: object) -> str:
    """Give a stranger's word in the length of a word."""
    return value[:_LONGEST_WORD] if isinstance(value, str) else "another kind"
