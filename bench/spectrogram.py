"""A joined speech to look at and to measure: spoken in parts by the sandbox, joined and drawn.

`manage.py draw_speech` writes docs/images/joined-speech.png and prints what is in it.
"""

import os
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from gateway.sound.decoding import decode
from gateway.sound.encoding import encode
from gateway.sound.formats import duration_ms
from gateway.sound.joining import Joiner
from gateway.sound.sentences import cut
from gateway.sound.tempo import change_tempo
from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.probe import status_of
from studio.supervisor.processes import ChildSpec, free_port, start, stop, wait_until

PICTURE = BASE_DIR / "docs" / "images" / "joined-speech.png"
TEXT = (
    "The lighthouse stands where the old harbour ends. At night its light turns once in ten "
    "seconds, and ships far out can see it. Nobody has lived there for years. Still, somebody "
    "paints the door each spring; nobody knows who."
)
MOST_CHARACTERS = 80
RATE_HZ = 24_000
_WINDOW, _STEP = 1024, 384
_TOP_HZ = 8_000
_WAVE_ROWS, _SOUND_ROWS, _EDGE = 80, 320, 24
_FLOOR_DB = -90.0
_QUIET = 66
_INK, _PAPER, _SEAM = (40, 40, 48), (250, 250, 248), (214, 84, 60)

Samples = npt.NDArray[np.float64]


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """A speech of several parts. `seams_ms` is where a part was begun to be joined."""

    pcm: bytes
    parts: tuple[bytes, ...]
    seams_ms: tuple[int, ...]


def draw_speech(path: Path = PICTURE) -> Iterator[str]:
    """Speak, join, measure and draw. Gives: lines to print."""
    with _sandbox() as url:
        parts = tuple(_spoken(url, piece) for piece in cut(TEXT, MOST_CHARACTERS))
    joined = _join(parts)
    heard = decode(encode(joined.pcm, "mp3", sample_rate=RATE_HZ), "mp3", sample_rate=RATE_HZ)
    path.parent.mkdir(parents=True, exist_ok=True)
    _picture(_samples(heard), joined.seams_ms).quantize(24, Image.Quantize.MAXCOVERAGE).save(
        path, optimize=True
    )
    yield from _figures(joined, heard)
    yield f"drawn: {path} ({path.stat().st_size} bytes)"


def _figures(joined: Joined, heard: bytes) -> Iterator[str]:
    own = max(_largest_step(part) for part in joined.parts)
    spoken_hz = _pitch_hz(joined.parts[0])
    yield f"{len(joined.parts)} parts, {duration_ms(len(joined.pcm), RATE_HZ)} ms joined"
    yield f"peak {int(np.abs(_samples(joined.pcm)).max())} of 32767"
    yield f"largest step {_largest_step(joined.pcm)}, of a part by itself {own}"
    yield f"longest pause {_longest_pause_ms(joined.pcm):.0f} ms"
    for speed in (0.5, 1.5, 2.0):
        made = change_tempo(joined.parts[0], speed, sample_rate=RATE_HZ)
        yield f"pitch at speed {speed}: {_pitch_hz(made) / spoken_hz - 1:+.2%}"


def _join(parts: tuple[bytes, ...]) -> Joined:
    joiner, made, seams = Joiner(sample_rate=RATE_HZ), bytearray(), []
    for number, part in enumerate(parts):
        if number:
            joiner.next_part()
            seams.append(duration_ms(len(made), RATE_HZ))
        made += joiner.feed(part)
    made += joiner.finish()
    return Joined(pcm=bytes(made), parts=parts, seams_ms=tuple(seams))


@contextmanager
def _sandbox() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        spec = ChildSpec(
            name="sandbox",
            command=[sys.executable, "-m", "sandbox", "--host", "127.0.0.1", "--port", str(port)],
            environment=os.environ,
            log=Path(folder) / "sandbox.log",
            cwd=BASE_DIR,
        )
        url = f"http://127.0.0.1:{port}"
        child = start(spec)
        try:
            wait_until(lambda: status_of(f"{url}/health") == 200, child=child, what="The sandbox")
            yield url
        finally:
            stop([child])


def _spoken(url: str, text: str) -> bytes:
    asked = urllib.request.Request(  # noqa: S310  our own sandbox
        f"{url}/baseten/predict",
        data=msgspec.json.encode({"prompt": text, "voice": "tara"}),
        headers={"authorization": "Api-Key sandbox", "content-type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310  as above
        sound: bytes = answer.read()
        return sound


def _samples(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def _largest_step(pcm: bytes) -> int:
    return int(np.abs(np.diff(_samples(pcm))).max())


def _longest_pause_ms(pcm: bytes) -> float:
    loud = np.flatnonzero(np.abs(_samples(pcm)) >= _QUIET)
    return float(np.diff(loud).max()) * 1000 / RATE_HZ


def _pitch_hz(pcm: bytes) -> float:
    """Give the voice's own pitch, 70 to 400 Hz: the median over all pieces of 50 ms that sing."""
    heard, size = _samples(pcm), RATE_HZ // 20
    shortest, longest = RATE_HZ // 400, RATE_HZ // 70
    found = []
    for start_at in range(0, len(heard) - size, size // 2):
        piece = heard[start_at : start_at + size] * np.hanning(size)
        alike = np.fft.irfft(np.abs(np.fft.rfft(piece, 4 * size)) ** 2)[: longest + 2]
        at = shortest + int(np.argmax(alike[shortest:longest]))
        if alike[0] > size * 1e5 and alike[at] > alike[0] / 2:
            before, peak, behind = alike[at - 1 : at + 2]
            bend = before - 2 * peak + behind
            found.append(RATE_HZ / (at + (before - behind) / (2 * bend)))
    return float(np.median(found))


def _picture(heard: Samples, seams_ms: tuple[int, ...]) -> Image.Image:
    """Draw the wave above and the spectrogram below, with a line at each seam."""
    count = (len(heard) - _WINDOW) // _STEP
    columns = np.stack([heard[at * _STEP :][:_WINDOW] for at in range(count)])
    levels = np.abs(np.fft.rfft(columns * np.hanning(_WINDOW), axis=1))
    shown = levels[:, : _TOP_HZ * _WINDOW // RATE_HZ]
    decibels = 20 * np.log10(np.maximum(shown / shown.max(), 10 ** (_FLOOR_DB / 20)))
    dark = np.clip(1 - decibels / _FLOOR_DB, 0, 1)[..., None]
    colours = np.asarray(_PAPER) * (1 - dark) + np.asarray(_INK) * dark
    sound = Image.fromarray(colours.transpose(1, 0, 2)[::-1].astype(np.uint8))
    picture = Image.new("RGB", (count, _WAVE_ROWS + _SOUND_ROWS + _EDGE), _PAPER)
    picture.paste(sound.resize((count, _SOUND_ROWS)), (0, _WAVE_ROWS))
    draw = ImageDraw.Draw(picture)
    for at in range(count):
        high = float(np.abs(heard[at * _STEP :][:_STEP]).max()) / 32768 * _WAVE_ROWS / 2
        draw.line((at, _WAVE_ROWS / 2 - high, at, _WAVE_ROWS / 2 + high), fill=_INK)
    for seam_ms in seams_ms:
        at = seam_ms * RATE_HZ // 1000 // _STEP
        draw.line((at, 0, at, picture.height), fill=_SEAM)
    for second in range(len(heard) // RATE_HZ + 1):
        at = second * RATE_HZ // _STEP
        draw.text((at + 2, picture.height - _EDGE + 6), f"{second} s", fill=_INK)
    return picture
