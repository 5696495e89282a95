"""OpenAI's grammar with an accent: answers and streams written again as OpenAI writes them.

Some providers speak OpenAI's grammar and add to it: fields of their own, their ids, the name of
whoever served them, what the call cost, reasoning under another name. Callers hand answers back as
they got them, so nothing may be in there that a request cannot hold. Usage is written as it is
charged. Text in a known shape is still relayed in bulk: the shape around it is exchanged.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.operations.chat import ChatUsage
from gateway.providers.base import Target
from gateway.providers.chunk_stream import Chunk, ChunkStream, split_at_text
from gateway.providers.completion import shown_reason, usage_form
from gateway.providers.failures import UpstreamInvalid
from gateway.providers.openai_form import NO_RAW, finish_word

_NOTHING = (b"null", b'""')
_MOST_CHOICES = 128
_UNREADABLE = (msgspec.DecodeError, RecursionError)
_ENCODE = msgspec.json.Encoder().encode


class _Given(Struct):
    """What a message or a delta says, as far as it is OpenAI's or reasoning."""

    content: Raw = NO_RAW
    refusal: Raw = NO_RAW
    annotations: Raw = NO_RAW
    reasoning: Raw = NO_RAW
    reasoning_content: Raw = NO_RAW
    tool_calls: Any = None


class _Choice(Struct):
    index: Any = 0
    message: _Given | None = None
    delta: _Given | None = None
    logprobs: Raw = NO_RAW
    finish_reason: Any = None


class _Answer(Struct):
    choices: list[_Choice] | None = None


_ANSWER = msgspec.json.Decoder(_Answer)


def rewrite_answer(body: bytes, target: Target, usage: ChatUsage | None) -> bytes:
    """Write a whole answer again, with this usage. Returns: the JSON of a chat completion.

    Raises: UpstreamInvalid if it cannot be read.
    """
    try:
        choices = _ANSWER.decode(body).choices or []
    except _UNREADABLE as error:
        raise UpstreamInvalid("The provider's answer cannot be read.") from error
    return _ENCODE(
        {
            "id": target.answer_id,
            "object": "chat.completion",
            "created": target.created_s,
            "model": target.model,
            "choices": [
                {
                    "index": index,
                    "message": _message(choice.message or _Given()),
                    "logprobs": choice.logprobs,
                    "finish_reason": shown_reason(finish_word(choice.finish_reason)),
                }
                for index, choice in enumerate(choices)
            ],
            "usage": None if usage is None else usage_form(usage),
        }
    )


class RewrittenStream(ChunkStream):
    """A stream whose chunks are written again (see `base.ChatStream`).

    A provider says by `_usage_of` how its usage is read, by `_failure` what an error inside it is.
    A choice that ends with the reason `error` is such an error.
    """

    def __init__(
        self,
        target: Target,
        *,
        wants_usage: bool,
        hosts: tuple[str, ...],
        measures_text: bool = True,
    ) -> None:
        super().__init__(wants_usage=wants_usage, hosts=hosts, measures_text=measures_text)
        self._head = {
            "id": target.answer_id,
            "object": "chat.completion.chunk",
            "created": target.created_s,
            "model": target.model,
        }
        self._named = True
        self._opening = b"data: " + _ENCODE(self._head)[:-1] + b',"choices":'
        self._begun: set[int] = set()
        self._rewritten = b""
        self._our_prefix = self._our_suffix = self._our_joint = b""

    def _bulk(self, data: bytes) -> bytes:
        """Exchange the provider's shape around each text for ours."""
        if not data.startswith(self._prefix) or not data.endswith(self._suffix):
            return b""
        texts = data[len(self._prefix) : len(data) - len(self._suffix)].split(self._joint)
        if not self._count_known(data, len(texts)):
            return b""
        return self._our_prefix + self._our_joint.join(texts) + self._our_suffix

    def _take_chunk(self, chunk: Chunk, payload: bytes) -> bytes:
        if any(choice.finish_reason == "error" for choice in chunk.choices or ()):
            return self._fail(self._failure(payload))
        try:
            choices = _ANSWER.decode(payload).choices or []
        except _UNREADABLE:
            return self._fail(UpstreamInvalid("The provider sent an event that cannot be read."))
        self._rewritten = self._written(choices)
        if not super()._take_chunk(chunk, payload):
            return b""
        return self._openings(choices) + self._rewritten

    def _learn(self, payload: bytes) -> None:
        """Learn both shapes, theirs and ours, or none."""
        theirs = split_at_text(payload)
        ours = split_at_text(self._rewritten[6:-2])
        if theirs is None or ours is None:
            return
        super()._learn(payload)
        self._our_prefix, self._our_suffix = ours
        self._our_joint = self._our_suffix + self._our_prefix

    def _openings(self, choices: list[_Choice]) -> bytes:
        """Give the first chunk of each choice that begins: whose words follow, as OpenAI does."""
        opened = []
        for choice in choices:
            index = _index(choice)
            if index not in self._begun:
                self._begun.add(index)
                delta = {"role": "assistant", "content": ""}
                opened.append(self._event([_chunk(index, delta)]))
        return b"".join(opened)

    def _written(self, choices: list[_Choice]) -> bytes:
        """Write what the choices of a chunk say; nothing if they say nothing."""
        written = [
            _chunk(_index(choice), delta, choice.logprobs, choice.finish_reason)
            for choice in choices
            if (delta := _delta(choice.delta or _Given()))
            or choice.finish_reason
            or _says(choice.logprobs)
        ]
        return self._event(written) if written else b""

    def _event(self, choices: list[dict[str, Any]]) -> bytes:
        return self._opening + _ENCODE(choices) + b"}\n\n"

    def _usage_form(self, usage: ChatUsage) -> dict[str, Any]:
        """Give a usage chunk of ours: the provider's counts may mean something else."""
        return {**self._head, "choices": [], "usage": usage_form(usage)}


