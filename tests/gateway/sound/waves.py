"""Samples to test with, and what is heard in them."""

from collections.abc import Iterator

import numpy as np

RATE_HZ = 24_000
CUTS = (1, 7, 100, 999, 4000, 12_345)


def tone(hz: float, seconds: float, *, rate: int = RATE_HZ, peak: int = 10_000) -> bytes:
    """Give a sine that begins at zero."""
    at = np.arange(int(rate * seconds)) / rate
    return (np.sin(at * 2 * np.pi * hz) * peak).astype("<i2").tobytes()


def silence(seconds: float, *, noise: int = 0) -> bytes:
    """Give silence, or the faint noise of a room."""
    chance = np.random.default_rng(7)
    return chance.integers(-noise, noise + 1, int(RATE_HZ * seconds)).astype("<i2").tobytes()


def samples(pcm: bytes) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.frombuffer(pcm, "<i2").astype(np.int64)


def pitch_hz(pcm: bytes, *, rate: int = RATE_HZ) -> float:
    """Give the strongest frequency of the middle half."""
    heard = samples(pcm)
    heard = heard[len(heard) // 4 : 3 * len(heard) // 4]
    points = 1 << 20
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), points))
    return float(np.argmax(spectrum)) * rate / points


def largest_step(pcm: bytes) -> int:
    """Give the largest difference between neighbours: a click is one."""
    return int(np.abs(np.diff(samples(pcm))).max())


def pauses_ms(pcm: bytes, *, below: int = 66, least_ms: float = 20) -> list[float]:
    """Give how long each stretch of quiet lasts."""
    found, count = [], 0
    for quiet in [*(np.abs(samples(pcm)) < below), False]:
        if quiet:
            count += 1
            continue
        if count * 1000 / RATE_HZ >= least_ms:
            found.append(count * 1000 / RATE_HZ)
        count = 0
    return found


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut bytes anywhere, also within a sample or a frame."""
    at, turn = 0, 0
    while at < len(data):
        size = CUTS[turn % len(CUTS)]
        yield data[at : at + size]
        at, turn = at + size, turn + 1
