"""What a chat costs in OpenAI's tokens, by rules a test can compute. README.md states them."""

import msgspec

from sandbox.faults import Faults
from sandbox.messages import Json
from sandbox.text import count_tokens, tokens_of

TOKENS_PER_MESSAGE = 4
TOKENS_PER_REPLY = 3
IMAGE_TOKENS = {"low": 85, "auto": 765, "high": 765, "original": 765}
"""85, or 85 and four tiles of 170: the price of a 1024 × 1024 image whatever its real size."""
AUDIO_BYTES_PER_TOKEN = 640
FILE_TOKENS = 256
CACHE_FROM_TOKENS = 1024
CACHE_STEP_TOKENS = 128
REASONING_TOKENS = {
    "minimal": 16,
    "low": 64,
    "medium": 128,
    "high": 512,
    "xhigh": 1024,
    "max": 2048,
}


class Prompt:
    """The tokens of a prompt by class."""

    __slots__ = ("audio", "image", "text")

    def __init__(self, wanted: Json) -> None:
        self.text = TOKENS_PER_REPLY
        self.image = 0
        self.audio = 0
        for message in wanted["messages"]:
            self._add_message(message)
        for name in ("tools", "functions"):
            if wanted.get(name):
                self.text += count_tokens(msgspec.json.encode(wanted[name]).decode())

    @property
    def total(self) -> int:
        """All tokens of the prompt."""
        return self.text + self.image + self.audio

    def _add_message(self, message: Json) -> None:
        self.text += TOKENS_PER_MESSAGE
        content = message.get("content")
        if isinstance(content, str):
            self.text += count_tokens(content)
        else:
            for part in content or ():
                self._add_part(part)
        for call in message.get("tool_calls") or ():
            self.text += count_tokens(msgspec.json.encode(call).decode())

    def _add_part(self, part: Json) -> None:
        kind = part["type"]
        if kind == "image_url":
            self.image += IMAGE_TOKENS[part["image_url"].get("detail", "auto")]
        elif kind == "input_audio":
            self.audio += len(part["input_audio"]["data"]) * 3 // 4 // AUDIO_BYTES_PER_TOKEN + 1
        elif kind == "file":
            self.text += FILE_TOKENS
        else:
            self.text += count_tokens(part[kind])


def reasoning_tokens(wanted: Json) -> int:
    """Count what the model thinks before its answer: nothing unless `reasoning_effort` asks."""
    return REASONING_TOKENS.get(wanted.get("reasoning_effort") or "none", 0)


def usage_of(
    wanted: Json, faults: Faults, *, answer: list[str], answer_tokens: int, reasoning: int
) -> object:
    """Make the usage object, or a wrong one by fault; `answer` is the first choice's tokens."""
    if faults.usage:
        wrong = wrong_count(faults.usage)
        return dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), wrong)
    prompt = Prompt(wanted)
    accepted, rejected = _predicted(wanted, answer)
    completion = answer_tokens + reasoning + rejected
    return {
        "prompt_tokens": prompt.total,
        "completion_tokens": completion,
        "total_tokens": prompt.total + completion,
        "prompt_tokens_details": {
            "cached_tokens": _cached(prompt, faults),
            "cache_write_tokens": faults.cache_write,
            "audio_tokens": prompt.audio,
            "image_tokens": prompt.image,
            "text_tokens": prompt.text,
        },
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "text_tokens": answer_tokens,
            "accepted_prediction_tokens": accepted,
            "rejected_prediction_tokens": rejected,
        },
    }


def _cached(prompt: Prompt, faults: Faults) -> int:
    if faults.cached is not None:
        return faults.cached
    if prompt.total < CACHE_FROM_TOKENS:
        return 0
    return (prompt.total - 1) // CACHE_STEP_TOKENS * CACHE_STEP_TOKENS


def _predicted(wanted: Json, answer: list[str]) -> tuple[int, int]:
    """Count how many tokens of `prediction` the answer begins with, and how many were in vain."""
    content = (wanted.get("prediction") or {}).get("content")
    if not content:
        return 0, 0
    text = content if isinstance(content, str) else "".join(part["text"] for part in content)
    predicted = tokens_of(text)
    accepted = 0
    for guess, token in zip(predicted, answer, strict=False):
        if guess != token:
            break
        accepted += 1
    return accepted, len(predicted) - accepted


def wrong_count(value: str) -> msgspec.Raw:
    """Take a number, NaN or null as it stands and anything else as a string."""
    number = value.lstrip("-").replace(".", "", 1).isdigit()
    if number or value in ("NaN", "Infinity", "-Infinity", "null"):
        return msgspec.Raw(value.encode())
    return msgspec.Raw(msgspec.json.encode(value))
