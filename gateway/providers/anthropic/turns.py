"""Messages of OpenAI's form as turns of blocks.

Instructions leave the conversation for `system`, wherever they stood. A tool's result stands in the
turn right behind its call, in front of what the user says, wherever it came. Texts of nothing but
white space are left out: the API refuses them.
Source: platform.claude.com/docs, Handle tool calls; the API's own refusals.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from gateway.operations.chat_messages import (
    AssistantMessage,
    CalledFunction,
    DeveloperMessage,
    FilePart,
    FunctionCallPart,
    FunctionMessage,
    ImagePart,
    Message,
    RedactedThinkingBlock,
    RefusalPart,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
)
from gateway.providers.anthropic.media import Block, file_block, image_block, marked, refused

_NO_ID = re.compile(r"[^a-zA-Z0-9_-]")
_ARGUMENTS = msgspec.json.Decoder(dict[str, Any])
_NO_ARGUMENTS = Raw(b"{}")


class Turn(Struct):
    """What one side says until the other speaks; results of tools come before all else."""

    role: str
    results: list[Block] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)


class Conversation(Struct):
    """A conversation in Anthropic's form; `called` are the tools that were called in it."""

    system: list[Block] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    called: dict[str, None] = field(default_factory=dict)

    def messages(self) -> list[Block]:
        """Write the turns in Anthropic's JSON."""
        return [
            {"role": turn.role, "content": [*turn.results, *turn.blocks]} for turn in self.turns
        ]

    def is_unsigned(self) -> bool:
        """Tell whether the last calls come without the thoughts that led to them."""
        for turn in reversed(self.turns):
            if any(block["type"] == "tool_use" for block in turn.blocks):
                return not str(turn.blocks[0]["type"]).endswith("thinking")
        return False


def read_conversation(messages: Sequence[Message]) -> Conversation:
    """Read messages in their order.

    Raises: InvalidRequest for arguments that are no JSON object, results without a call, and
    images and files that are none.
    """
    reader = _Reader()
    for index, message in enumerate(messages):
        reader.take(message, f"messages[{index}]")
    conversation = reader.conversation
    turns = [turn for turn in conversation.turns if turn.results or turn.blocks]
    if not turns:
        # Instructions alone are a prompt for OpenAI's models; here somebody has to speak.
        turns = [Turn("user", blocks=conversation.system)] if conversation.system else []
        conversation.system = []
    if not turns:
        raise refused("messages", "there is nothing but empty text")
    conversation.turns = turns
    return conversation


def wire_id(call_id: str) -> str:
    """Give the id that a call has at Anthropic's; `call_` stands for its `toolu_`."""
    plain = _NO_ID.sub("_", call_id) or "_"
    return f"toolu_{plain[5:]}" if plain.startswith("call_") else plain


def shown_id(call_id: str) -> str:
    """Give the id that callers see; `wire_id` turns it back into what it was."""
    return f"call_{call_id[6:]}" if call_id.startswith("toolu_") else call_id


class _Reader:
    """A conversation on its way: which calls wait for a result, and where that goes."""

    def __init__(self) -> None:
        self.conversation = Conversation()
        self._waiting: dict[str, tuple[str, Turn]] = {}
        self._used: set[str] = set()

    def take(self, message: Message, place: str) -> None:
        """Take the next message."""
        if isinstance(message, SystemMessage | DeveloperMessage):
            self.conversation.system += _texts(message.content)
        elif isinstance(message, UserMessage):
            self._turn("user").blocks += _user_blocks(message, place)
        elif isinstance(message, AssistantMessage):
            self._take_answer(message, place)
        elif isinstance(message, ToolMessage):
            blocks = _texts(message.content)
            self._take_result(message.tool_call_id, blocks, f"{place}.tool_call_id")
        else:
            self._take_function_result(message, place)

    def _turn(self, role: str) -> Turn:
        turns = self.conversation.turns
        if not turns or turns[-1].role != role:
            turns.append(Turn(role))
        return turns[-1]

    def _take_answer(self, message: AssistantMessage, place: str) -> None:
        """Take what the assistant said and called, and make room for the results."""
        turn = self._turn("assistant")
        turn.blocks += [
            {"type": "redacted_thinking", "data": thought.data}
            if isinstance(thought, RedactedThinkingBlock)
            else {
                "type": "thinking",
                "thinking": thought.thinking,
                "signature": thought.signature,
            }
            for thought in message.thinking_blocks or ()
        ]
        turn.blocks += _texts(message.content) + _texts(message.refusal)
        calls = [
            (call.id, call.function, f"{place}.tool_calls[{index}].function")
            for index, call in enumerate(message.tool_calls or ())
            if isinstance(call, FunctionCallPart)
        ]
        if message.function_call is not None:
            name = message.function_call.name
            calls.append((_function_id(name), message.function_call, f"{place}.function_call"))
        if calls:
            results = Turn("user")
            for call_id, function, where in calls:
                turn.blocks.append(self._call(call_id, function, where, results))
            self.conversation.turns.append(results)

    def _call(self, call_id: str, function: CalledFunction, place: str, results: Turn) -> Block:
        """Write a call; an id that was used before, which the API refuses, becomes another one."""
        sent_id = wire_id(call_id)
        while sent_id in self._used:
            sent_id += "_"
        self._used.add(sent_id)
        self._waiting[call_id] = (sent_id, results)
        self.conversation.called[function.name] = None
        return {
            "type": "tool_use",
            "id": sent_id,
            "name": function.name,
            "input": _arguments(function.arguments, f"{place}.arguments"),
        }

    def _take_result(self, call_id: str, blocks: list[Block], place: str) -> None:
        if call_id not in self._waiting:
            raise refused(place, "no message before this one has a call of this id")
        sent_id, turn = self._waiting[call_id]
        result: Block = {"type": "tool_result", "tool_use_id": sent_id}
        if blocks:
            result["content"] = blocks
        turn.results.append(result)

    def _take_function_result(self, message: FunctionMessage, place: str) -> None:
        call_id = _function_id(message.name or "")
        self._take_result(call_id, _texts(message.content), f"{place}.name")


def _function_id(name: str) -> str:
    """Make the id of a deprecated function call, which has none."""
    return f"call_{name}"


def _arguments(text: str, place: str) -> Raw:
    """Check the arguments of a call and hand them on as they are."""
    if not text.strip():
        return _NO_ARGUMENTS
    try:
        _ARGUMENTS.decode(text)
    except msgspec.ValidationError as error:
        raise refused(place, "a JSON object is expected") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise refused(place, "this is not valid JSON") from error
    return Raw(text.encode())


def _texts(content: str | Sequence[TextPart | RefusalPart] | None) -> list[Block]:
    """Write texts as blocks."""
    if content is None or isinstance(content, str):
        return [{"type": "text", "text": content}] if content and content.strip() else []
    found = []
    for part in content:
        text = part.text if isinstance(part, TextPart) else part.refusal
        mark = part.cache_control if isinstance(part, TextPart) else None
        if text.strip():
            found.append(marked({"type": "text", "text": text}, mark))
    return found


def _user_blocks(message: UserMessage, place: str) -> list[Block]:
    if isinstance(message.content, str):
        return _texts(message.content)
    blocks: list[Block] = []
    for index, part in enumerate(message.content):
        where = f"{place}.content[{index}]"
        if isinstance(part, TextPart):
            blocks += _texts([part])
        elif isinstance(part, ImagePart):
            blocks.append(image_block(part, where))
        elif isinstance(part, FilePart):
            blocks.append(file_block(part, where))
        else:
            raise refused(where, "sound is not supported by this model")
    return blocks
