"""What an answer costs in Gemini's tokens, by rules a test can compute. README.md states them."""

import msgspec

from sandbox.faults import Faults
from sandbox.gemini_models import Traits
from sandbox.messages import Json
from sandbox.text import count_tokens

TOKENS_PER_CONTENT = 4
TOKENS_PER_REPLY = 3
FILE_TOKENS = 560
CACHE_FROM_TOKENS = 4096
"""Source: ai.google.dev/gemini-api/docs/caching, implicit caching of Gemini 3."""
CACHE_STEP_TOKENS = 128


class Prompt:
    """The tokens of a prompt by kind."""

    __slots__ = ("document", "image", "text")

    def __init__(self, wanted: Json, model: Traits) -> None:
        self.text = TOKENS_PER_REPLY
        self.image = 0
        self.document = 0
        for part in (wanted.get("systemInstruction") or {}).get("parts") or ():
            self._add_part(part, model)
        for content in wanted.get("contents") or ():
            self.text += TOKENS_PER_CONTENT
            for part in content["parts"]:
                self._add_part(part, model)
        if wanted.get("tools"):
            self.text += _json_tokens(wanted["tools"])

    @property
    def total(self) -> int:
        """All tokens of the prompt."""
        return self.text + self.image + self.document

    def details(self) -> list[Json]:
        """Render the tokens by modality; what has none is left out."""
        counts = {"TEXT": self.text, "IMAGE": self.image, "DOCUMENT": self.document}
        return [
            {"modality": modality, "tokenCount": count}
            for modality, count in counts.items()
            if count
        ]

    def _add_part(self, part: Json, model: Traits) -> None:
        media = part.get("inlineData") or part.get("fileData")
        if media is not None and media.get("mimeType", "image/").startswith("image/"):
            self.image += model.image_tokens
        elif media is not None:
            self.document += FILE_TOKENS
        elif "text" in part:
            self.text += count_tokens(part["text"])
        else:
            self.text += _json_tokens(part.get("functionCall") or part.get("functionResponse"))


def usage_of(prompt: Prompt, faults: Faults, *, output: int, thoughts: int) -> Json:
    """Make the usage of an answer, or of its first part; what is nothing is left out."""
    if faults.usage:
        wrong = msgspec.Raw(_as_json(faults.usage))
        names = ("promptTokenCount", "candidatesTokenCount", "totalTokenCount")
        return dict.fromkeys(names, wrong)
    cached = _cached(prompt.total) if faults.cached is None else faults.cached
    counts = {
        "promptTokenCount": prompt.total,
        "candidatesTokenCount": output,
        "totalTokenCount": prompt.total + output + thoughts,
        "cachedContentTokenCount": cached,
        "thoughtsTokenCount": thoughts,
    }
    usage: Json = {name: count for name, count in counts.items() if count}
    usage["promptTokensDetails"] = prompt.details()
    if cached:
        usage["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": cached}]
    return usage


def _cached(total: int) -> int:
    if total < CACHE_FROM_TOKENS:
        return 0
    return (total - 1) // CACHE_STEP_TOKENS * CACHE_STEP_TOKENS


def _json_tokens(value: object) -> int:
    return count_tokens(msgspec.json.encode(value).decode())


def _as_json(value: str) -> bytes:
    """Take a number, NaN or null as it stands and anything else as a string."""
    number = value.lstrip("-").replace(".", "", 1).isdigit()
    if number or value in ("NaN", "Infinity", "-Infinity", "null"):
        return value.encode()
    return msgspec.json.encode(value)
