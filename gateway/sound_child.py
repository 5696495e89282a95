"""The process that opens sounds nobody vouches for: `python -m gateway.sound_child`.

It has no secret in its environment, 1 GB of address space, some seconds of processor time for each
sound and no way to write files. It reads from its standard input, a line that says what comes (its
kind, how long it may be in ms, its size in bytes) and the file; it answers with a line of JSON, and
waits for the next one until the input ends.

The length is what a decoder makes of the file, not what the file says of itself: it is paid for.
Where each packet has its length in its first byte (Opus) or in its frame's header (MP3), that is
read in place of decoding: no file can have a decoder make more of it.
Source: RFC 6716, section 3.1 (Opus); ISO/IEC 11172-3 (MP3's frames).
"""

import io
import logging
import os
import resource
import sys
from fractions import Fraction

import av
import msgspec
from av.audio.stream import AudioStream

MEMORY_BYTES = 1024 * 1024 * 1024
CPU_S = 20
_NICENESS = 10
_MOST_OPEN_FILES = 16
_FORMATS = {
    "flac": "flac",
    "mp3": "mp3",
    "mp4": "mov",
    "ogg": "ogg",
    "wav": "wav",
    "webm": "matroska",
}
_OPUS_HZ = 48_000
_OPUS_FRAME = (480, 960, 1920, 2880)
_OPUS_HYBRID_FRAME = (480, 960)
_OPUS_CELT_FRAME = (120, 240, 480, 960)
_CELT_FROM, _HYBRID_FROM = 16, 12


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: a length, 0 where there is no sound; or that there is more than `most_ms`."""

    media_ms: int = 0
    too_long: bool = False


def main() -> None:
    """Serve until the input ends."""
    # What a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    questions = sys.stdin.buffer
    _confine()
    logging.getLogger("libav").setLevel(logging.CRITICAL)
    while line := questions.readline():
        kind, most_ms, size_bytes = line.decode().split()
        data = questions.read(int(size_bytes))
        _allow_cpu()
        found = measured(data, kind=kind, most_ms=int(most_ms))
        answers.write(msgspec.json.encode(found) + b"\n")


def measured(data: bytes, *, kind: str, most_ms: int) -> Measured:
    """Measure the longest sound in a file, as far as it can be read; a broken end ends it.

    It is opened as what it is by its first bytes: FFmpeg's own guess may be a list of other files.
    """
    try:
        container = av.open(io.BytesIO(data), "r", format=_FORMATS[kind])
    except (av.FFmpegError, ValueError):
        return Measured()
    with container:
        lengths = {stream.index: Fraction(0) for stream in container.streams.audio}
        most_s = Fraction(most_ms, 1000)
        try:
            for packet in container.demux(container.streams.audio) if lengths else ():
                lengths[packet.stream.index] += _packet_s(packet, container.format.name)
                if lengths[packet.stream.index] > most_s:
                    return Measured(too_long=True)
        except (av.FFmpegError, ValueError):
            pass  # what could be read before is what counts
        longest_s = max(lengths.values(), default=Fraction(0))
    return Measured(media_ms=round(longest_s * 1000))


def _packet_s(packet: "av.Packet[AudioStream]", container: str) -> Fraction:
    codec = packet.stream.codec_context.name
    if codec == "opus" and packet.size:
        return Fraction(_opus_samples(bytes(packet)[:2]), _OPUS_HZ)
    if codec in ("mp3", "mp3float") and container == "mp3":
        return (packet.duration or 0) * (packet.time_base or Fraction(0))
    return sum(
        (Fraction(frame.samples, frame.sample_rate or 1) for frame in packet.decode()),
        start=Fraction(0),
    )


def _opus_samples(head: bytes) -> int:
    """Read how many samples a packet holds, at 48 kHz."""
    config, code = head[0] >> 3, head[0] & 3
    if config >= _CELT_FROM:
        frame = _OPUS_CELT_FRAME[config & 3]
    elif config >= _HYBRID_FROM:
        frame = _OPUS_HYBRID_FRAME[config & 1]
    else:
        frame = _OPUS_FRAME[config & 3]
    if code == 3:  # noqa: PLR2004  the count is in the next byte
        return frame * (head[1] & 0x3F) if len(head) > 1 else 0
    return frame if code == 0 else 2 * frame


def _confine() -> None:
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_OPEN_FILES, _MOST_OPEN_FILES))


def _allow_cpu() -> None:
    """Let the next sound have its seconds; past them the system ends this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit_s = int(used.ru_utime + used.ru_stime) + CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (limit_s, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
