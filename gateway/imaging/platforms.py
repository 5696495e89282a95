"""What social networks want of pictures: formats by name, limits, and what they cover, as data.

platforms.json says for each network where its numbers are from and when they were read. Where a
network names no margin, a twentieth of each side is kept free. A megabyte is 1 000 000 bytes, so
that a limit is kept whatever the network means by it.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from gateway.operations.image_fit import FitTarget

_FILE = Path(__file__).with_name("platforms.json")
_MB = 1_000_000


class SafeZone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shares of the sides that a network covers, or shows on some devices only."""

    top: float
    bottom: float
    left: float
    right: float


class PlatformFormat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of picture that a network shows. `file_type` is the better one for it."""

    name: str
    width: int
    height: int
    ratio: str
    safe_zone: SafeZone
    file_type: Literal["PNG", "JPG"]
    max_size_mb: float

    def target(self) -> FitTarget:
        """Give what is to be made for it."""
        zone = self.safe_zone
        return FitTarget(
            width=self.width,
            height=self.height,
            most_bytes=int(self.max_size_mb * _MB),
            safe_zone=(zone.top, zone.bottom, zone.left, zone.right),
        )


class Platform(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network. Its first format is what is made where none is named."""

    id: str
    name: str
    file_types: tuple[Literal["PNG", "JPG"], ...]
    max_file_size: str
    source: str
    checked_on: str
    formats: tuple[PlatformFormat, ...]

    def find_format(self, name: str) -> PlatformFormat | None:
        """Find a format by its name, however it is written."""
        wanted = name.strip().casefold()
        return next((one for one in self.formats if one.name.casefold() == wanted), None)


PLATFORMS: Mapping[str, Platform] = MappingProxyType(
    {one.id: one for one in msgspec.json.decode(_FILE.read_bytes(), type=tuple[Platform, ...])}
)


def find_platform(name: str) -> Platform | None:
    """Find a network by its id, however it is written."""
    return PLATFORMS.get(name.strip().casefold())
