-- A part of settle_calls.sql: count what was charged for the caps per calendar window, in the order of their ids. A
-- workspace's counts are written under its wallet's lock.
), b AS (
  INSERT INTO billing_budgetspend AS s (budget_id, starts_on, spent_ucr)
  SELECT g.id, billing_window_start(g.period, w.time_zone, now()), sum(c.charged)
  FROM c JOIN billing_budget g ON g.workspace_id = c.workspace_id
    AND (g.app_key_id IS NULL OR g.app_key_id = c.app_key_id) AND (g.app_id IS NULL OR g.app_id = c.app_id)
  JOIN accounts_workspace w ON w.id = g.workspace_id
  WHERE c.charged > 0
  GROUP BY g.id, g.period, w.time_zone ORDER BY g.id
  ON CONFLICT (budget_id, starts_on) DO UPDATE SET spent_ucr = s.spent_ucr + EXCLUDED.spent_ucr, counted_at = now()