def _chunk(
    index: int, delta: dict[str, Any], logprobs: Raw = NO_RAW, reason: object = None
) -> dict[str, Any]:
    return {
        "index": index,
        "delta": delta,
        "logprobs": logprobs,
        "finish_reason": shown_reason(finish_word(reason)) if reason else None,
    }


def _message(given: _Given) -> dict[str, Any]:
    """Write a whole message; reasoning under the name that requests know it by."""
    written: dict[str, Any] = {
        "role": "assistant",
        "content": given.content,
        "refusal": given.refusal,
    }
    if _says(given.annotations):
        written["annotations"] = given.annotations
    reasoning = given.reasoning_content if _says(given.reasoning_content) else given.reasoning
    if _says(reasoning):
        written["reasoning_content"] = reasoning
    calls = [_call(call) for call in _calls(given)]
    if calls:
        written["tool_calls"] = calls
    return written


def _delta(given: _Given) -> dict[str, Any]:
    """Write a piece of a message; empty where it says nothing. The role is the opening's."""
    written: dict[str, Any] = {}
    if _says(given.content):
        written["content"] = given.content
    if _says(given.refusal):
        written["refusal"] = given.refusal
    reasoning = given.reasoning_content if _says(given.reasoning_content) else given.reasoning
    if _says(reasoning):
        written["reasoning_content"] = reasoning
    calls = [_call_piece(call) for call in _calls(given)]
    if calls:
        written["tool_calls"] = calls
    return written


def _calls(given: _Given) -> list[dict[str, Any]]:
    calls = given.tool_calls if isinstance(given.tool_calls, list) else []
    return [call for call in calls if isinstance(call, dict) and _function(call)]


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = {"name": "", "arguments": "", **_function(call)}
    return {"id": _text(call.get("id")), "type": "function", "function": function}


def _call_piece(call: dict[str, Any]) -> dict[str, Any]:
    """Write a piece of a call; its first has an id."""
    index = call.get("index")
    written: dict[str, Any] = {"index": index if isinstance(index, int) and index >= 0 else 0}
    if call_id := _text(call.get("id")):
        written |= {"id": call_id, "type": "function"}
    return {**written, "function": _function(call)}


def _function(call: dict[str, Any]) -> dict[str, str]:
    function = call.get("function")
    if not isinstance(function, dict):
        return {}
    found = ((name, function.get(name)) for name in ("name", "arguments"))
    return {name: text for name, text in found if isinstance(text, str)}


def _index(choice: _Choice) -> int:
    index = choice.index
    return index if isinstance(index, int) and 0 <= index < _MOST_CHOICES else 0


def _says(raw: Raw) -> bool:
    return len(memoryview(raw)) > 4 or bytes(raw) not in _NOTHING


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
