"""Tempo and joining: the same pitch, no click, no gap."""

import numpy as np
import pytest

from gateway.sound.joining import Joiner, join
from gateway.sound.tempo import Tempo, change_tempo
from tests.gateway.sound.waves import (
    RATE_HZ,
    largest_step,
    pauses_ms,
    pieces,
    pitch_hz,
    samples,
    silence,
    tone,
)

SPEEDS = (0.25, 0.3, 0.5, 0.8, 1.25, 1.7, 2.0, 3.0, 4.0)


@pytest.mark.parametrize("speed", SPEEDS)
def test_speed_changes_the_length_and_not_the_pitch(speed: float) -> None:
    made = change_tempo(tone(220, 4), speed, sample_rate=RATE_HZ)
    assert len(made) / len(tone(220, 4)) == pytest.approx(1 / speed, rel=0.015)
    assert pitch_hz(made) == pytest.approx(220, rel=0.01)


@pytest.mark.parametrize("speed", SPEEDS)
def test_speed_makes_no_click(speed: float) -> None:
    made = change_tempo(tone(220, 2), speed, sample_rate=RATE_HZ)
    assert largest_step(made) <= largest_step(tone(220, 2)) * 1.1
    assert np.abs(samples(made)).max() <= 10_500


def test_tempo_takes_pieces_cut_anywhere() -> None:
    tempo = Tempo(1.5, sample_rate=RATE_HZ)
    made = b"".join(tempo.feed(piece) for piece in pieces(tone(220, 2))) + tempo.finish()
    assert made == change_tempo(tone(220, 2), 1.5, sample_rate=RATE_HZ)


def test_speed_one_leaves_samples_as_they_are() -> None:
    assert change_tempo(tone(220, 0.2), 1.0, sample_rate=RATE_HZ) == tone(220, 0.2)


@pytest.mark.parametrize("speed", [0.2, 4.1, 0, -1, float("nan")])
def test_speeds_beyond_the_limits_are_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Tempo(speed, sample_rate=RATE_HZ)


def test_a_seam_is_a_natural_pause_whatever_silence_the_parts_have() -> None:
    part = silence(0.7, noise=20) + tone(200, 0.5) + silence(1.2, noise=20)
    made = join([part, part, part], sample_rate=RATE_HZ)
    lead, *seams, end = pauses_ms(made)
    assert lead == pytest.approx(30, abs=6)
    assert seams == pytest.approx([242, 242], abs=6)
    assert end == pytest.approx(220, abs=6)


def test_parts_without_silence_are_joined_without_a_click_or_a_gap() -> None:
    part = tone(200, 0.5003)
    made = join([part, part, part], sample_rate=RATE_HZ)
    assert pauses_ms(made) == []
    assert largest_step(made) <= largest_step(part) * 1.6
    assert np.abs(samples(made)).max() <= 10_000 * 2**0.5 + 1
    assert len(made) == 3 * len(part) - 2 * 384


def test_the_beginning_and_the_end_are_faded() -> None:
    loud = (np.ones(RATE_HZ // 2) * 9000).astype("<i2").tobytes()
    made = samples(join([loud], sample_rate=RATE_HZ))
    assert (abs(int(made[0])) < 100, abs(int(made[-1])) < 100) == (True, True)


def test_pitch_of_joined_parts_is_theirs() -> None:
    made = join([tone(200, 1), tone(200, 1)], sample_rate=RATE_HZ)
    assert pitch_hz(made) == pytest.approx(200, rel=0.01)


def test_silent_and_tiny_parts_leave_no_gap() -> None:
    parts = [tone(200, 0.5), silence(3), b"", tone(300, 0.001), tone(200, 0.5)]
    made = join(parts, sample_rate=RATE_HZ)
    assert pauses_ms(made, least_ms=40) == []
    assert join([silence(2), silence(2)], sample_rate=RATE_HZ) == b""


def test_joining_in_pieces_is_joining_whole() -> None:
    part = silence(0.1) + tone(200, 0.4) + silence(0.5) + tone(210, 0.4) + silence(0.05)
    joiner, made = Joiner(sample_rate=RATE_HZ), b""
    for whole in (part, part):
        made += b"".join(joiner.feed(piece) for piece in pieces(whole))
        joiner.next_part()
    made += joiner.finish()
    assert made == join([part, part], sample_rate=RATE_HZ)
    assert 490 <= max(pauses_ms(made)) <= 510


def test_a_joiner_gives_sound_while_the_part_goes_on() -> None:
    joiner = Joiner(sample_rate=RATE_HZ)
    given = joiner.feed(tone(200, 1))
    assert len(given) >= len(tone(200, 0.98))
