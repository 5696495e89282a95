"""Items of a conversation become messages in the form that all providers are asked in.

What an assistant said in several items (its reasoning, its words, its calls) is one message there.
What a tool gave back is text there: its images and files follow in a message of the user's.
"""

from collections.abc import Iterable

from gateway.operations.chat_messages import (
    AssistantMessage,
    CalledCustomTool,
    CalledFunction,
    CustomCallPart,
    FileData,
    FilePart,
    FunctionCallPart,
    ImageAddress,
    ImagePart,
    Message,
    RefusalPart,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
)
from gateway.operations.json_body import check_numbers
from gateway.surfaces.responses.items import (
    AssistantItem,
    CallOutputItem,
    CustomCallItem,
    FunctionCallItem,
    InputFile,
    InputImage,
    InputItem,
    InputPart,
    InputText,
    InstructionsItem,
    OutputPart,
    OutputRefusal,
    ReasoningItem,
    UserItem,
    refused,
)
from gateway.surfaces.responses.reasoning import unpack_blocks

_ELSEWHERE = "(shown in the next message)"
"""Stands in a tool's result where an image or a file stood."""

_UserPart = TextPart | ImagePart | FilePart
_SaidPart = TextPart | RefusalPart
_Call = FunctionCallPart | CustomCallPart


def messages_of(items: Iterable[InputItem]) -> list[Message]:
    """Give the messages of a conversation. Raises: InvalidRequest for what no message can hold."""
    conversation = _Conversation()
    for index, item in enumerate(items):
        conversation.add(item, f"input[{index}]")
    return conversation.finish()


class _Conversation:
    """Messages under way: what the assistant is saying, and what tools have shown, wait."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._said: _Said | None = None
        self._shown: list[_UserPart] = []

    def add(self, item: InputItem, place: str) -> None:
        if isinstance(item, CallOutputItem):
            self._end_said()
            self._messages.append(self._tool_message(item, place))
            return
        self._end_shown()
        if isinstance(item, UserItem):
            self._end_said()
            self._messages.append(_user_message(item, place))
        elif isinstance(item, InstructionsItem):
            self._end_said()
            self._messages.append(_instructions(item))
        else:
            self._say(item, place)

    def finish(self) -> list[Message]:
        self._end_said()
        self._end_shown()
        return self._messages

    def _say(
        self,
        item: AssistantItem | FunctionCallItem | CustomCallItem | ReasoningItem,
        place: str,
    ) -> None:
        if self._said is not None and self._said.is_before(item):
            self._end_said()
        if self._said is None:
            self._said = _Said()
        self._said.add(item, place)

    def _end_said(self) -> None:
        message = self._said.message() if self._said is not None else None
        if message is not None:
            self._messages.append(message)
        self._said = None

    def _end_shown(self) -> None:
        if self._shown:
            self._messages.append(UserMessage(content=list(self._shown)))
            self._shown = []

    def _tool_message(self, item: CallOutputItem, place: str) -> ToolMessage:
        """Give a result as text; images and files are put aside."""
        if isinstance(item.output, str):
            return ToolMessage(content=item.output, tool_call_id=item.call_id)
        texts: list[TextPart] = []
        shown: list[_UserPart] = []
        for index, part in enumerate(item.output):
            made = _user_part(part, f"{place}.output[{index}]")
            if isinstance(made, TextPart):
                texts.append(made)
            else:
                texts.append(TextPart(text=_ELSEWHERE))
                shown.append(made)
        if shown:
            whose = TextPart(text=f"Shown by the tool call {item.call_id}:")
            self._shown += [whose, *shown]
        alone = len(texts) == 1 and texts[0] == TextPart(text=texts[0].text)
        return ToolMessage(
            content=texts[0].text if alone else texts or "", tool_call_id=item.call_id
        )


class _Said:
    """One message of the assistant's, put together from its items."""

    def __init__(self) -> None:
        self._content: list[_SaidPart] | None = None
        self._calls: list[_Call] = []
        self._reasoning: list[str] = []
        self._message = AssistantMessage()

    def is_before(self, item: InputItem) -> bool:
        """Tell whether an item begins another message: reasoning and words do, behind words.

        What comes behind a call stays with it: its result must follow the message that called.
        """
        if self._calls or self._content is None:
            return False
        return isinstance(item, AssistantItem | ReasoningItem)

    def add(
        self,
        item: AssistantItem | FunctionCallItem | CustomCallItem | ReasoningItem,
        place: str,
    ) -> None:
        if isinstance(item, AssistantItem):
            self._content = [*(self._content or ()), *_said_parts(item.content)]
        elif isinstance(item, ReasoningItem):
            self._reason(item, place)
        else:
            self._calls.append(_call_part(item, place))

    def message(self) -> AssistantMessage | None:
        """Give the message; None if there is nothing but reasoning in it."""
        message = self._message
        if self._content is None and not self._calls:
            return None
        message.content = _said_content(self._content)
        message.tool_calls = self._calls or None
        if message.thinking_blocks is None:
            message.reasoning_content = "\n\n".join(self._reasoning) or None
        if message.content is None and not self._calls:
            message.content = ""
        return message

    def _reason(self, item: ReasoningItem, place: str) -> None:
        """Take what is usable of earlier reasoning: what was signed, else its text."""
        blocks = unpack_blocks(item.encrypted_content, f"{place}.encrypted_content")
        if blocks:
            self._message.thinking_blocks = [*(self._message.thinking_blocks or ()), *blocks]
        parts = item.content or item.summary or []
        self._reasoning += [part.text for part in parts if part.text]


