-- Months whose books are closed: calendar months in UTC. No entry gets a time in one of them.
CREATE TABLE ledger.closed_month (
  month date PRIMARY KEY CHECK (extract(day FROM month) = 1),  -- its first day
  closed_by text NOT NULL CHECK (closed_by <> ''),
  confirmed_by text NOT NULL CHECK (confirmed_by <> ''),
  closed_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT month_is_closed_by_two_people CHECK (closed_by <> confirmed_by)
);
CREATE TRIGGER closed_month_stays_closed BEFORE UPDATE OR DELETE ON ledger.closed_month
  FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER closed_month_is_not_truncated BEFORE TRUNCATE ON ledger.closed_month
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- Entries are written with now(), so one look per statement is enough for them, and guards against a clock that was set
-- back. Only an entry with another time (an import) is looked at by itself: the condition of its trigger is all that a
-- settle pays per row.
CREATE FUNCTION ledger.refuse_closed_month() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  entry_at timestamptz := now();
BEGIN
  IF TG_LEVEL = 'ROW' THEN
    entry_at := NEW.at;
  END IF;
  IF EXISTS (SELECT FROM ledger.closed_month c
             WHERE c.month = pg_catalog.date_trunc('month', entry_at AT TIME ZONE 'UTC')::date) THEN
    RAISE EXCEPTION 'ledger.entry: the month of % is closed', entry_at
      USING ERRCODE = 'restrict_violation', HINT = 'Corrections are new entries, in an open month.';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER entry_is_written_in_an_open_month BEFORE INSERT ON ledger.entry
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_closed_month();
CREATE TRIGGER entry_belongs_to_an_open_month BEFORE INSERT ON ledger.entry
  FOR EACH ROW WHEN (NEW.at IS DISTINCT FROM now()) EXECUTE FUNCTION ledger.refuse_closed_month();

-- ledger_close_month: close the books of the month that begins on `p_month`, for ever. Takes two people, by name.
-- It waits for whoever is writing entries, and they for it, so that none of the month is committed afterwards.
-- Out: closed, replay (closed before, by whomever), too_early (the month is not over).
CREATE OR REPLACE FUNCTION ledger.ledger_close_month(p_month date, p_closed_by text, p_confirmed_by text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp
AS $$
BEGIN
  IF (extract(day FROM p_month) = 1 AND p_closed_by <> '' AND p_confirmed_by <> '' AND p_closed_by <> p_confirmed_by)
     IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_close_month: the first of a month and two people' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM refuse_snapshots();
  LOCK TABLE entry IN SHARE MODE;
  IF (p_month + interval '1 month') AT TIME ZONE 'UTC' > clock_timestamp() THEN
    RETURN 'too_early';
  END IF;
  INSERT INTO closed_month (month, closed_by, confirmed_by) VALUES (p_month, p_closed_by, p_confirmed_by)
  ON CONFLICT (month) DO NOTHING;
  RETURN CASE WHEN FOUND THEN 'closed' ELSE 'replay' END;
END $$;
