-- The four tables of the ledger. Amounts are integer micro-credits (µcr); docs/glossary.md explains the words.
--
--   wallet  one row per workspace: the lock, `frozen`, `owed`. It carries no balance.
--   lot     credit that came in at once (a top-up, a promo, a refund). The balance is the sum of the live lots.
--   hold    one row per lot an open call draws on. Settling deletes it.
--   entry   the journal, append-only. Each row moves `amount` from `debit` to `credit`, so it is zero-sum by itself.
--
-- (wallet_id, id) names one call (id = request id) or one outside event (id derived from its economic key); the primary
-- keys are the idempotency. hold and entry have no foreign keys: the functions have just locked wallet and lot, which
-- are never deleted, and a check per row would cost a fifth of the throughput; ledger_violations looks for orphans.

CREATE TABLE ledger.wallet (
  id bigint PRIMARY KEY,                                  -- the workspace's id
  frozen boolean NOT NULL DEFAULT false,                  -- no new holds; what is open still settles
  owed bigint NOT NULL DEFAULT 0 CHECK (owed >= 0)        -- charged beyond hold and balance; the next top-up repays it
);

CREATE TABLE ledger.lot (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  wallet_id bigint NOT NULL REFERENCES ledger.wallet,
  kind text NOT NULL CHECK (kind IN ('topup', 'promo', 'refund')),
  priority smallint NOT NULL DEFAULT 100,                 -- burn order: priority, expires_at, id
  expires_at timestamptz NOT NULL DEFAULT 'infinity',
  -- 10^17 µcr is $100 million: sums of lots stay far from the end of bigint.
  granted bigint NOT NULL CHECK (granted BETWEEN 1 AND 100000000000000000),
  remaining bigint NOT NULL CHECK (remaining <= granted),
  held bigint NOT NULL DEFAULT 0 CHECK (held BETWEEN 0 AND remaining),  -- this is the no-overdraft rule
  -- An index on `remaining > 0` would make every update of a lot touch the index; `live` changes once in its life.
  live boolean NOT NULL CHECK (live = (remaining > 0))
) WITH (fillfactor = 50);

CREATE INDEX lot_live ON ledger.lot (wallet_id) WHERE live;
CREATE INDEX lot_expiring ON ledger.lot (expires_at) WHERE live AND expires_at < 'infinity';

-- Rows live for seconds. Small enough that the sweep may scan it: no index on expires_at.
CREATE TABLE ledger.hold (
  wallet_id bigint NOT NULL,
  id uuid NOT NULL,
  seq smallint NOT NULL,
  lot_id bigint NOT NULL,
  amount bigint NOT NULL CHECK (amount > 0),
  price_version int NOT NULL,
  markup_bp int NOT NULL CHECK (markup_bp BETWEEN 0 AND 1000000),
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (wallet_id, id, seq)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

CREATE TABLE ledger.entry (
  wallet_id bigint NOT NULL,
  id uuid NOT NULL,
  seq smallint NOT NULL CHECK (seq >= 0),
  kind text NOT NULL,
  debit text NOT NULL,
  credit text NOT NULL,
  lot_id bigint,
  amount bigint NOT NULL CHECK (amount >= 0),
  cost bigint NOT NULL DEFAULT 0 CHECK (cost >= 0),       -- a memo: what the provider bills us for the call
  price_version int,
  markup_bp int,
  at timestamptz NOT NULL DEFAULT now(),
  ref text,
  PRIMARY KEY (wallet_id, id, seq),
  CONSTRAINT entry_moves_between_known_accounts CHECK ((kind, debit, credit) IN (
    ('topup', 'cash', 'wallet'), ('promo', 'promo', 'wallet'), ('refund', 'revenue', 'wallet'),
    ('usage', 'wallet', 'revenue'), ('usage', 'receivable', 'revenue'),
    ('payout', 'wallet', 'cash'), ('payout', 'receivable', 'cash'),
    ('repay', 'wallet', 'receivable'), ('expiry', 'wallet', 'expired'),
    ('void', 'wallet', 'wallet'), ('lapse', 'wallet', 'wallet'))),
  CONSTRAINT entry_moves_something CHECK (amount > 0 OR kind IN ('usage', 'void', 'lapse')),
  CONSTRAINT entry_void_moves_nothing CHECK (amount = 0 OR kind NOT IN ('void', 'lapse')),
  CONSTRAINT entry_names_the_lot_it_changes CHECK ((lot_id IS NOT NULL) = (amount > 0 AND debit <> 'receivable'))
);

CREATE INDEX entry_statement ON ledger.entry (wallet_id, at, id, seq);
