"""Encoding and decoding: each format plays what went in, as long as it was."""

import io

import mutagen
import pytest

from gateway.sound.containers import BrokenSound
from gateway.sound.decoding import Decoder, decode
from gateway.sound.encoding import Encoder, encode
from gateway.sound.formats import FORMATS, SoundFormat, bytes_of, duration_ms, media_type_of
from gateway.sound.measuring import SoundMeter
from tests.gateway.sound.waves import pieces, pitch_hz, tone

PADDED = {"mp3": 100, "aac": 130}
"""What encoders add at most, in ms, where the format cannot say it; the others add nothing."""

each_format = pytest.mark.parametrize("format", FORMATS)
each_rate = pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])


def streamed(pcm: bytes, format: SoundFormat, rate: int) -> bytes:
    encoder = Encoder(format, sample_rate=rate)
    made = b"".join(encoder.feed(piece) for piece in pieces(pcm))
    return made + encoder.finish()


@each_format
@each_rate
def test_a_tone_keeps_its_pitch_and_length_through_every_format(
    format: SoundFormat, rate: int
) -> None:
    made = streamed(tone(440, 1.5, rate=rate), format, rate)
    decoder = Decoder(format, sample_rate=rate, pcm_rate=rate)
    heard = b"".join(decoder.feed(piece) for piece in pieces(made)) + decoder.finish()
    assert pitch_hz(heard, rate=rate) == pytest.approx(440, rel=0.001)
    assert 1500 <= duration_ms(len(heard), rate) <= 1500 + PADDED.get(format, 1)


def test_the_meter_goes_on_behind_what_is_no_frame() -> None:
    sound = encode(tone(440, 1.5), "mp3", sample_rate=24_000)
    meter, whole = SoundMeter("mp3"), SoundMeter("mp3")
    whole.feed(sound)
    meter.feed(sound + bytes(5000) + b"\xff\x00" * 40 + sound)
    assert meter.duration_ms == 2 * whole.duration_ms > 3000


@each_format
@each_rate
def test_the_meter_counts_what_passes_by(format: SoundFormat, rate: int) -> None:
    meter = SoundMeter(format, pcm_rate=rate)
    for piece in pieces(streamed(tone(440, 1.5, rate=rate), format, rate)):
        meter.feed(piece)
    meter.finish()
    assert 1500 <= meter.duration_ms <= 1500 + PADDED.get(format, 1)


@pytest.mark.parametrize("format", ["flac", "wav", "opus"])
def test_a_whole_file_says_its_true_length(format: SoundFormat) -> None:
    file = mutagen.File(io.BytesIO(encode(tone(300, 2.5), format, sample_rate=24_000)))
    assert file.info.length == pytest.approx(2.5, abs=0.001)


def test_a_whole_mp3_plays_what_went_in_sample_by_sample() -> None:
    made = encode(tone(300, 2.5), "mp3", sample_rate=24_000)
    assert len(decode(made, "mp3")) == len(tone(300, 2.5))
    meter = SoundMeter("mp3")
    meter.feed(made)
    assert mutagen.File(io.BytesIO(made)).info.length * 1000 == pytest.approx(
        meter.duration_ms, abs=1
    )


@pytest.mark.parametrize("format", ["flac", "wav", "pcm"])
def test_lossless_formats_give_back_the_same_samples(format: SoundFormat) -> None:
    sound = tone(440, 0.5)
    assert decode(streamed(sound, format, 24_000), format) == sound


def test_sound_comes_out_while_it_goes_in() -> None:
    for format in FORMATS:
        encoder = Encoder(format, sample_rate=24_000)
        assert encoder.feed(tone(440, 0.4)) != b""


def test_an_encoder_counts_what_it_took() -> None:
    encoder = Encoder("mp3", sample_rate=24_000)
    encoder.feed(tone(440, 0.25) + b"\x01")
    assert (encoder.samples, encoder.duration_ms) == (6000, 250)


@each_format
def test_no_sound_at_all_is_no_error(format: SoundFormat) -> None:
    encoder = Encoder(format, sample_rate=24_000)
    encoder.feed(b"")
    assert decode(encoder.finish(), format) == b""


def test_a_wav_of_unknown_length_says_so_and_a_known_one_says_it() -> None:
    unknown = Encoder("wav", sample_rate=24_000).feed(tone(440, 0.1))
    known = Encoder("wav", sample_rate=24_000, samples=2400).feed(tone(440, 0.1))
    assert (unknown[4:8], unknown[40:44]) == (b"\xff" * 4, b"\xff" * 4)
    assert int.from_bytes(known[40:44], "little") == 4800
    assert int.from_bytes(known[4:8], "little") == 4836


def test_a_rate_that_no_format_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="12345 Hz"):
        Encoder("mp3", sample_rate=12_345)


@pytest.mark.parametrize("format", ["wav", "flac", "opus"])
def test_bytes_of_another_kind_are_broken_sound(format: SoundFormat) -> None:
    with pytest.raises(BrokenSound):
        decode(b"<html>" + bytes(2000), format)


def test_garbage_does_not_stop_the_meter() -> None:
    meter = SoundMeter("mp3")
    meter.feed(bytes(range(256)) * 40)
    meter.feed(encode(tone(440, 1), "mp3", sample_rate=24_000))
    assert meter.duration_ms >= 1000


def test_media_types_are_those_of_the_formats() -> None:
    assert [media_type_of(format) for format in FORMATS] == [
        "audio/mpeg",
        "audio/ogg",
        "audio/aac",
        "audio/flac",
        "audio/wav",
        "audio/pcm",
    ]


def test_bytes_and_milliseconds_are_whole_samples() -> None:
    assert (bytes_of(5, 22_050), duration_ms(48_000, 24_000)) == (220, 1000)
