-- What the incremental check needs (gateway/reconcile.py): which transaction wrote an entry, and what was checked.
--
-- transaction_id is the writing transaction's number, as in public.usage: whoever has seen all below pg_snapshot_xmin
-- misses nothing, however late a slow transaction commits. NULL: written before there was the column, and checked by
-- the first check of everything. The journal only grows at its end, so a BRIN index finds the newest rows and costs a
-- settle next to nothing; without autosummarize the new end would be read until the next vacuum.
ALTER TABLE ledger.entry ADD COLUMN transaction_id bigint;
ALTER TABLE ledger.entry ALTER COLUMN transaction_id SET DEFAULT
  pg_current_xact_id()::text::bigint
  + COALESCE(NULLIF(current_setting('studio.transaction_id_offset', true), '')::bigint, 0);
CREATE INDEX entry_transaction ON ledger.entry USING brin (transaction_id)
  WITH (pages_per_range = 32, autosummarize = on);

-- How far the books were found in order: everything that transactions below transaction_id wrote. NULL: never yet.
CREATE TABLE public.reconciled_to (
  alone bool PRIMARY KEY DEFAULT true CHECK (alone),
  transaction_id bigint,
  at timestamptz
);
INSERT INTO public.reconciled_to DEFAULT VALUES;

-- The sums of the entries up to there. What a lot or wallet has now is held against these and the entries since.
CREATE TABLE public.reconciled_lot (
  lot_id bigint PRIMARY KEY,
  remaining bigint NOT NULL,
  granted bigint,
  grants bigint NOT NULL,
  kind text
);
CREATE TABLE public.reconciled_wallet (
  wallet_id bigint PRIMARY KEY,
  owed bigint NOT NULL
);
