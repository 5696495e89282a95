-- The calendar window that a moment lies in: the day on which its day, week (from Monday) or month begins, in a zone.
-- A date and no instant, so that a day has one window however often a clock is set back in it, and its length does not
-- matter. A zone that this server does not know counts as UTC: a settle must not fail for it.
CREATE FUNCTION public.billing_window_start(p_period text, p_zone text, p_at timestamptz) RETURNS date
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN date_trunc(p_period, p_at AT TIME ZONE p_zone)::date;
EXCEPTION WHEN invalid_parameter_value THEN
  RETURN date_trunc(p_period, p_at AT TIME ZONE 'UTC')::date;
END $$;
