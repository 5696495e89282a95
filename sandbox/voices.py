"""Voices that read a text aloud, letter by letter: the same text and voice give the same samples.

A letter sounds through the resonances of a mouth (formants), excited by a voice's pitch or by
noise. Each is made once for a voice and kept, so that a text is a row of what is there already.
Source: Peterson & Barney 1952 for the formants of vowels; the rest is ours, and a sketch.
"""

import hashlib
import math
from array import array
from collections.abc import Iterator
from functools import lru_cache

from sandbox.faults import DIRECTIVE

LETTER_S = 0.07
"""How long a letter sounds at speed 1; a mark of punctuation is a pause of three."""
_LOWEST_HZ, _HIGHEST_HZ = 95, 235
_PAUSES = {" ": 1, ",": 2, ";": 2, ":": 2, ".": 3, "!": 3, "?": 3, "\n": 3, "。": 3, "、": 2}
_VOWELS = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
    "y": (390, 1990, 2550),
}
_HUMMED = {
    **{"b": (200, 900, 2200), "d": (250, 1700, 2600), "g": (230, 1400, 2300)},
    **{"j": (260, 2100, 2800), "l": (360, 1300, 2700), "m": (250, 1000, 2200)},
    **{"n": (270, 1500, 2500), "r": (420, 1300, 1600), "v": (240, 1100, 2300)},
    **{"w": (300, 650, 2200), "z": (250, 1700, 2700)},
}
_HISSED_HZ = {
    **{"c": 3000, "f": 4200, "h": 1500, "k": 1900, "p": 900},
    **{"q": 1700, "s": 5200, "t": 3600, "x": 4600},
}
_LOUD, _SOFT, _HISS = 11_000, 4_000, 2_500
_BANDWIDTH_HZ = 90
_FADE_S = 0.006
_PIECE_S = 0.25


def pitch_hz(voice: str) -> int:
    """Give a voice's pitch: it follows from its name."""
    span = _HIGHEST_HZ - _LOWEST_HZ
    return _LOWEST_HZ + hashlib.sha256(voice.encode()).digest()[0] * span // 255


def spoken_text(text: str) -> str:
    """Give what is said of a text: everything but the words to the sandbox."""
    return DIRECTIVE.sub("", text).strip()


def spoken(text: str, voice: str, *, rate_hz: int, speed: float = 1.0) -> Iterator[bytes]:
    """Read a text, in pieces of about a quarter of a second of 16-bit little-endian mono samples.

    There is always at least one letter's worth of sound.
    """
    piece = bytearray()
    full = int(rate_hz * _PIECE_S) * 2
    for letter in text.lower() or "a":
        piece += _letter(letter, voice, rate_hz, round(speed, 2))
        if len(piece) >= full:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


@lru_cache(maxsize=4096)
def _letter(letter: str, voice: str, rate_hz: int, speed: float) -> bytes:
    count = max(int(LETTER_S / speed * rate_hz), 1)
    if letter in _PAUSES:
        return bytes(2 * count * _PAUSES[letter])
    if letter in _HISSED_HZ:
        return _faded(_hiss(_HISSED_HZ[letter], count, rate_hz), rate_hz)
    formants, loudness = _HUMMED.get(letter), _SOFT
    if formants is None:
        names = tuple(_VOWELS)
        vowel = letter if letter in _VOWELS else names[ord(letter) % len(names)]
        formants, loudness = _VOWELS[vowel], _LOUD
    period = _period(formants, rate_hz, max(rate_hz // pitch_hz(voice), 2))
    scale = loudness / max(map(abs, period))
    whole = array("h", [int(sample * scale) for sample in period])
    return _faded((whole * (count // len(whole) + 1))[:count], rate_hz)


def _period(formants: tuple[int, ...], rate_hz: int, length: int) -> list[float]:
    """Give one period of a voice: the echoes that the formants give to every pulse of it."""
    samples = [0.0] * length
    for place, formant_hz in enumerate(formants):
        if formant_hz * 2 >= rate_hz:
            continue
        fall = math.pi * _BANDWIDTH_HZ * (place + 1) / rate_hz
        turn = 2 * math.pi * formant_hz / rate_hz
        for at in range(length * 3):
            samples[at % length] += math.exp(-fall * at) * math.sin(turn * at) / (place + 1)
    return samples


def _hiss(centre_hz: int, count: int, rate_hz: int) -> "array[int]":
    """Give noise around one frequency, the same every time."""
    centre_hz = min(centre_hz, rate_hz // 2 - 200)
    radius = 1 - math.pi * 1200 / rate_hz
    first, second = 2 * radius * math.cos(2 * math.pi * centre_hz / rate_hz), -radius * radius
    seed, last, before = centre_hz, 0.0, 0.0
    samples = []
    for _ in range(count):
        seed = (seed * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        last, before = first * last + second * before + seed / 0x40000000 - 1, last
        samples.append(last)
    scale = _HISS / max(map(abs, samples))
    return array("h", [int(sample * scale) for sample in samples])


def _faded(samples: "array[int]", rate_hz: int) -> bytes:
    """Let a letter begin and end in silence, so that letters join without a click."""
    fade = min(int(_FADE_S * rate_hz), len(samples) // 2)
    for at in range(fade):
        samples[at] = samples[at] * at // fade
        samples[-1 - at] = samples[-1 - at] * at // fade
    return samples.tobytes()
