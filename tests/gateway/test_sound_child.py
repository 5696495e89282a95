"""Sounds of strangers are measured by what is in them, within limits, and never trusted."""

import asyncio
import random
import struct

import pytest

from gateway.operations.transcription import SoundKind
from gateway.sound_child import measured
from gateway.transcribing import measure_sound
from sandbox.voices_files import Form, length_ms_of, speech
from studio.core.errors import InvalidRequest

TEXT = "The kettle sang."
LENGTH_MS = length_ms_of(TEXT)
FORMS: dict[SoundKind, Form] = {
    "flac": Form("flac", "flac", 24_000),
    "mp3": Form("mp3", "libmp3lame", 24_000, 64_000),
    "ogg": Form("ogg", "libopus", 48_000, 32_000),
    "wav": Form("wav", "pcm_s16le", 24_000),
    "webm": Form("webm", "libopus", 48_000, 32_000),
}
HOUR_MS = 3_600_000


def sound(kind: SoundKind, text: str = TEXT) -> bytes:
    """Speak a text into a file."""
    return b"".join(speech(text, "rachel", FORMS[kind]))


@pytest.mark.parametrize("kind", sorted(FORMS))
def test_every_kind_is_as_long_as_it_sounds(kind: SoundKind) -> None:
    found = measured(sound(kind), kind=kind, most_ms=HOUR_MS)
    assert LENGTH_MS <= found.media_ms < LENGTH_MS + 100


def test_what_a_header_claims_is_not_believed() -> None:
    whole = sound("wav")
    rate_at = whole.index(b"fmt ") + 12
    assert struct.unpack_from("<I", whole, rate_at) == (24_000,)
    claimed = bytearray(sound("flac"))
    # The count of all samples, in the last 36 bits before the digest: nearly none.
    claimed[4 + 4 + 13 : 4 + 4 + 18] = bytes((claimed[21] & 0xF0, 0, 0, 0, 1))
    found = measured(bytes(claimed), kind="flac", most_ms=HOUR_MS)
    assert found.media_ms == LENGTH_MS


def test_a_sound_beyond_the_limit_is_not_read_to_its_end() -> None:
    found = measured(sound("mp3"), kind="mp3", most_ms=200)
    assert found.too_long


@pytest.mark.parametrize("kind", ["flac", "mp3", "mp4", "ogg", "wav", "webm"])
@pytest.mark.parametrize("data", [b"", b"x" * 1000, b"#EXTM3U\nhttp://127.0.0.1/a.ts\n"])
def test_what_is_no_sound_has_no_length(kind: SoundKind, data: bytes) -> None:
    assert measured(data, kind=kind, most_ms=HOUR_MS).media_ms == 0


@pytest.mark.parametrize("kind", sorted(FORMS))
def test_garbled_and_cut_sounds_end_where_they_cannot_be_read(kind: SoundKind) -> None:
    numbers = random.Random(7)  # noqa: S311  not for secrets
    whole = sound(kind)
    for _ in range(20):
        body = bytearray(whole[: numbers.randint(1, len(whole))])
        for _ in range(5):
            body[numbers.randrange(len(body))] = numbers.randrange(256)
        found = measured(bytes(body), kind=kind, most_ms=HOUR_MS)
        assert found.media_ms < 100 * LENGTH_MS


def test_a_process_measures_and_is_gone() -> None:
    async def both() -> list[int]:
        asked = [measure_sound(sound(kind), kind) for kind in ("mp3", "wav")]
        return list(await asyncio.gather(*asked))

    lengths = asyncio.run(both())
    assert lengths[1] == LENGTH_MS
    assert LENGTH_MS <= lengths[0] < LENGTH_MS + 100


def test_what_has_no_sound_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        asyncio.run(measure_sound(b"ID3" + bytes(100), "mp3"))
    assert refused.value.details == {"param": "file"}


def test_one_process_measures_many_and_a_strangers_nonsense_between() -> None:
    async def all_of_them() -> list[int]:
        lengths = []
        for _ in range(3):
            lengths.append(await measure_sound(sound("wav"), "wav"))
            with pytest.raises(InvalidRequest):
                await measure_sound(b"OggS" + bytes(1000), "ogg")
        return lengths

    assert asyncio.run(all_of_them()) == [LENGTH_MS] * 3
