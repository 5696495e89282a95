"""The voices of the doubles: the same for the same text, at their pitch, without a click."""

import array

import numpy as np
import pytest

from sandbox.voices import pitch_hz, spoken
from sandbox.voices_files import Form, heard, length_ms_of, speech

RATE_HZ = 24_000
WAV = Form("wav", "pcm_s16le", RATE_HZ)


def samples(text: str, voice: str = "rachel", *, speed: float = 1.0) -> "array.array[int]":
    """Read a text aloud."""
    return array.array("h", b"".join(spoken(text, voice, rate_hz=RATE_HZ, speed=speed)))


def test_the_same_text_and_voice_are_the_same_samples() -> None:
    assert samples("Hello, you.") == samples("Hello, you.")
    assert samples("Hello, you.") != samples("Hello, you.", "josh")


@pytest.mark.parametrize("text", ["a", "Hello, world!", "", "日本語。", "1234", "x" * 500])
def test_a_text_is_as_long_as_its_letters(text: str) -> None:
    assert len(samples(text)) * 1000 // RATE_HZ == length_ms_of(text)


@pytest.mark.parametrize("voice", ["rachel", "josh", "tara", "alloy", "onyx"])
@pytest.mark.parametrize("vowel", ["a", "i", "o"])
def test_a_vowel_has_the_pitch_of_its_voice(voice: str, vowel: str) -> None:
    sound = np.array(samples(vowel * 8, voice), dtype=float)
    lags = np.arange(RATE_HZ // 300, RATE_HZ // 80)
    likeness = [float(np.dot(sound[:-lag], sound[lag:])) for lag in lags]
    found_hz = RATE_HZ / lags[int(np.argmax(likeness))]
    assert abs(found_hz - pitch_hz(voice)) / pitch_hz(voice) < 0.02


def test_letters_join_without_a_click() -> None:
    sound = samples("mama nana lalala")
    letter = int(0.07 * RATE_HZ)
    for seam in range(letter, len(sound), letter):
        assert abs(sound[seam] - sound[seam - 1]) < 200


def test_a_file_tells_its_words_and_its_length() -> None:
    found = heard(b"".join(speech("[[sandbox tag=x]] Hello.", "rachel", WAV)))
    assert found is not None
    assert (found.text, found.length_ms) == ("Hello.", length_ms_of("Hello."))
    assert heard(b"no sound") is None
