"""What goes between us and a child that works on images.

Both ways: two lengths (4 bytes each, big-endian), a head in JSON, the bytes. The head of a question
is a PictureWork, that of an answer a Reply, whose pictures follow one after the other. Apart from
the child's module, so that we never load a decoder ourselves.
"""

import struct

import msgspec

LENGTHS = struct.Struct(">II")


class MadePicture(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of an answer; sides are pixels."""

    media_type: str
    width: int
    height: int
    size_bytes: int
    original_width: int = 0
    original_height: int = 0


class Reply(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The head of an answer. `refused` says what is wrong with the image, `bug` with us.

    `no_picture` says that it is none at all. After `last` the process ends.
    """

    made: tuple[MadePicture, ...] = ()
    refused: str = ""
    no_picture: bool = False
    bug: str = ""
    last: bool = False
