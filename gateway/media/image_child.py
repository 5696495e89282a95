"""The process that touches images nobody vouches for: `python -m gateway.media.image_child`.

It has no secret in its environment, 512 MB of address space, some seconds of processor time for
each image, and no way to write files. It reads from its standard input and answers on its standard
output (image_wire.py) until the input ends.
"""

import os
import resource
from typing import BinaryIO

import msgspec

from gateway.media.errors import NoPicture, UnusableFile
from gateway.media.image_wire import LENGTHS, MadePicture, Reply
from gateway.media.images import shape_image
from gateway.media.works import ImageFitWork, ImageWork, PictureWork, Shaped

MEMORY_BYTES = 512 * 1024 * 1024
CPU_S = 25
_NICENESS = 10
"""Requests that wait for nothing of this come first."""
_WORK = msgspec.json.Decoder(PictureWork)
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
        work = _WORK.decode(questions.read(head_bytes))
        _allow_cpu()
        reply, made = _answer(questions.read(data_bytes), work)
        _write(answers, reply, made)
        if reply.last:
            return


def _answer(data: bytes, work: PictureWork) -> tuple[Reply, list[bytes]]:
    try:
        made = _made(data, work)
    except UnusableFile as error:
        return Reply(refused=error.message, no_picture=isinstance(error, NoPicture)), []
    except MemoryError:
        return Reply(refused="The image takes too much memory to work on.", last=True), []
    except Exception as error:  # noqa: BLE001  the parent logs it; the file is somebody else's
        return Reply(bug=repr(error)[:500], last=True), []
    return Reply(made=tuple(_described(each) for each in made)), [each.data for each in made]


def _made(data: bytes, work: PictureWork) -> list[Shaped]:
    if isinstance(work, ImageWork):
        return [shape_image(data, work)]
    return _fitted(data, work)


def _fitted(data: bytes, work: ImageFitWork) -> list[Shaped]:
    from gateway.media.fit import fit_images  # few children need it

    asked = work.request
    return [
        Shaped(
            data=made,
            media_type=f"image/{asked.output_format}",
            width=target.width,
            height=target.height,
        )
        for made, target in zip(fit_images(data, asked), asked.targets, strict=True)
    ]


def _described(made: Shaped) -> MadePicture:
    return MadePicture(
        media_type=made.media_type,
        width=made.width,
        height=made.height,
        size_bytes=len(made.data),
        original_width=made.original_width,
        original_height=made.original_height,
    )


def _write(answers: BinaryIO, reply: Reply, made: list[bytes]) -> None:
    head = msgspec.json.encode(reply)
    answers.write(LENGTHS.pack(len(head), sum(len(each) for each in made)) + head)
    for each in made:
        answers.write(each)
    answers.flush()


def _confine() -> None:
    os.nice(_NICENESS)
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
