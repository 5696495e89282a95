"""Bettering a prompt: the question to a chat model, and what of its answer is used. Pure.

The caller's own words stay as they are: only what the model adds is put behind them, as plain text
of bounded length. So whatever a prompt, a template or a brand says, nothing but a longer prompt
comes of it.
"""

import re
from pathlib import Path

import msgspec

from gateway.imaging.brands import Brand, brand_sentence
from gateway.operations.chat import ChatRequest
from gateway.operations.chat_messages import SystemMessage, UserMessage

KIND, CHANNEL = "chat.default", "fast"
LONGEST_ADDITION = 400
"""Characters; some models take prompts of 800."""
_MOST_TOKENS = 400
_INSTRUCTIONS = Path(__file__).with_name("enhancing.txt").read_text()
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_SPACES = re.compile(r"\s+")
_EDGES = " \t\"'`*_.,;:-"


class NotEnhanced(Exception):
    """The model's answer is of no use. Its text says why, for callers."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a prompt is for; empty texts and None say nothing."""

    prompt: str
    style: str = ""
    made_for: str = ""
    brand: Brand | None = None


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice]


_ANSWER = msgspec.json.Decoder(_Answer)


def question_about(subject: Subject) -> ChatRequest:
    """Write the chat that asks what a prompt lacks."""
    brand = "" if subject.brand is None else brand_sentence(subject.brand)
    lines = {
        "Prompt": subject.prompt,
        "Style": subject.style,
        "Made for": subject.made_for,
        "Brand": brand,
    }
    said = "\n".join(f"{name}: {_plain(text)}" for name, text in lines.items() if text)
    return ChatRequest(
        kind=KIND,
        messages=[SystemMessage(content=_INSTRUCTIONS), UserMessage(content=said)],
        max_completion_tokens=_MOST_TOKENS,
    )


def enhanced_prompt(prompt: str, answer: bytes) -> str:
    """Put what a finished chat answered behind a prompt.

    Raises: NotEnhanced, if it was cut off, filtered, or says nothing.
    """
    try:
        [choice, *_] = _ANSWER.decode(answer).choices
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise NotEnhanced("The model's answer cannot be read.") from error
    if choice.finish_reason != "stop":
        raise NotEnhanced("The model did not finish its answer.")
    addition = _plain(choice.message.content or "")
    own = _plain(prompt)
    if addition.lower().startswith(own.lower()):
        addition = addition[len(own) :]
    addition = _shortened(addition.strip(_EDGES)).strip(_EDGES)
    if not addition:
        raise NotEnhanced("The model added nothing.")
    return f"{prompt.rstrip(' .,;')}, {addition}"


def _plain(text: str) -> str:
    """Make one line of it, without characters that nobody sees."""
    return _SPACES.sub(" ", _UNSEEN.sub(" ", text)).strip()


def _shortened(text: str) -> str:
    """Cut a text that is too long behind its last whole phrase, or word."""
    if len(text) <= LONGEST_ADDITION:
        return text
    cut = text[: LONGEST_ADDITION + 1]
    for separator in (",", " "):
        if separator in cut:
            return cut.rpartition(separator)[0]
    return text[:LONGEST_ADDITION]
