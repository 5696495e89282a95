-- What happened, summed: additive cubes over `usage`, kept by analytics/rolling.py, and the small numbers that stand in
-- them for words. Every cube is partitioned by month and has its key as its primary key; a measure of a cell is the sum
-- over the raw rows with that key below the watermark.
CREATE SCHEMA analytics;

CREATE TYPE analytics.status AS ENUM ('succeeded', 'failed', 'cancelled', 'interrupted', 'refused');
CREATE TYPE analytics.billing AS ENUM ('credits', 'byok', 'house', 'imported', 'none');

-- Rows of usage with a transaction_id below it are in the cubes, all others are not. A reader sees cubes and watermark in
-- one snapshot, and adds the rows from the watermark on: always exact, always fresh.
CREATE TABLE analytics.watermark (
  name text PRIMARY KEY,                                  -- 'usage'
  transaction_id bigint NOT NULL,
  rolled_at timestamptz NOT NULL DEFAULT now(),           -- when it was last moved
  complete_to timestamptz NOT NULL DEFAULT now(),         -- transactions that had a number by then are in the cubes
  awaited_id bigint NOT NULL DEFAULT 0,                   -- once the watermark reaches it, complete_to is awaited_at
  awaited_at timestamptz NOT NULL DEFAULT now()
);

-- By whose clock a workspace's days begin. time_zone is the zone that its cubes are in, which follows the workspace's own
-- (accounts_workspace.time_zone) by a rebuild. Days before own_days_from kept the borders of an older zone, because the
-- raw rows to rebuild them from are gone.
CREATE TABLE analytics.calendar (
  workspace_id bigint PRIMARY KEY,
  time_zone text NOT NULL DEFAULT 'UTC',
  week_start smallint NOT NULL DEFAULT 1 CHECK (week_start BETWEEN 1 AND 7),  -- ISO: 1 is Monday
  own_days_from date NOT NULL DEFAULT '0001-01-01'
);

-- From which month (UTC) on a table has its rows; those before are retired and none may come.
CREATE TABLE analytics.kept_from (
  table_name text PRIMARY KEY,                            -- 'usage', 'cube_hour', …
  month date NOT NULL DEFAULT '0001-01-01'
);

CREATE TABLE analytics.dimension_app (
  number int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id bigint NOT NULL,
  app_id text NOT NULL,
  UNIQUE (workspace_id, app_id)
);
CREATE TABLE analytics.dimension_user (
  number int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id bigint NOT NULL,
  user_ref text NOT NULL,                                 -- '': the caller named nobody
  UNIQUE (workspace_id, user_ref)
);
CREATE TABLE analytics.dimension_route (
  number int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  operation text NOT NULL,
  kind text NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  UNIQUE (operation, kind, provider, model)
);

-- Without users, with histograms: multisets of entries bucket << 22 | count (histograms.sql), over the rows that have a
-- latency, or a time to the first byte. A bucket may be there more than once: readers sum.
CREATE TABLE analytics.cube_hour (
  workspace_id bigint NOT NULL,
  hour timestamptz NOT NULL,                              -- date_trunc('hour', at, time_zone): an instant
  app_number int NOT NULL,
  route_number int NOT NULL,
  status analytics.status NOT NULL,
  billing analytics.billing NOT NULL,
/* file: measures */,
  latency_histogram int[],
  first_byte_histogram int[],
  PRIMARY KEY (workspace_id, hour, app_number, route_number, status, billing)
) PARTITION BY RANGE (hour);
CREATE TABLE analytics.cube_day (
  workspace_id bigint NOT NULL,
  day date NOT NULL,                                      -- (at AT TIME ZONE time_zone)::date
  app_number int NOT NULL,
  route_number int NOT NULL,
  status analytics.status NOT NULL,
  billing analytics.billing NOT NULL,
/* file: measures */,
  latency_histogram int[],
  first_byte_histogram int[],
  PRIMARY KEY (workspace_id, day, app_number, route_number, status, billing)
) PARTITION BY RANGE (day);
CREATE TABLE analytics.cube_month (
  workspace_id bigint NOT NULL,
  month date NOT NULL,                                    -- the first day of the day's month
  app_number int NOT NULL,
  route_number int NOT NULL,
  status analytics.status NOT NULL,
  billing analytics.billing NOT NULL,
/* file: measures */,
  latency_histogram int[],
  first_byte_histogram int[],
  PRIMARY KEY (workspace_id, month, app_number, route_number, status, billing)
) PARTITION BY RANGE (month);

-- With users, without histograms: the percentiles of one user's few calls would mean nothing.
CREATE TABLE analytics.user_day (
  workspace_id bigint NOT NULL,
  user_number int NOT NULL,
  day date NOT NULL,
  app_number int NOT NULL,
  route_number int NOT NULL,
  status analytics.status NOT NULL,
  billing analytics.billing NOT NULL,
/* file: measures */,
  PRIMARY KEY (workspace_id, user_number, day, app_number, route_number, status, billing)
) PARTITION BY RANGE (day);
CREATE INDEX user_day_workspace ON analytics.user_day (workspace_id, day);
CREATE TABLE analytics.user_month (
  workspace_id bigint NOT NULL,
  month date NOT NULL,
  app_number int NOT NULL,
  user_number int NOT NULL,
/* file: measures */,
  failed_count bigint,                                    -- of request_count; what is none of these succeeded
  cancelled_count bigint,
  interrupted_count bigint,
  refused_count bigint,
  byok_count bigint,                                      -- of request_count, paid by a key of the user's
  PRIMARY KEY (workspace_id, month, app_number, user_number)
) PARTITION BY RANGE (month);

-- For finance and staff, who ask over all workspaces: days of UTC.
CREATE TABLE analytics.finance_day (
  day date NOT NULL,
  workspace_id bigint NOT NULL,
  route_number int NOT NULL,
  status analytics.status NOT NULL,
  billing analytics.billing NOT NULL,
/* file: measures */,
  PRIMARY KEY (day, workspace_id, route_number, status, billing)
) PARTITION BY RANGE (day);
CREATE TABLE analytics.staff_day (
  day date NOT NULL,
  route_number int NOT NULL,
  status analytics.status NOT NULL,
  billing analytics.billing NOT NULL,
/* file: measures */,
  latency_histogram int[],
  first_byte_histogram int[],
  PRIMARY KEY (day, route_number, status, billing)
) PARTITION BY RANGE (day);

-- What a month (UTC) of raw rows summed to, written before they go.
CREATE TABLE analytics.month_seal (
  workspace_id bigint NOT NULL,
  month date NOT NULL,
  row_count bigint NOT NULL,
  request_count bigint NOT NULL,
  charge_ucr bigint NOT NULL,                             -- of billing 'credits', as the ledger has it
  imported_ucr bigint NOT NULL,                           -- of billing 'imported'
  cost_ucr bigint NOT NULL,
  sealed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workspace_id, month)
);

INSERT INTO analytics.watermark (name, transaction_id) VALUES ('usage', 0);
INSERT INTO analytics.kept_from (table_name)
VALUES ('usage'), ('cube_hour'), ('cube_day'), ('cube_month'), ('user_day'), ('user_month'), ('finance_day'), ('staff_day');
