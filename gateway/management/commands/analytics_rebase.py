"""`manage.py analytics_rebase`: after a restore into a new cluster, lift transactions' numbers."""

from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from psycopg import sql

from analytics.rebasing import NotAlone, prepare_rebase
from analytics.rolling import NumbersFromAnotherCluster, check_numbers

_SEEN = """
SELECT greatest((SELECT coalesce(max(transaction_id), 0) FROM ledger.entry),
                (SELECT coalesce(max(transaction_id), 0) FROM reconciled_to))
"""
_PARAMETER = sql.SQL("ALTER DATABASE {} SET studio.transaction_id_offset = {}")


class Command(BaseCommand):
    """Works with all processes stopped, as the owner of the database (DATABASE_OWNER_URL)."""

    help = "After a restore into a new cluster: sum all usage, lift the numbers of transactions."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        """Rebase, or say that there is no need."""
        try:
            check_numbers()
        except NumbersFromAnotherCluster:
            self._rebase()
        else:
            self.stdout.write("The numbers are this cluster's own; nothing to do.")

    def _rebase(self) -> None:
        if not settings.DATABASE_OWNER_URL:
            raise CommandError("It needs DATABASE_OWNER_URL.")
        with (
            psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True) as owner,
            connection.cursor() as cursor,
        ):
            cursor.execute(_SEEN)
            seen = int(cursor.fetchone()[0])
            try:
                offset = prepare_rebase(at_least=seen, own_sessions=[owner.info.backend_pid])
            except NotAlone as error:
                raise CommandError(str(error)) from error
            name = sql.Identifier(owner.info.dbname)
            owner.execute(_PARAMETER.format(name, sql.Literal(str(offset))))
        self.stdout.write(f"studio.transaction_id_offset is {offset}; start everything again.")
