"""Where the bytes of files lie: a folder of this machine, or a bucket (s3.py).

`STORAGES["assets"]` names one of the two. Beside Django's methods both have `AssetStorage`'s,
which neither Django's nor django-storages' own can do: put a file whole or not at all, read a part
without the rest, give an address for a redirect. Names are `aa/bb/<sha256>` (stored.py).
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, Protocol, cast

import msgspec
from django.core.files.storage import FileSystemStorage, storages

from gateway.media.errors import StorageUnavailable


class Body(Protocol):
    """The bytes of a part, to be read piece by piece and closed."""

    def read(self, amount: int, /) -> bytes:
        """Give at most so many of the next bytes; none at the end."""

    def close(self) -> None:
        """Let go of it."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A file that lies in storage, and how long ago it was written."""

    name: str
    age_s: float


class AssetStorage(Protocol):
    """What storages of files can do. Everything may raise StorageUnavailable."""

    def put(self, name: str, data: bytes, media_type: str) -> None:
        """Store a file whole, durably. Stored before: left as it is, or written over by itself."""

    def read_part(self, name: str, first: int, count: int) -> Body:
        """Open `count` bytes from `first` on. The reader may have to stop by itself."""

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""

    def redirect_url(self, name: str, media_type: str, disposition: str) -> str | None:
        """Give a short-lived address of the file itself; None if we give the bytes."""

    def found_in(self, folder: str) -> Iterator[Found]:
        """Give everything in one of the 256 folders and below, in no order."""


class LocalFiles(FileSystemStorage):
    """A folder that all processes share."""

    def put(self, name: str, data: bytes, media_type: str) -> None:
        """Write to the side, flush to the disk, then name it: a crash leaves no half file."""
        path = Path(self.path(name))
        try:
            if _size_of(path) == len(data):
                return
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as part:
                part.write(data)
                part.flush()
                os.fsync(part.fileno())
            os.replace(part.name, path)
            _flush_folder(path.parent)
        except OSError as error:
            raise StorageUnavailable("The file could not be stored.") from error

    def read_part(self, name: str, first: int, count: int) -> Body:
        """Open the file at `first`."""
        try:
            opened: BinaryIO = Path(self.path(name)).open("rb")  # noqa: SIM115  the reader's
            opened.seek(first)
        except OSError as error:
            raise StorageUnavailable("The file cannot be read right now.") from error
        return opened

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        try:
            Path(self.path(name)).unlink(missing_ok=True)
        except OSError as error:
            raise StorageUnavailable("The file could not be deleted.") from error

    def redirect_url(self, name: str, media_type: str, disposition: str) -> str | None:
        """Give none: nobody else serves the folder."""
        return None

    def found_in(self, folder: str) -> Iterator[Found]:
        """Walk through a folder; nothing of one that is not there."""
        root = Path(self.path(""))
        now_s = time.time()
        try:
            for path in Path(self.path(folder)).glob("*/*"):
                age_s = now_s - path.stat().st_mtime
                yield Found(name=path.relative_to(root).as_posix(), age_s=age_s)
        except FileNotFoundError:
            return  # somebody else was faster; the next walk sees the rest
        except OSError as error:
            raise StorageUnavailable("The files cannot be listed right now.") from error


def _size_of(path: Path) -> int | None:
    """Give a file's size; None if it is not there, or not any more."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _flush_folder(path: Path) -> None:
    """Make a new name in a folder as durable as the file behind it."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def asset_storage() -> AssetStorage:
    """Give the storage that the settings name."""
    return cast("AssetStorage", storages["assets"])
