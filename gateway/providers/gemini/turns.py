"""Messages of OpenAI's form as contents of Google's.

Instructions leave the conversation for `systemInstruction`, wherever they stood. What a function
gave back stands in the turn right behind its call, wherever it came, and apart from what the user
says. Empty texts are left out. A call of Gemini 3 comes back with the signature of the thought that
led to it; the first call of a step without one gets the dummy that Google documents for calls its
models did not make.
Source: ai.google.dev/gemini-api/docs, Function calling, and Thought signatures, whose FAQ has the
dummy (quoted in github elastic/kibana pull 243463); OpenAI compatibility (where a call carries its
signature); `google-genai` 3.4.0, `types.py`, FunctionResponse (`output`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from gateway.operations.chat_messages import (
    AssistantMessage,
    AudioPart,
    CalledFunction,
    DeveloperMessage,
    FilePart,
    FunctionCallPart,
    FunctionMessage,
    ImagePart,
    Message,
    RefusalPart,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
)
from gateway.providers.gemini.media import Part, file_part, image_part, refused, sound_part

DUMMY_SIGNATURE = "skip_thought_signature_validator"
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_NO_ARGUMENTS = Raw(b"{}")
_UNREADABLE = (msgspec.DecodeError, RecursionError)


class Turn(Struct):
    """What one side says until the other speaks; what functions gave back is a turn of its own."""

    role: str
    parts: list[Part] = field(default_factory=list)
    answers_calls: bool = False


class Conversation(Struct):
    """A conversation in Google's form."""

    system: list[Part] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)

    def contents(self) -> list[Part]:
        """Write the turns in Google's JSON."""
        return [{"role": turn.role, "parts": turn.parts} for turn in self.turns]


def read_conversation(messages: Sequence[Message], *, signs: bool) -> Conversation:
    """Read messages in their order; `signs` is whether the model wants its signatures back.

    Raises: InvalidRequest for arguments that are no JSON object, results without a call, and
    images and files that are none.
    """
    reader = _Reader()
    for index, message in enumerate(messages):
        reader.take(message, f"messages[{index}]")
    conversation = reader.conversation
    turns = [turn for turn in conversation.turns if turn.parts]
    if not turns and conversation.system:
        # Instructions alone are a prompt for OpenAI's models; here somebody has to speak.
        turns = [Turn("user", conversation.system)]
        conversation.system = []
    if not turns:
        raise refused("messages", "there is nothing but empty text")
    conversation.turns = turns
    if signs:
        for turn in turns:
            _sign(turn)
    return conversation


class _Reader:
    """A conversation on its way: which calls wait for a result, and where that goes."""

    def __init__(self) -> None:
        self.conversation = Conversation()
        self._waiting: dict[str, tuple[str, Turn]] = {}

    def take(self, message: Message, place: str) -> None:
        """Take the next message."""
        if isinstance(message, SystemMessage | DeveloperMessage):
            self.conversation.system += _texts(message.content)
        elif isinstance(message, UserMessage):
            self._turn("user").parts += _user_parts(message, place)
        elif isinstance(message, AssistantMessage):
            self._take_answer(message, place)
        elif isinstance(message, ToolMessage):
            text = _joined(message.content)
            self._take_result(message.tool_call_id, text, f"{place}.tool_call_id")
        else:
            self._take_function_result(message, place)

    def _turn(self, role: str) -> Turn:
        turns = self.conversation.turns
        if not turns or turns[-1].role != role or turns[-1].answers_calls:
            turns.append(Turn(role))
        return turns[-1]

    def _take_answer(self, message: AssistantMessage, place: str) -> None:
        """Take what the assistant said and called, and make room for the results."""
        turn = self._turn("model")
        turn.parts += _texts(message.content) + _texts(message.refusal)
        results = Turn("user", answers_calls=True)
        for index, call in enumerate(message.tool_calls or ()):
            if isinstance(call, FunctionCallPart):
                where = f"{place}.tool_calls[{index}].function"
                part = _call_part(call.function, where, call.id)
                signature = _signature(call.extra_content)
                if signature:
                    part["thoughtSignature"] = signature
                turn.parts.append(part)
                self._waiting[call.id] = (call.function.name, results)
        if message.function_call is not None:
            called = message.function_call
            turn.parts.append(_call_part(called, f"{place}.function_call"))
            self._waiting[_function_id(called.name)] = (called.name, results)
        if message.tool_calls or message.function_call is not None:
            self.conversation.turns.append(results)

    def _take_result(self, call_id: str, text: str, place: str, *, named: bool = True) -> None:
        if call_id not in self._waiting:
            raise refused(place, "no message before this one has a call of this id")
        name, turn = self._waiting[call_id]
        response: Part = {"name": name, "response": {"output": _output(text)}}
        if named:
            response["id"] = call_id
        turn.parts.append({"functionResponse": response})

    def _take_function_result(self, message: FunctionMessage, place: str) -> None:
        call_id = _function_id(message.name or "")
        self._take_result(call_id, message.content or "", f"{place}.name", named=False)


def _function_id(name: str) -> str:
    """Tell apart calls of the deprecated form, which have no ids: no id begins like this."""
    return f"\0{name}"


def _call_part(function: CalledFunction, place: str, call_id: str = "") -> Part:
    called: Part = {"name": function.name, "args": _arguments(function.arguments, place)}
    if call_id:
        called["id"] = call_id
    return {"functionCall": called}


def _arguments(text: str, place: str) -> Raw:
    """Check the arguments of a call and hand them on as they are."""
    if not text.strip():
        return _NO_ARGUMENTS
    try:
        _OBJECT.decode(text)
    except _UNREADABLE as error:
        raise refused(f"{place}.arguments", "a JSON object is expected") from error
    return Raw(text.encode())


def _output(text: str) -> str | Raw:
    """Give what a function gave back: a JSON object as it stands, anything else as text."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        _OBJECT.decode(text)
    except _UNREADABLE:
        return text
    return Raw(text.encode())


def _signature(extra: Mapping[str, Any] | None) -> str:
    """Read the signature of a call; empty where there is none."""
    google = (extra or {}).get("google")
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return signature if isinstance(signature, str) else ""


def _sign(turn: Turn) -> None:
    """Give the first call of a turn a dummy if it lost its signature; the others need none."""
    for part in turn.parts:
        if "functionCall" in part:
            part.setdefault("thoughtSignature", DUMMY_SIGNATURE)
            return


def _joined(content: str | Sequence[TextPart]) -> str:
    return content if isinstance(content, str) else "".join(part.text for part in content)


def _texts(content: str | Sequence[TextPart | RefusalPart] | None) -> list[Part]:
    """Write texts as parts."""
    if content is None or isinstance(content, str):
        return [{"text": content}] if content else []
    texts = [part.text if isinstance(part, TextPart) else part.refusal for part in content]
    return [{"text": text} for text in texts if text]


def _user_parts(message: UserMessage, place: str) -> list[Part]:
    if isinstance(message.content, str):
        return _texts(message.content)
    parts: list[Part] = []
    for index, part in enumerate(message.content):
        where = f"{place}.content[{index}]"
        if isinstance(part, ImagePart):
            parts.append(image_part(part, where))
        elif isinstance(part, FilePart):
            parts.append(file_part(part, where))
        elif isinstance(part, AudioPart):
            parts.append(sound_part(part))
        else:
            parts += _texts([part])
    return parts
