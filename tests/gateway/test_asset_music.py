"""MP3s are checked by their frames, measured truly, freed of tags and cut to whole frames."""

import io
import os
from typing import Any

import pytest
from mutagen import id3
from mutagen.mp3 import MP3

from gateway.media.errors import UnusableFile
from gateway.media.mp3 import read_frame, read_mp3
from gateway.media.shaping import shape
from gateway.media.works import ImageWork, MusicWork
from tests.gateway.hostile_images import image

MARK = b"a-mark-that-must-not-survive"
RATES = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
FRAME_MS = 1152 * 1000 / 44_100


def frame(rate_kbit: int = 128, *, mono: bool = False, fill: bytes = b"\0") -> bytes:
    """Write a frame of MPEG-1, layer III, at 44.1 kHz."""
    head = bytes((0xFF, 0xFB, RATES.index(rate_kbit) << 4, 0xC0 if mono else 0x40))
    return head.ljust(144 * rate_kbit * 1000 // 44_100, fill)


def constant(frames: int) -> bytes:
    """Write frames of 128 kbit/s, padded where encoders pad them to keep that rate."""
    return b"".join(_padded(number) for number in range(frames))


def _padded(number: int) -> bytes:
    size = 144 * 128_000 * (number + 1) // 44_100 - 144 * 128_000 * number // 44_100
    plain = frame(fill=bytes((number % 200,)))
    if size == len(plain):
        return plain
    return plain[:2] + bytes((plain[2] | 2,)) + plain[3:] + plain[-1:]


def varying(frames: int, *, mark: bytes = b"Xing") -> bytes:
    """Write frames of three rates behind one that says how many they are."""
    sound = b"".join(frame((64, 128, 192)[number % 3]) for number in range(frames))
    told = mark + b"\0\0\0\x03" + frames.to_bytes(4, "big")
    size = len(frame(64))
    told += (size + len(sound)).to_bytes(4, "big")
    return (frame(64)[:4] + bytes(32) + told).ljust(size, b"\0") + sound


def tagged(sound: bytes) -> bytes:
    """Put tags of three kinds around it, with a mark in each."""
    kinds: Any = id3  # which has no types
    tags = kinds.ID3()
    tags.add(kinds.TIT2(encoding=3, text=MARK.decode()))
    tags.add(kinds.COMM(encoding=3, lang="eng", desc="", text=MARK.decode()))
    tags.add(
        kinds.GEOB(encoding=0, mime="application/x-c2pa", filename="", desc="", data=MARK * 400)
    )
    front = io.BytesIO()
    tags.save(front)
    lyrics = b"APETAGEX" + MARK.ljust(300, b"\0")
    return front.getvalue() + sound + lyrics + (b"TAG" + MARK).ljust(128, b"\0")


def length_s(data: bytes) -> float:
    """Ask somebody else how long it plays."""
    info: Any = MP3(io.BytesIO(data)).info  # type: ignore[no-untyped-call]
    return float(info.length)


@pytest.mark.parametrize("frames", [3, 38, 115, 11_485])
def test_the_length_is_that_of_all_frames(frames: int) -> None:
    shaped = shape(constant(frames), MusicWork())
    assert (shaped.media_type, shaped.media_ms) == ("audio/mpeg", round(frames * FRAME_MS))
    assert shaped.data == constant(frames)
    assert length_s(shaped.data) == pytest.approx(shaped.media_ms / 1000, abs=0.001)


def test_the_length_of_a_varying_rate_is_true_as_well() -> None:
    for mark in (b"Xing", b"Info"):
        shaped = shape(varying(383, mark=mark), MusicWork())
        assert shaped.media_ms == 10_005
        assert shaped.data == varying(383, mark=mark)
        assert length_s(shaped.data) == pytest.approx(10.005, abs=0.001)


def test_tags_are_gone_and_the_sound_is_not() -> None:
    for sound in (constant(50), varying(50)):
        shaped = shape(tagged(sound), MusicWork())
        assert MARK not in shaped.data
        assert shaped.data == sound


@pytest.mark.parametrize(
    ("asked_ms", "frames"),
    [(1, 1), (26, 1), (27, 2), (1000, 39), (2000, 77), (2500, 96), (2612, 100), (2613, 101)],
)
def test_a_piece_is_cut_after_the_first_frame_that_reaches_the_length(
    asked_ms: int, frames: int
) -> None:
    shaped = shape(tagged(constant(115)), MusicWork(length_ms=asked_ms))
    assert shaped.data == constant(frames)
    assert shaped.media_ms == round(frames * FRAME_MS)
    assert 0 <= shaped.media_ms - asked_ms <= 27


def test_a_piece_that_is_short_enough_is_left_whole() -> None:
    for asked_ms in (3004, 3005, 300_000):
        shaped = shape(constant(115), MusicWork(length_ms=asked_ms))
        assert (shaped.data, shaped.media_ms) == (constant(115), 3004)


def test_a_cut_piece_of_varying_rate_says_its_new_length() -> None:
    whole = varying(383)
    shaped = shape(whole, MusicWork(length_ms=2000))
    size = len(frame(64))
    assert shaped.media_ms == 2011
    assert shaped.data[size:] == whole[size:][: len(shaped.data) - size]
    told = shaped.data[36:52]
    assert told == b"Xing\0\0\0\x03" + (77).to_bytes(4, "big") + len(shaped.data).to_bytes(4, "big")
    assert length_s(shaped.data) == pytest.approx(2.011, abs=0.001)


def test_a_cut_piece_of_constant_rate_says_nothing_of_its_old_length() -> None:
    told = b"Info\0\0\0\x01" + (383).to_bytes(4, "big")
    first = (frame()[:4] + bytes(32) + told).ljust(len(frame()), b"\0")
    shaped = shape(first + constant(383), MusicWork(length_ms=1000))
    assert shaped.data == constant(39)
    assert length_s(shaped.data) == pytest.approx(1.019, abs=0.001)


def test_a_last_frame_that_is_not_whole_is_dropped() -> None:
    assert shape(constant(50)[:-1], MusicWork()).data == constant(49)
    assert shape(constant(50) + frame()[:100], MusicWork()).data == constant(50)


NO_MP3 = {
    "nothing": b"",
    "zeros": bytes(10_000),
    "noise": os.urandom(10_000),
    "a picture": image(),
    "a wave": b"RIFF\x24\x08\0\0WAVEfmt " + bytes(2000),
    "an ogg": b"OggS" + bytes(2000),
    "a page": b"<html><body>503 Service Unavailable</body></html>",
    "two frames": constant(2),
    "a tag alone": b"ID3\x04\0\0\0\0\x0f\x7f" + bytes(2047),
    "a tag that says it is endless": b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + constant(50),
    "a tag whose size is none": b"ID3\x04\0\0\xff\xff\xff\xff" + constant(50),
    "frames with garbage between them": constant(20) + bytes(5000) + constant(20),
    "frames of two samplings": constant(20) + frame().replace(b"\x90\x40", b"\x94\x40") * 20,
    "a page behind three frames": constant(3) + b"<script>alert(1)</script>" * 400,
    "layer two": bytes((0xFF, 0xFD, 0x90, 0x40)).ljust(417, b"\0") * 20,
    "advanced audio": bytes((0xFF, 0xF1, 0x50, 0x80)).ljust(417, b"\0") * 20,
    "free format": bytes((0xFF, 0xFB, 0x00, 0x40)).ljust(417, b"\0") * 20,
}


@pytest.mark.parametrize("name", NO_MP3)
def test_what_is_no_mp3_is_refused(name: str) -> None:
    for work in (MusicWork(), MusicWork(length_ms=1000)):
        with pytest.raises(UnusableFile) as caught:
            shape(NO_MP3[name], work)
        assert not caught.value.retryable


def test_a_picture_is_no_music_and_music_no_picture() -> None:
    with pytest.raises(UnusableFile):
        shape(constant(50), ImageWork())
    with pytest.raises(UnusableFile):
        shape(image(), MusicWork())


@pytest.mark.parametrize(
    ("header", "size", "sampling_hz", "samples"),
    [
        ("fffb9064", 417, 44_100, 1152),
        ("fffb9264", 418, 44_100, 1152),
        ("fffbe444", 960, 48_000, 1152),
        ("fffb1844", 144, 32_000, 1152),
        ("fff38064", 208, 22_050, 576),
        ("fff384c4", 192, 24_000, 576),
        ("ffe318c4", 72, 8_000, 576),
    ],
)
def test_a_header_tells_the_size_of_its_frame(
    header: str, size: int, sampling_hz: int, samples: int
) -> None:
    found = read_frame(bytes.fromhex(header))
    assert found is not None
    assert (found.size_bytes, found.sampling_hz, found.samples) == (size, sampling_hz, samples)


def test_lower_samplings_are_measured_as_truly() -> None:
    sound = bytes.fromhex("fff384c4").ljust(192, b"\0") * 400
    found = read_mp3(sound)
    assert found.length_ms == 9_600
    assert length_s(sound) == pytest.approx(9.6, abs=0.001)
