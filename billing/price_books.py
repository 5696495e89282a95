"""Every write of the price book: a version is never changed, each write makes the next one.

A price that staff edited is theirs: loading prices.toml again leaves it as it is until staff hand
it back.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import msgspec
from django.db import connection, transaction

from billing.models.prices import Price, PriceBook
from billing.price_file import PRICES_FILE, check_price, read_price_file
from billing.pricing import PriceRow, read_rows


class LoadedPrices(msgspec.Struct, frozen=True, kw_only=True):
    """The newest version after a loading, whether it is new, and how many prices stayed staff's."""

    version: int
    changed: bool
    kept: int


def load_prices(path: Path = PRICES_FILE, *, actor: str = "load_prices") -> LoadedPrices:
    """Make a new version of the book from the file, unless the book says so already.

    Raises: PriceFileInvalid, with nothing written.
    """
    from_file = {row.key: row for row in read_price_file(path)}
    with transaction.atomic():
        version, rows = _lock_latest()
        of_staff = {row.key: row for row in rows if row.edited_by_staff}
        new_version = _write_version(
            version, [*{**from_file, **of_staff}.values()], actor=actor, note=f"from {path.name}"
        )
    return LoadedPrices(version=new_version, changed=new_version != version, kept=len(of_staff))


def change_price(row: PriceRow, *, actor: str, note: str = "") -> int:
    """Set one price, new or known, in a new version of the book; from now on it is staff's.

    Returns: the newest version. Raises: ValueError if the price cannot be.
    """
    check_price(row)
    with transaction.atomic():
        version, rows = _lock_latest()
        kept = [known for known in rows if known.key != row.key]
        changed = msgspec.structs.replace(row, edited_by_staff=True)
        return _write_version(version, [*kept, changed], actor=actor, note=note or _name(row))


def hand_back(keys: Iterable[tuple[str, ...]], *, actor: str) -> int:
    """Let prices.toml decide these prices again, from its next loading.

    Returns: the newest version.
    """
    handed = set(keys)
    with transaction.atomic():
        version, rows = _lock_latest()
        rows = [
            msgspec.structs.replace(
                row, edited_by_staff=row.edited_by_staff and row.key not in handed
            )
            for row in rows
        ]
        return _write_version(version, rows, actor=actor, note="handed back to the file")


def _lock_latest() -> tuple[int, list[PriceRow]]:
    """Wait for other writers of the book to commit, then read the newest version."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('billing.price_book'))")
    version = PriceBook.objects.order_by("-version").values_list("version", flat=True).first()
    return (0, []) if version is None else (version, read_rows(version))


def _write_version(version: int, rows: list[PriceRow], *, actor: str, note: str) -> int:
    """Write the version after `version` if its prices differ. Returns: the newest version."""
    digest = _digest(rows)
    if PriceBook.objects.filter(version=version, digest=digest).exists():
        return version
    book = PriceBook.objects.create(version=version + 1, created_by=actor, note=note, digest=digest)
    Price.objects.bulk_create(Price(book=book, **msgspec.structs.asdict(row)) for row in rows)
    return book.version


def _digest(rows: list[PriceRow]) -> str:
    ordered = sorted(rows, key=lambda row: row.key)
    return hashlib.sha256(msgspec.json.encode(ordered, order="sorted")).hexdigest()


def _name(row: PriceRow) -> str:
    return f"{row.provider} {row.model} {row.operation} {row.meter}"
