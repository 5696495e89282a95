"""What the double says: the choices of a chat, as whole messages and as the deltas of a stream."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from sandbox.faults import Faults
from sandbox.messages import Json
from sandbox.schema import smallest_value
from sandbox.text import compose, filler_tokens, tokens_of

REFUSAL = "I'm sorry, but I can't help with that."
JSON_OBJECT = '{"answer":"You asked for JSON."}'
FRAGMENT_CHARACTERS = 8
"""A stream cuts the arguments of a tool call into pieces of this size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One tool the model calls; `text` is its JSON arguments, or a custom tool's input."""

    id: str
    kind: str
    name: str
    text: str

    def render(self, text: str) -> Json:
        """Make the call's own object around its text or a piece of it."""
        return {"name": self.name, "input" if self.kind == "custom" else "arguments": text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer: its tokens, or the calls it makes instead."""

    tokens: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    refused: bool = False
    finish_reason: str = "stop"

    @property
    def legacy(self) -> bool:
        """Whether the caller used `functions`, the deprecated form of `tools`."""
        return self.finish_reason == "function_call"

    def count_tokens(self) -> int:
        """Count the tokens the choice costs."""
        called = sum(len(tokens_of(call.name)) + len(tokens_of(call.text)) for call in self.calls)
        return len(self.tokens) + called

    def message(self) -> Json:
        """Render the whole message."""
        text = "".join(self.tokens)
        message: Json = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
        if self.legacy:
            message["function_call"] = self.calls[0].render(self.calls[0].text)
        elif self.calls:
            message["tool_calls"] = [
                {"id": call.id, "type": call.kind, call.kind: call.render(call.text)}
                for call in self.calls
            ]
        else:
            message["refusal" if self.refused else "content"] = text
        return message

    def deltas(self) -> Iterator[tuple[Json, str]]:
        """Render the message piece by piece, role first.

        Yields: the delta, and its text token if it has one.
        """
        content = None if self.calls or self.refused else ""
        yield {"role": "assistant", "content": content, "refusal": None}, ""
        name = "refusal" if self.refused else "content"
        for token in self.tokens:
            yield {name: token}, token
        for index, call in enumerate(self.calls):
            for delta in self._call_deltas(index, call):
                yield delta, ""

    def _call_deltas(self, index: int, call: Call) -> Iterator[Json]:
        """Name the tool in the first delta, then its arguments in fragments."""
        for start in range(-FRAGMENT_CHARACTERS, len(call.text), FRAGMENT_CHARACTERS):
            piece = call.text[max(start, 0) : max(start + FRAGMENT_CHARACTERS, 0)]
            body = call.render(piece)
            if start >= 0:
                del body["name"]
            if self.legacy:
                yield {"function_call": body}
                continue
            head = {"id": call.id, "type": call.kind} if start < 0 else {}
            yield {"tool_calls": [{"index": index, **head, call.kind: body}]}


def choices_of(
    wanted: Json, faults: Faults, *, prompt: str, limit: int | None, seed: str
) -> list[Choice]:
    """Make the `n` choices of a chat, at most `limit` tokens each. `seed` names the calls."""
    calls = [] if faults.refusal else _calls(wanted, prompt, seed)
    count = wanted.get("n") or 1
    if calls:
        return [_called(wanted, calls, limit)] * count
    return [_said(wanted, faults, prompt, limit, variant) for variant in range(count)]


def _said(wanted: Json, faults: Faults, prompt: str, limit: int | None, variant: int) -> Choice:
    tokens = _tokens(wanted, faults, prompt, variant)
    finish_reason = "content_filter" if faults.content_filter else "stop"
    if limit is not None and len(tokens) > limit:
        tokens, finish_reason = tokens[:limit], "length"
    return Choice(tokens=tokens, refused=faults.refusal, finish_reason=finish_reason)


def _tokens(wanted: Json, faults: Faults, prompt: str, variant: int) -> list[str]:
    if faults.refusal:
        return tokens_of(REFUSAL)
    shape = wanted.get("response_format") or {}
    if shape.get("type") == "json_object":
        return tokens_of(JSON_OBJECT)
    if shape.get("type") == "json_schema":
        value = smallest_value(shape["json_schema"].get("schema"))
        return tokens_of(msgspec.json.encode(value).decode())
    tokens = _prose(wanted, faults, prompt, variant)
    return _stopped(tokens, wanted["stop"]) if wanted.get("stop") else tokens


def _prose(wanted: Json, faults: Faults, prompt: str, variant: int) -> list[str]:
    if faults.huge_line_bytes:
        return ["You", "x" * faults.huge_line_bytes, "."]
    if faults.chunks:
        return filler_tokens(faults.chunks)
    last = wanted["messages"][-1]
    if last["role"] in ("tool", "function"):
        return tokens_of(f"The tool answered: {text_of(last)[:400]}")
    return tokens_of(compose(prompt, variant))


def _stopped(tokens: list[str], stop: str | list[str]) -> list[str]:
    """Cut before the first of the stop sequences."""
    text = "".join(tokens)
    ends = [text.find(word) for word in ([stop] if isinstance(stop, str) else stop) if word]
    found = [end for end in ends if end >= 0]
    return tokens_of(text[: min(found)]) if found else tokens


def _called(wanted: Json, calls: list[Call], limit: int | None) -> Choice:
    finish_reason = "tool_calls" if wanted.get("tools") else "function_call"
    choice = Choice(calls=calls, finish_reason=finish_reason)
    if limit is None or choice.count_tokens() <= limit:
        return choice
    first = calls[0]
    room = max(limit - len(tokens_of(first.name)), 0)
    text = "".join(tokens_of(first.text)[:room])
    cut = Call(id=first.id, kind=first.kind, name=first.name, text=text)
    return Choice(calls=[cut], finish_reason="length")


def _calls(wanted: Json, prompt: str, seed: str) -> list[Call]:
    """Decide which tools are called: the named one, else the one the prompt names, else the first.

    The word "parallel" in the prompt calls every tool, and a single one twice. After a tool's
    result the answer is text, unless `tool_choice` insists.
    """
    tools, insisted = _callable_tools(wanted)
    if not tools or (wanted["messages"][-1]["role"] in ("tool", "function") and not insisted):
        return []
    if (
        "parallel" in prompt
        and wanted.get("parallel_tool_calls") is not False
        and wanted.get("tools")
    ):
        chosen = tools if len(tools) > 1 else tools * 2
    else:
        chosen = [next((tool for tool in tools if _name(tool) in prompt), tools[0])]
    return [_call(tool, f"call_{seed[:20]}{index:04d}") for index, tool in enumerate(chosen)]


def _callable_tools(wanted: Json) -> tuple[list[Json], bool]:
    """Find the tools that may be called. Returns: them, and whether one has to be."""
    functions = [{"type": "function", "function": f} for f in wanted.get("functions") or ()]
    tools: list[Json] = wanted.get("tools") or functions
    choice = wanted.get("tool_choice" if wanted.get("tools") else "function_call") or "auto"
    if isinstance(choice, str):
        return ([] if choice == "none" else tools), choice == "required"
    kind = choice.get("type", "function")
    if kind == "allowed_tools":
        allowed = choice[kind]
        names = [_name(tool) for tool in allowed["tools"]]
        return [tool for tool in tools if _name(tool) in names], allowed["mode"] == "required"
    name = choice[kind]["name"] if "type" in choice else choice["name"]
    return [tool for tool in tools if _name(tool) == name], True


def _name(tool: Json) -> str:
    name: str = tool[tool["type"]]["name"]
    return name


def _call(tool: Json, call_id: str) -> Call:
    kind = tool["type"]
    text = "text"
    if kind == "function":
        arguments = smallest_value(tool["function"].get("parameters"))
        text = msgspec.json.encode(arguments).decode()
    return Call(id=call_id, kind=kind, name=_name(tool), text=text)


def text_of(message: Json) -> str:
    """Join the text of a message's content."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in content if part["type"] == "text")


def logprobs_of(tokens: list[str], count: int, *, refused: bool) -> Json:
    """Make log probabilities: the token itself, then `count` - 1 less likely ones."""
    rows = []
    for token in tokens:
        likely = -(zlib.crc32(token.encode()) % 1000) / 1000
        others = [_logprob(f" {rank}", likely - rank) for rank in range(1, count)]
        top = [_logprob(token, likely), *others][:count]
        rows.append({**_logprob(token, likely), "top_logprobs": top})
    return {"content": None if refused else rows, "refusal": rows if refused else None}


def _logprob(token: str, logprob: float) -> Json:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}
