"""What goes between us and a child that works on images.

Both ways: two lengths (4 bytes each, big-endian), a head in JSON, the bytes. The head of a question
is an ImageWork. Apart from the child's module, so that we never load a decoder ourselves.
"""

import struct

import msgspec

LENGTHS = struct.Struct(">II")


class Reply(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The head of an answer. `refused` says what is wrong with the image, `bug` with us.

    After `last` the process ends.
    """

    media_type: str = ""
    width: int = 0
    height: int = 0
    refused: str = ""
    bug: str = ""
    last: bool = False
