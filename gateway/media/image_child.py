"""The process that touches images nobody vouches for: `python -m gateway.media.image_child`.

It has no secret in its environment, 512 MB of address space, some seconds of processor time for
each image, and no way to write files. It reads from its standard input and answers on its standard
output (image_wire.py) until the input ends.
"""

import os
import resource
from typing import BinaryIO

import msgspec

from gateway.media.errors import UnusableFile
from gateway.media.image_wire import LENGTHS, Reply
from gateway.media.images import shape_image
from gateway.media.works import ImageWork

MEMORY_BYTES = 512 * 1024 * 1024
CPU_S = 25
_MOST_OPEN_FILES = 16


def main() -> None:
    """Serve until the input ends."""
    # What a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    questions = os.fdopen(0, "rb")
    _confine()
    while head := questions.read(LENGTHS.size):
        head_bytes, data_bytes = LENGTHS.unpack(head)
        work = msgspec.json.decode(questions.read(head_bytes), type=ImageWork)
        _allow_cpu()
        reply, made = _shape(questions.read(data_bytes), work)
        _write(answers, reply, made)
        if reply.last:
            return


def _shape(data: bytes, work: ImageWork) -> tuple[Reply, bytes]:
    try:
        shaped = shape_image(data, work)
    except UnusableFile as error:
        return Reply(refused=error.message), b""
    except MemoryError:
        return Reply(refused="The image takes too much memory to work on.", last=True), b""
    except Exception as error:  # noqa: BLE001  the parent logs it; the file is somebody else's
        return Reply(bug=repr(error)[:500], last=True), b""
    reply = Reply(media_type=shaped.media_type, width=shaped.width, height=shaped.height)
    return reply, shaped.data


def _write(answers: BinaryIO, reply: Reply, made: bytes) -> None:
    head = msgspec.json.encode(reply)
    answers.write(LENGTHS.pack(len(head), len(made)) + head)
    answers.write(made)
    answers.flush()


def _confine() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_OPEN_FILES, _MOST_OPEN_FILES))


def _allow_cpu() -> None:
    """Let the next image have its seconds; past them the system ends this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit_s = int(used.ru_utime + used.ru_stime) + CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (limit_s, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
