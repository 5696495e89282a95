"""Addresses that somebody else gave us: where a URL leads, and whether we may go there.

It must be https on port 443, and every IP address behind its name must be of the public internet.
Who connects does so to the address that was checked and follows no redirect. Origins that the
operator lists (the sandbox, a test sink) are exempt from all this.
"""

import ipaddress
import re
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

import msgspec

_LONGEST_URL = 2048
_HTTPS_PORT = 443
_URL = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(r"[0-9A-Za-z.-]+|\[[0-9A-Fa-f:.]+\]")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_SPECIAL = (
    ipaddress.ip_network("192.0.0.0/24"),  # protocols' own, a cloud's metadata among them
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4, which may lead to any IPv4 address
    ipaddress.ip_network("2002::/16"),
    ipaddress.ip_network("3fff::/20"),  # for documents since RFC 9637, which Python 3.11 predates
)


class AddressRefused(Exception):
    """The address is none that we go to; it will not become one by trying again."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a URL leads: `host` without brackets; `target` is path and query."""

    host: str
    port: int
    target: str
    tls: bool
    allowed: bool

    @property
    def authority(self) -> str:
        """What the `Host` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _HTTPS_PORT and self.tls else f"{host}:{self.port}"


def read_address(url: str, *, allowed_origins: Collection[str] = ()) -> Address:
    """Read where a URL leads, without asking anybody. Raises: AddressRefused."""
    if not _URL.fullmatch(url) or "\\" in url or len(url) > _LONGEST_URL:
        raise AddressRefused("The URL must be printable ASCII of at most 2048 characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused("This is no URL.") from error
    allowed = f"{parts.scheme}://{parts.netloc}" in allowed_origins
    if parts.fragment or "@" in parts.netloc or not parts.hostname:
        raise AddressRefused("The URL must have a host, no user and no fragment.")
    if not _HOST.fullmatch(parts.netloc.removesuffix(f":{port}")):
        raise AddressRefused("The URL's host must be a name, in punycode where it is not ASCII.")
    if not allowed and (parts.scheme != "https" or port not in (None, _HTTPS_PORT)):
        raise AddressRefused("The URL must be https, on port 443.")
    tls = parts.scheme == "https"
    return Address(
        host=parts.hostname,
        port=port or (_HTTPS_PORT if tls else 80),
        target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        tls=tls,
        allowed=allowed,
    )


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet and leads nowhere else."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if not found.is_global or found.is_multicast or found.is_reserved:
        return False
    if any(found in special for special in _SPECIAL if special.version == found.version):
        return False
    if isinstance(found, ipaddress.IPv4Address):
        return True
    # Mapped, translated (64:ff9b::/96) and local ones lie outside; Teredo carries an IPv4 inside.
    return found in _GLOBAL_UNICAST and found.teredo is None and found.ipv4_mapped is None


def choose_address(address: Address, found: Sequence[str]) -> str:
    """Choose the one IP address to connect to; all of a name's must be public.

    Raises: AddressRefused; OSError if the name has none, which may change.
    """
    if not found:
        raise OSError("the name has no address")
    if not address.allowed and not all(map(is_public, found)):
        raise AddressRefused("The URL's host must have public addresses only.")
    return found[0]