def _user_message(item: UserItem, place: str) -> UserMessage:
    if isinstance(item.content, str):
        return UserMessage(content=item.content)
    places = (f"{place}.content[{index}]" for index in range(len(item.content)))
    return UserMessage(content=[*map(_user_part, item.content, places)])


def _user_part(part: InputPart, place: str) -> _UserPart:
    if isinstance(part, InputText):
        return _text_part(part)
    if part.file_id is not None:
        raise refused(f"{place}.file_id", "files are not kept here; send the file itself")
    if isinstance(part, InputImage):
        return _image_part(part, place)
    return _file_part(part, place)


def _text_part(part: InputText) -> TextPart:
    return TextPart(
        text=part.text,
        prompt_cache_breakpoint=part.prompt_cache_breakpoint,
        cache_control=part.cache_control,
    )


def _image_part(part: InputImage, place: str) -> ImagePart:
    if part.image_url is None:
        raise refused(f"{place}.image_url", "required")
    return ImagePart(
        image_url=ImageAddress(url=part.image_url, detail=part.detail),
        prompt_cache_breakpoint=part.prompt_cache_breakpoint,
        cache_control=part.cache_control,
    )


def _file_part(part: InputFile, place: str) -> FilePart:
    if part.file_url is not None:
        raise refused(f"{place}.file_url", "send the file itself as file_data")
    if part.file_data is None:
        raise refused(f"{place}.file_data", "required")
    return FilePart(
        file=FileData(filename=part.filename, file_data=part.file_data),
        prompt_cache_breakpoint=part.prompt_cache_breakpoint,
        cache_control=part.cache_control,
    )


def _instructions(item: InstructionsItem) -> SystemMessage:
    if isinstance(item.content, str):
        return SystemMessage(content=item.content)
    return SystemMessage(content=[_text_part(part) for part in item.content])


def _said_parts(content: str | list[OutputPart]) -> list[_SaidPart]:
    if isinstance(content, str):
        return [TextPart(text=content)]
    return [
        RefusalPart(refusal=part.refusal)
        if isinstance(part, OutputRefusal)
        else TextPart(text=part.text)
        for part in content
    ]


def _said_content(parts: list[_SaidPart] | None) -> str | list[_SaidPart] | None:
    """Give a single text as such: every provider takes that."""
    if parts and len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    return parts or None


def _call_part(item: FunctionCallItem | CustomCallItem, place: str) -> _Call:
    if item.is_async:
        raise refused(f"{place}.async", "calls that go on meanwhile are not supported here")
    if isinstance(item, CustomCallItem):
        return CustomCallPart(
            id=item.call_id, custom=CalledCustomTool(name=item.name, input=item.input)
        )
    check_numbers(item.extra_content)
    return FunctionCallPart(
        id=item.call_id,
        function=CalledFunction(name=item.name, arguments=item.arguments),
        extra_content=item.extra_content,
    )
