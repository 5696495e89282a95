"""Every write of the catalogue, each with its line in the history."""

from typing import Any

from django.db import connection, transaction

from gateway.models.catalogue import CatalogueChange, CatalogueRow

_NOT_FACTS = frozenset({"id", "added_at"})


def lock_catalogue() -> None:
    """Wait, within a transaction, for other writers of the catalogue to commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('gateway.catalogue'))")


def save_row(row: CatalogueRow, *, actor: str, by_staff: bool) -> bool:
    """Write one new or changed row and its history; a row that staff saved is theirs from then on.

    Returns: whether anything differed. Raises: ValidationError if the row cannot be.
    """
    with transaction.atomic():
        lock_catalogue()
        before = _stored_facts(row)
        row.edited_by_staff = by_staff
        row.full_clean()
        if facts(row) == before:
            return False
        row.save()
        _note(row, actor=actor, before=before, after=facts(row))
    return True


def delete_row(row: CatalogueRow, *, actor: str) -> None:
    """Delete one row and keep what it was in the history."""
    with transaction.atomic():
        lock_catalogue()
        _note(row, actor=actor, before=facts(row), after=None)
        row.delete()


def hand_back(row: CatalogueRow, *, actor: str) -> bool:
    """Let model-catalog.json decide this row again, from its next loading.

    Returns: whether it was staff's.
    """
    return save_row(row, actor=actor, by_staff=False)


def facts(row: CatalogueRow) -> dict[str, Any]:
    """Give what the row says, as JSON; other rows by their names."""
    values: dict[str, Any] = {}
    for field in row._meta.concrete_fields:  # noqa: SLF001  Django's documented way to a model's fields
        if field.name not in _NOT_FACTS:
            value = getattr(row, field.name)
            plain = value is None or isinstance(value, (bool, int, list))
            values[field.name] = value if plain else str(value)
    return values


def _stored_facts(row: CatalogueRow) -> dict[str, Any] | None:
    stored = type(row)._default_manager.filter(pk=row.pk).first()  # noqa: SLF001  as above
    return None if stored is None else facts(stored)


def _note(
    row: CatalogueRow, *, actor: str, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    CatalogueChange.objects.create(
        actor=actor,
        table=str(row._meta.verbose_name),  # noqa: SLF001  as above
        row=str(row),
        before=before,
        after=after,
    )
