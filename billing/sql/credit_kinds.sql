-- More ways for credit to come and go, and which of it is paid.
--
--   lot.kind       came from                                    paid
--   topup          a payment                                    yes
--   reinstatement  a payment taken back by a dispute we won     yes
--   promo          a programme: a welcome, a campaign           no
--   grant          staff, for one workspace: goodwill, contract no
--   refund         a call that is paid back                     as the lot the call had drawn on
--   adjustment     a correction by staff                        as staff says
--
-- `paid` tells cash-backed credit (deferred revenue) from given credit, for every entry by its lot. It never changes:
-- given credit comes back from a refund as given credit, so nothing that was given can be paid out.
ALTER TABLE ledger.lot ADD COLUMN paid boolean;
UPDATE ledger.lot SET paid = kind = 'topup' WHERE paid IS NULL;
ALTER TABLE ledger.lot
  ALTER COLUMN paid SET NOT NULL,
  DROP CONSTRAINT lot_kind_check,
  ADD CONSTRAINT lot_kind_check
    CHECK (kind IN ('topup', 'reinstatement', 'promo', 'grant', 'refund', 'adjustment')),
  ADD CONSTRAINT lot_is_paid_or_given
    CHECK (kind IN ('refund', 'adjustment') OR paid = (kind IN ('topup', 'reinstatement')));

-- What calls write comes first: the list is read from its beginning for every row.
ALTER TABLE ledger.entry
  DROP CONSTRAINT entry_moves_between_known_accounts,
  ADD CONSTRAINT entry_moves_between_known_accounts CHECK ((kind, debit, credit) IN (
    ('usage', 'wallet', 'revenue'), ('void', 'wallet', 'wallet'), ('lapse', 'wallet', 'wallet'),
    ('usage', 'receivable', 'revenue'), ('refund', 'revenue', 'wallet'),
    ('topup', 'cash', 'wallet'), ('reinstatement', 'cash', 'wallet'), ('repay', 'wallet', 'receivable'),
    ('payout', 'wallet', 'cash'), ('payout', 'receivable', 'cash'),
    ('promo', 'promo', 'wallet'), ('grant', 'granted', 'wallet'), ('expiry', 'wallet', 'expired'),
    ('adjustment', 'adjustments', 'wallet'), ('adjustment', 'wallet', 'adjustments')));
