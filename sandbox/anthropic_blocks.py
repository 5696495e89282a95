"""What the double says: the blocks of a message, whole and as the deltas of a stream."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from sandbox.anthropic_checks import forces_tool
from sandbox.anthropic_messages import REDACTED, sign
from sandbox.anthropic_models import Traits
from sandbox.faults import Faults
from sandbox.messages import Json
from sandbox.schema import smallest_value
from sandbox.text import compose, filler_tokens, tokens_of

REFUSAL = "I'm sorry, but I can't help with that."
REDACTED_TRIGGER = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING"
"""A prompt with it gets an encrypted thought. Source: Extended thinking, platform.claude.com."""
THINKING_TOKENS = {"low": 64, "medium": 128, "high": 512, "xhigh": 1024, "max": 2048}
FRAGMENT_CHARACTERS = 8
"""A stream cuts the input of a tool into pieces of this size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One content block: how it starts, the deltas that fill it, and what it is in the end."""

    start: Json
    deltas: list[Json]
    whole: Json
    tokens: int


@dataclass(slots=True, kw_only=True)
class Said:
    """A whole answer."""

    blocks: list[Block] = field(default_factory=list)
    thinking_tokens: int = 0
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None

    @property
    def output_tokens(self) -> int:
        """All tokens of the answer."""
        return self.thinking_tokens + sum(block.tokens for block in self.blocks)


def answer_to(wanted: Json, model: Traits, faults: Faults, *, prompt: str, seed: str) -> Said:
    """Make the answer to a checked request, at most `max_tokens` long. `seed` names the calls."""
    said = Said()
    room: int = wanted["max_tokens"]
    if faults.content_filter:
        said.stop_reason = "refusal"
        return said
    _think(said, wanted, model, prompt)
    room -= said.thinking_tokens
    calls = [] if faults.refusal else _calls(wanted, prompt, seed)
    if not calls or "aloud" in prompt:
        room -= _speak(said, wanted, faults, prompt=prompt, room=room)
    if calls and said.stop_reason != "max_tokens":
        _call(said, calls, room)
    if faults.refusal:
        said.stop_reason = "refusal"
    return said


def _think(said: Said, wanted: Json, model: Traits, prompt: str) -> None:
    """Think where it was asked for, or where the model does unasked and the prompt says "think"."""
    config = wanted.get("thinking") or {}
    kind = config.get("type") or ("adaptive" if model.thinks and "think" in prompt else "disabled")
    if kind not in ("enabled", "adaptive"):
        return
    effort = (wanted.get("output_config") or {}).get("effort") or "high"
    tokens = min(THINKING_TOKENS[effort], config.get("budget_tokens", 2**31), wanted["max_tokens"])
    said.thinking_tokens = tokens
    if REDACTED_TRIGGER in prompt:
        block = {"type": "redacted_thinking", "data": sign(REDACTED)}
        said.blocks.append(Block(start=block, deltas=[], whole=block, tokens=0))
        return
    shown = config.get("display") or model.display
    text = f"I was asked: {compose(prompt, 1)}" if shown == "summarized" else ""
    signature = sign(text)
    deltas: list[Json] = [{"type": "thinking_delta", "thinking": t} for t in tokens_of(text)]
    deltas.append({"type": "signature_delta", "signature": signature})
    start: Json = {"type": "thinking", "thinking": "", "signature": ""}
    whole = {"type": "thinking", "thinking": text, "signature": signature}
    said.blocks.append(Block(start=start, deltas=deltas, whole=whole, tokens=0))


def _speak(said: Said, wanted: Json, faults: Faults, *, prompt: str, room: int) -> int:
    """Say something. Returns: how many tokens it took."""
    tokens, said.stop_sequence = _stopped(_tokens(wanted, faults, prompt), wanted)
    if said.stop_sequence is not None:
        said.stop_reason = "stop_sequence"
    if len(tokens) > room:
        tokens, said.stop_reason, said.stop_sequence = tokens[:room], "max_tokens", None
    if tokens:
        text = "".join(tokens)
        block = Block(
            start={"type": "text", "text": "", "citations": None},
            deltas=[{"type": "text_delta", "text": token} for token in tokens],
            whole={"type": "text", "text": text, "citations": None},
            tokens=len(tokens),
        )
        said.blocks.append(block)
    return len(tokens)


def _tokens(wanted: Json, faults: Faults, prompt: str) -> list[str]:
    if faults.refusal:
        return tokens_of(REFUSAL)
    if faults.huge_line_bytes:
        return ["You", "x" * faults.huge_line_bytes, "."]
    if faults.chunks:
        return filler_tokens(faults.chunks)
    shape = (wanted.get("output_config") or {}).get("format")
    if shape:
        return tokens_of(msgspec.json.encode(smallest_value(shape["schema"])).decode())
    results = tool_results(wanted)
    if results:
        return tokens_of(f"The tool answered: {results[-1][:400]}")
    return tokens_of(compose(prompt, 0))


def _stopped(tokens: list[str], wanted: Json) -> tuple[list[str], str | None]:
    """Cut before the first stop sequence. Returns: what is left, and the sequence."""
    text = "".join(tokens)
    ends = [(text.find(word), word) for word in wanted.get("stop_sequences") or ()]
    found = min(((end, word) for end, word in ends if end >= 0), default=None)
    return (tokens, None) if found is None else (tokens_of(text[: found[0]]), found[1])


def tool_results(wanted: Json) -> list[str]:
    """Read the texts of the tool results in the last message."""
    content = wanted["messages"][-1]["content"]
    blocks = [] if isinstance(content, str) else content
    found = []
    for block in blocks:
        if block["type"] == "tool_result":
            inner = block.get("content") or ""
            texts = inner if isinstance(inner, str) else text_of(inner)
            found.append(texts)
    return found


def text_of(content: str | list[Json]) -> str:
    """Join the texts of a content."""
    if isinstance(content, str):
        return content
    return " ".join(block["text"] for block in content if block["type"] == "text")


def _calls(wanted: Json, prompt: str, seed: str) -> list[Json]:
    """Decide which tools are called, as the double of OpenAI does: see README.md."""
    choice = wanted.get("tool_choice") or {"type": "auto"}
    tools = wanted.get("tools") or []
    if not tools or choice["type"] == "none":
        return []
    if tool_results(wanted) and not forces_tool(wanted):
        return []
    if choice["type"] == "tool":
        tools = [tool for tool in tools if tool["name"] == choice["name"]]
    if "parallel" in prompt and not choice.get("disable_parallel_tool_use"):
        chosen = tools if len(tools) > 1 else tools * 2
    else:
        chosen = [next((tool for tool in tools if tool["name"] in prompt), tools[0])]
    return [
        {
            "type": "tool_use",
            "id": f"toolu_{seed[:20]}{index:04d}",
            "name": tool["name"],
            "input": smallest_value(tool["input_schema"]),
            "caller": {"type": "direct"},
        }
        for index, tool in enumerate(chosen)
    ]


def _call(said: Said, calls: list[Json], room: int) -> None:
    """Call the tools; one that has no room any more keeps an empty input."""
    said.stop_reason = "tool_use"
    for call in calls:
        text = msgspec.json.encode(call["input"]).decode()
        tokens = len(tokens_of(call["name"])) + len(tokens_of(text))
        if tokens > room:
            call = {**call, "input": {}}
            text, tokens, said.stop_reason = "{}", max(room, 0), "max_tokens"
        room -= tokens
        said.blocks.append(_call_block(call, text, tokens))
        if said.stop_reason == "max_tokens":
            return


def _call_block(call: Json, text: str, tokens: int) -> Block:
    """Make the block of a call: the first piece of its input is empty, and of none the only one."""
    pieces = [""] + (list(_fragments(text)) if call["input"] else [])
    return Block(
        start={**call, "input": {}},
        deltas=[{"type": "input_json_delta", "partial_json": piece} for piece in pieces],
        whole=call,
        tokens=tokens,
    )


def _fragments(text: str) -> Iterator[str]:
    for start in range(0, len(text), FRAGMENT_CHARACTERS):
        yield text[start : start + FRAGMENT_CHARACTERS]
