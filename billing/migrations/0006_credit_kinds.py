"""More ways for credit to come and go, reasons to freeze, the outbox of refunds, closed months."""

from django.db import migrations

from billing.sql import read

_ONLY_TOPUP_AND_PROMO = """
ALTER TABLE ledger.lot
  DROP CONSTRAINT lot_is_paid_or_given,
  DROP CONSTRAINT lot_kind_check,
  ADD CONSTRAINT lot_kind_check CHECK (kind IN ('topup', 'promo', 'refund')),
  DROP COLUMN paid;
ALTER TABLE ledger.entry
  DROP CONSTRAINT entry_moves_between_known_accounts,
  ADD CONSTRAINT entry_moves_between_known_accounts CHECK ((kind, debit, credit) IN (
    ('topup', 'cash', 'wallet'), ('promo', 'promo', 'wallet'), ('refund', 'revenue', 'wallet'),
    ('usage', 'wallet', 'revenue'), ('usage', 'receivable', 'revenue'),
    ('payout', 'wallet', 'cash'), ('payout', 'receivable', 'cash'),
    ('repay', 'wallet', 'receivable'), ('expiry', 'wallet', 'expired'),
    ('void', 'wallet', 'wallet'), ('lapse', 'wallet', 'wallet')));
"""
_NO_FREEZES = """
CREATE OR REPLACE FUNCTION ledger.follow_workspace() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO wallet (id, frozen) VALUES (NEW.id, NEW.status <> 'active');
  ELSE
    UPDATE wallet SET frozen = NEW.status <> 'active' WHERE id = NEW.id;
  END IF;
  RETURN NULL;
END $$;
DROP FUNCTION ledger.ledger_freeze, ledger.ledger_unfreeze, ledger.ledger_set_frozen;
DROP TABLE ledger.wallet_freeze;
DROP FUNCTION ledger.refuse_second_lift;
"""
_NO_CLOSED_MONTHS = """
DROP TRIGGER entry_is_written_in_an_open_month ON ledger.entry;
DROP TRIGGER entry_belongs_to_an_open_month ON ledger.entry;
DROP FUNCTION ledger.ledger_close_month, ledger.refuse_closed_month;
DROP TABLE ledger.closed_month;
"""


class Migration(migrations.Migration):
    """Backwards fails while there are entries of the new kinds: nothing rewrites the journal."""

    dependencies = [("billing", "0005_prices")]

    operations = [
        migrations.RunSQL(read("credit_kinds"), _ONLY_TOPUP_AND_PROMO),
        migrations.RunSQL(
            read("corrections"),
            "DROP FUNCTION ledger.ledger_take_corrections; DROP TABLE ledger.correction",
        ),
        migrations.RunSQL(read("freezes"), _NO_FREEZES),
        migrations.RunSQL(read("closed_months"), _NO_CLOSED_MONTHS),
    ]
