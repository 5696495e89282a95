"""Images that nobody should trust, made here: bombs, cut ones, other formats in disguise."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from functools import cache

from PIL import Image, ImageCms, PngImagePlugin

MARK = b"a-mark-that-must-not-survive"
_PNG = b"\x89PNG\r\n\x1a\n"


@cache
def _bomb() -> bytes:
    """Compress 200 MB of nothing, a piece at a time: this process must not grow by it."""
    packer = zlib.compressobj(9)
    packed = [packer.compress(bytes(1024 * 1024)) for _ in range(200)]
    return b"".join(packed) + packer.flush()


def chunk(kind: bytes, data: bytes) -> bytes:
    """Write a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int, color: int = 2) -> bytes:
    """Write a PNG's signature and header, for 8 bits a sample."""
    return _PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0))


def image(
    format: str = "PNG",
    size: tuple[int, int] = (64, 48),
    mode: str = "RGB",
    *,
    color: object = (200, 30, 30),
    **options: object,
) -> bytes:
    """Write a picture of one colour."""
    written = io.BytesIO()
    picture = Image.new(mode, size, color)  # type: ignore[arg-type]
    picture.save(written, format, **options)
    return written.getvalue()


def noise(size: tuple[int, int]) -> bytes:
    """Write a picture that nothing can make smaller, as an RGB PNG."""
    picture = Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3))
    written = io.BytesIO()
    picture.save(written, "PNG", compress_level=0)
    return written.getvalue()


def _with_chunk(kind: bytes, data: bytes) -> bytes:
    whole = image()
    return whole[:33] + chunk(kind, data) + whole[33:]


def _jpeg_of_size(width: int, height: int) -> bytes:
    whole = bytearray(image("JPEG"))
    at = whole.index(b"\xff\xc0") + 5
    whole[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(whole)


def _webp_of_size(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size + image("WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _cut(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def _busy(format: str) -> bytes:
    written = io.BytesIO()
    Image.effect_noise((256, 256), 60).convert("RGB").save(written, format)
    return written.getvalue()


REFUSED: dict[str, Callable[[], bytes]] = {
    "png of 50 000 x 50 000": lambda: (
        header(50_000, 50_000) + chunk(b"IDAT", _bomb()) + chunk(b"IEND", b"")
    ),
    "png of 2**31-1 x 2**31-1": lambda: header(2**31 - 1, 2**31 - 1) + chunk(b"IDAT", b"x"),
    "png of no pixels": lambda: header(0, 10) + chunk(b"IDAT", b"x") + chunk(b"IEND", b""),
    "png one side too long": lambda: image(size=(8193, 4), mode="L", color=0),
    "png of 20 million and some pixels": lambda: image(size=(5000, 4001), mode="1", color=0),
    "jpeg of 65 500 x 65 500": lambda: _jpeg_of_size(65_500, 65_500),
    "webp of 16 383 x 16 383": lambda: _webp_of_size(16_383, 16_383),
    "webp of 2**24 x 2": lambda: _webp_of_size(2**24, 2),
    "png without data": lambda: header(64, 48) + chunk(b"IEND", b""),
    "png with a wrong checksum": lambda: image()[:40] + b"\0\0\0\0" + image()[44:],
    "png cut": lambda: _cut(_busy("PNG")),
    "jpeg cut": lambda: _cut(_busy("JPEG")),
    "webp cut": lambda: _cut(_busy("WEBP")),
    "png cut in its header": lambda: image()[:20],
    "zTXt that grows to 200 MB": lambda: _with_chunk(b"zTXt", b"Comment\0\0" + _bomb()),
    "iTXt that grows to 200 MB": lambda: _with_chunk(b"iTXt", b"Comment\0\1\0\0\0" + _bomb()),
    "iCCP that grows to 200 MB": lambda: _with_chunk(b"iCCP", b"profile\0\0" + _bomb()),
    "a jpeg's first bytes before a png": lambda: b"\xff\xd8\xff" + image()[3:],
    "a png's first bytes before a jpeg": lambda: _PNG + image("JPEG"),
    "nothing of an image": lambda: os.urandom(4096),
    "a text": lambda: b"<html><script>alert(1)</script></html>",
    "gif": lambda: image("GIF"),
    "bmp": lambda: image("BMP"),
    "tiff": lambda: image("TIFF"),
    "eps": lambda: image("EPS"),
    "ico": lambda: image("ICO"),
    "pdf": lambda: image("PDF"),
    "tga": lambda: image("TGA"),
    "ppm": lambda: image("PPM"),
    "jpeg 2000": lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(200),
    "psd": lambda: b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 48, 64, 8, 3) + bytes(200),
    "fits": lambda: b"SIMPLE  =                    T".ljust(2880) + bytes(2880),
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "avif": lambda: b"\0\0\0\x20ftypavif" + bytes(200),
    "mp3": lambda: b"ID3\x04\0\0\0\0\0\0" + b"\xff\xfb\x90\x64" + bytes(413),
    "zip": lambda: b"PK\x03\x04" + bytes(200),
    "one byte": lambda: b"\x89",
}


def _animated(format: str) -> bytes:
    pictures = [Image.new("RGB", (64, 48), (red, 0, 0)) for red in (10, 120, 240)]
    written = io.BytesIO()
    pictures[0].save(written, format, save_all=True, append_images=pictures[1:], lossless=True)
    return written.getvalue()


def _with_text() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", MARK.decode())
    text.add_itxt("Software", MARK.decode(), zip=True)
    return image(pnginfo=text, exif=_exif())


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x010E] = MARK.decode()
    exif[0x8298] = MARK.decode()
    return exif.tobytes()


def _profile() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile + MARK


ACCEPTED: dict[str, Callable[[], bytes]] = {
    "png with texts and EXIF": _with_text,
    "jpeg with EXIF, a comment and a profile": lambda: image(
        "JPEG", exif=_exif(), comment=MARK, icc_profile=_profile()
    ),
    "webp with EXIF, XMP and a profile": lambda: image(
        "WEBP", exif=_exif(), xmp=MARK, icc_profile=_profile()
    ),
    "png with a profile": lambda: image(icc_profile=_profile()),
    "png that is a zip as well": lambda: image() + b"PK\x03\x04" + MARK,
    "jpeg that is a page as well": lambda: image("JPEG") + b"<script>" + MARK + b"</script>",
    "webp that is a zip as well": lambda: image("WEBP") + b"PK\x03\x04" + MARK,
    "png with data of its own": lambda: _with_chunk(b"prVt", MARK),
    "png whose pixels grow to 200 MB": lambda: (
        header(64, 48) + chunk(b"IDAT", _bomb()) + chunk(b"IEND", b"")
    ),
    "animated png": lambda: _animated("PNG"),
    "animated webp": lambda: _animated("WEBP"),
}
