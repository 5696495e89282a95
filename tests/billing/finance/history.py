"""Entries with a past: made by the ledger's functions now, then dated back by the owner."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from tests.billing.ledger_client import Connection, LedgerClient, one

# Refunds of one call stay apart by a microsecond each: they are keyed by their time.
_BACK = """
ALTER TABLE ledger.entry DISABLE TRIGGER USER;
UPDATE ledger.entry SET at = {at} WHERE at > now() - interval '1 day';
UPDATE ledger.correction c SET at = {at} + x.n * interval '1 microsecond'
FROM (SELECT n.wallet_id, n.call_id, n.at,
        (SELECT count(*) FROM ledger.correction o WHERE o.wallet_id = n.wallet_id
           AND o.call_id = n.call_id AND o.at <= now() - interval '1 day')
        + row_number() OVER (PARTITION BY n.wallet_id, n.call_id ORDER BY n.at) - 1 AS n
      FROM ledger.correction n WHERE n.at > now() - interval '1 day') x
WHERE c.wallet_id = x.wallet_id AND c.call_id = x.call_id AND c.at = x.at;
ALTER TABLE ledger.entry ENABLE TRIGGER USER;
"""
_USAGE = """
INSERT INTO public.usage (at, request_id, workspace_id, surface, operation, kind, channel, provider,
  model, status, billing, request_count, cost_ucr, charge_ucr)
VALUES (%s, %s, %s, 'core', 'chat', 'chat.default', 'stable', %s, %s, 'succeeded', %s, %s, %s, %s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The app's connection to the ledger, and the owner's."""

    ledger: LedgerClient
    owner: Connection

    @contextlib.contextmanager
    def at(self, moment: str) -> Iterator[LedgerClient]:
        """Let what the block does to the ledger have happened at a moment (UTC)."""
        yield self.ledger
        with self.owner.transaction():
            self.owner.execute(_BACK.format(at=f"'{moment}+00'::timestamptz"))

    def workspace(self, name: str) -> int:
        """Make a workspace. Returns: its id."""
        query = """INSERT INTO accounts_workspace (name, tier_id, status)
                   VALUES (%s, 'managed', 'active') RETURNING id"""
        return int(one(self.owner, query, name)[0])

    def partition(self, month: str, after: str) -> None:
        """Make room for usage of a month that is long over, given as `2025-03-01`."""
        name = f"usage_{month[:7].replace('-', '_')}"
        self.owner.execute(
            f"CREATE TABLE public.{name} PARTITION OF public.usage"
            f" FOR VALUES FROM ('{month} 00:00+00') TO ('{after} 00:00+00')"
        )

    def used(  # noqa: PLR0913  the columns of a usage row
        self,
        at: str,
        workspace: int,
        call: UUID,
        *,
        provider: str = "openai",
        model: str = "gpt-5",
        billing: str = "credits",
        requests: int = 1,
        cost: int = 0,
        charge: int = 0,
    ) -> None:
        """Write a usage row."""
        row = [f"{at}+00", call, workspace, provider, model, billing, requests, cost, charge]
        self.owner.execute(_USAGE, row)
