"""What the double says: the candidates of an answer, whole and as the chunks of a stream."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from sandbox.faults import Faults
from sandbox.gemini_checks import level_of
from sandbox.gemini_contents import responses_of, sign, sign_call
from sandbox.gemini_images import draws, paint, picture_tokens
from sandbox.gemini_models import Traits
from sandbox.messages import Json
from sandbox.schema import smallest_value
from sandbox.text import compose, count_tokens, filler_tokens, tokens_of

JSON_OBJECT = '{"answer":"You asked for JSON."}'
THINKING_TOKENS = {"MINIMAL": 0, "LOW": 64, "MEDIUM": 128, "HIGH": 512}
_INTEGERS = ("minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum")


@dataclass(slots=True, kw_only=True)
class Candidate:
    """One answer: a visible thought, the tokens of a text, or the parts that call functions or hold
    pictures, which cost `picture_tokens`.
    """

    thought: str = ""
    tokens: list[str] = field(default_factory=list)
    calls: list[Json] = field(default_factory=list)
    pictures: list[Json] = field(default_factory=list)
    picture_tokens: int = 0
    signature: str = ""
    finish_reason: str = "STOP"

    def count_tokens(self) -> int:
        """Count the tokens of the answer, without those of its thoughts."""
        called = sum(_call_tokens(part) for part in self.calls)
        return len(self.tokens) + called + self.picture_tokens

    def parts(self) -> list[Json]:
        """Render the whole answer."""
        parts = [*self._thoughts(), *self.calls, *self.pictures]
        if self.tokens:
            parts.append({"text": "".join(self.tokens), **self._signed()})
        return parts

    def pieces(self) -> Iterator[tuple[list[Json], int]]:
        """Render the answer piece by piece; the last piece closes it.

        Yields: parts, and the tokens they add.
        """
        for part in self._thoughts():
            yield [part], 0
        for token in self.tokens:
            yield [{"text": token}], 1
        for part in self.calls:
            yield [part], _call_tokens(part)
        for part in self.pictures:
            yield [part], self.picture_tokens if "inlineData" in part else 0
        yield [{"text": "", **self._signed()}], 0

    def _thoughts(self) -> list[Json]:
        return [{"text": self.thought, "thought": True}] if self.thought else []

    def _signed(self) -> Json:
        return {"thoughtSignature": self.signature} if self.signature else {}


@dataclass(slots=True, kw_only=True)
class Said:
    """A whole answer: its candidates, or why the prompt was blocked."""

    candidates: list[Candidate] = field(default_factory=list)
    thinking_tokens: int = 0
    block_reason: str = ""

    @property
    def picture_tokens(self) -> int:
        """The tokens of all pictures."""
        return sum(candidate.picture_tokens for candidate in self.candidates)

    @property
    def output_tokens(self) -> int:
        """The tokens of all candidates, without those of thoughts."""
        return sum(candidate.count_tokens() for candidate in self.candidates)


def answer_to(wanted: Json, model: Traits, faults: Faults, *, prompt: str, seed: str) -> Said:
    """Make the answer to a checked request. `seed` names the calls."""
    if faults.refusal:
        return Said(block_reason=faults.code or "PROHIBITED_CONTENT")
    config = wanted.get("generationConfig") or {}
    if draws(wanted, model):
        parts, reason = paint(wanted, model, faults, prompt=prompt)
        cost = picture_tokens(config, model) if parts else 0
        drawn = Candidate(pictures=parts, picture_tokens=cost, finish_reason=reason)
        return Said(candidates=[drawn])
    room: int = config.get("maxOutputTokens", 2**31)
    thinking = min(thinking_tokens(config.get("thinkingConfig") or {}, model, prompt), room)
    said = Said(thinking_tokens=thinking)
    shown = thinking and (config.get("thinkingConfig") or {}).get("includeThoughts")
    calls = _calls(wanted, prompt, seed)
    for variant in range(config.get("candidateCount", 1)):
        thought = f"I was asked: {compose(prompt, variant + 1)}" if shown else ""
        candidate = Candidate(thought=thought)
        if calls:
            _call(candidate, calls, model, room - thinking)
        else:
            tokens = _tokens(wanted, faults, prompt, variant)
            _speak(candidate, tokens, config, room - thinking)
            candidate.signature = sign(prompt) if thinking and model.signs else ""
        if faults.content_filter:
            candidate.finish_reason = faults.code or "SAFETY"
        said.candidates.append(candidate)
    return said


def thinking_tokens(config: Json, model: Traits, prompt: str) -> int:
    """Count what the model thinks: nothing unless the request or the word "think" asks for it."""
    level: str | None = config.get("thinkingLevel")
    budget: int | None = config.get("thinkingBudget")
    if budget is not None and budget >= 0 and not model.levels:
        return min(budget, THINKING_TOKENS["HIGH"])
    if not config and "think" not in prompt:
        return 0
    return THINKING_TOKENS[level or level_of(budget) or model.default_level]


def _speak(candidate: Candidate, tokens: list[str], config: Json, room: int) -> None:
    text = "".join(tokens)
    ends = [text.find(word) for word in config.get("stopSequences") or ()]
    found = [end for end in ends if end >= 0]
    if found:
        tokens = tokens_of(text[: min(found)])
    if len(tokens) > room:
        tokens, candidate.finish_reason = tokens[:room], "MAX_TOKENS"
    candidate.tokens = tokens


def _tokens(wanted: Json, faults: Faults, prompt: str, variant: int) -> list[str]:
    if faults.huge_line_bytes:
        return ["You", "x" * faults.huge_line_bytes, "."]
    if faults.chunks:
        return filler_tokens(faults.chunks)
    config = wanted.get("generationConfig") or {}
    kind = config.get("responseMimeType") or "text/plain"
    schema = config.get("responseJsonSchema")
    if "responseSchema" in config:
        schema = json_schema(config["responseSchema"])
    if kind == "text/x.enum" and schema:
        return tokens_of(schema["enum"][0])
    if kind == "application/json":
        value = JSON_OBJECT if schema is None else _json(smallest_value(schema))
        return tokens_of(value)
    responses = responses_of(wanted["contents"][-1])
    if responses:
        return tokens_of(f"The tool answered: {_told(responses[-1]['response'])[:400]}")
    return tokens_of(compose(prompt, variant))


def _told(response: Json) -> str:
    """Read what a function gave back; without the usual keys that is the whole response."""
    value = response.get("output", response.get("result", response))
    return value if isinstance(value, str) else _json(value)


def _calls(wanted: Json, prompt: str, seed: str) -> list[Json]:
    """Decide which functions are called, as the double of OpenAI does: see README.md."""
    calling = (wanted.get("toolConfig") or {}).get("functionCallingConfig") or {}
    mode = calling.get("mode", "AUTO")
    functions = [
        function
        for tool in wanted.get("tools") or ()
        for function in tool.get("functionDeclarations") or ()
    ]
    allowed = calling.get("allowedFunctionNames")
    if allowed:
        functions = [function for function in functions if function["name"] in allowed]
    answered = responses_of(wanted["contents"][-1]) and mode != "ANY"
    if not functions or mode == "NONE" or answered:
        return []
    if "parallel" in prompt:
        chosen = functions if len(functions) > 1 else functions * 2
    else:
        named = (function for function in functions if function["name"] in prompt)
        chosen = [next(named, functions[0])]
    return [
        {"name": function["name"], "args": _arguments(function), "id": f"{seed[:7]}{index}"}
        for index, function in enumerate(chosen)
    ]


def _arguments(function: Json) -> object:
    schema = function.get("parametersJsonSchema")
    if "parameters" in function:
        schema = json_schema(function["parameters"])
    return smallest_value(schema)


def _call(candidate: Candidate, calls: list[Json], model: Traits, room: int) -> None:
    """Call the functions; only the first call of a step is signed. Without room none is made."""
    candidate.calls = [{"functionCall": call} for call in calls]
    if model.signs:
        candidate.calls[0]["thoughtSignature"] = sign_call(calls[0])
    if candidate.count_tokens() > room:
        candidate.calls, candidate.finish_reason = [], "MAX_TOKENS"


def _call_tokens(part: Json) -> int:
    call = part["functionCall"]
    return count_tokens(call["name"]) + count_tokens(_json(call["args"]))


def json_schema(schema: Json) -> Json:
    """Turn one of Google's own schemas into a JSON schema, as far as the double reads those."""
    made = dict(schema)
    if "type" in made:
        made["type"] = made["type"].lower()
    for name in _INTEGERS:
        if isinstance(made.get(name), float):
            made[name] = int(made[name])
    if "items" in made:
        made["items"] = json_schema(made["items"])
    if "anyOf" in made:
        made["anyOf"] = [json_schema(branch) for branch in made["anyOf"]]
    inner = made.get("properties") or {}
    return {**made, "properties": {name: json_schema(part) for name, part in inner.items()}}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
