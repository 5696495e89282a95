"""Reading and checking voices.json. Pure: no database."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

VOICES_FILE = Path(__file__).with_name("voices.json")
GENDERS = ("female", "male", "neutral")


class VoicesFileInvalid(Exception):
    """The file contradicts itself or its form. Nothing was written."""


class FileVoice(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One voice, under its id. `emotions` names one of the file's sets, empty for none."""

    name: str
    provider: str
    provider_voice: str
    gender: str
    archetype: str
    characteristics: list[str]
    use: str
    example_text: str
    source: str
    language: str = "en"
    emotions: str = ""


class VoicesFile(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The file: sets of emotions (word → what is put before the text), and voices by id.

    `previewed_by` names the model or kind that speaks a provider's examples.
    """

    about: str
    previewed_by: dict[str, str]
    emotions: dict[str, dict[str, str]]
    voices: dict[str, FileVoice]


def read_voices_file(path: Path = VOICES_FILE) -> VoicesFile:
    """Read the file. Raises: VoicesFileInvalid, with every contradiction found, one a line."""
    try:
        file = msgspec.json.decode(path.read_bytes(), type=VoicesFile)
    except (OSError, ValueError) as error:
        raise VoicesFileInvalid(f"{path.name}: {error}") from error
    problems = list(_problems(file))
    if problems:
        raise VoicesFileInvalid("\n".join(f"{path.name}: {problem}" for problem in problems))
    return file


def _problems(file: VoicesFile) -> Iterator[str]:
    seen: dict[tuple[str, str], str] = {}
    for slug, voice in file.voices.items():
        if voice.gender not in GENDERS:
            yield f"voice {slug} has the gender {voice.gender}, none of {', '.join(GENDERS)}"
        if voice.emotions and voice.emotions not in file.emotions:
            yield f"voice {slug} names the emotions {voice.emotions}, which are not there"
        other = seen.setdefault((voice.provider, voice.provider_voice), slug)
        if other != slug:
            yield f"voices {other} and {slug} are the same voice of {voice.provider}"
