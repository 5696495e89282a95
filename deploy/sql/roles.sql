-- The three roles and the database of Studio, for a superuser, by psql, as often as you like:
--
--   psql -v ON_ERROR_STOP=1 -v database=studio -f deploy/sql/roles.sql postgres://postgres@HOST/postgres
--
-- Passwords are taken from STUDIO_OWNER_PASSWORD, STUDIO_APP_PASSWORD and ANALYTICS_RO_PASSWORD where these are set
-- (an unset one leaves that role's password as it is).
--
--   studio_owner   owns the database and migrates it        DATABASE_OWNER_URL
--   studio_app     runs the web processes and the workers   DATABASE_URL
--   analytics_ro   reads usage and its cubes, by row-level security: of the workspace that app.workspace names
--
-- studio_app writes ordinary tables. In schema ledger it reads, and calls the functions that the migrations name; it can
-- write no table and change no structure: money moves through those functions or not at all. PostgreSQL 18 or newer.

\set QUIET on
SET client_min_messages = warning;
\if :{?database}
\else
  \set database studio
\endif

SELECT current_setting('server_version_num')::int < 180000 AS too_old \gset
\if :too_old
  \warn 'Studio needs PostgreSQL 18 or newer.'
  DO $$ BEGIN RAISE EXCEPTION 'this PostgreSQL is too old'; END $$;
\endif

SELECT format('CREATE ROLE %I LOGIN', name)
  FROM unnest(ARRAY['studio_owner', 'studio_app', 'analytics_ro']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

\getenv owner_password STUDIO_OWNER_PASSWORD
\if :{?owner_password}
  ALTER ROLE studio_owner PASSWORD :'owner_password';
\endif
\getenv app_password STUDIO_APP_PASSWORD
\if :{?app_password}
  ALTER ROLE studio_app PASSWORD :'app_password';
\endif
\getenv analytics_password ANALYTICS_RO_PASSWORD
\if :{?analytics_password}
  ALTER ROLE analytics_ro PASSWORD :'analytics_password';
\endif

SELECT format('CREATE DATABASE %I OWNER studio_owner', :'database')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec

\connect :"database"
SET client_min_messages = warning;

-- The app answers questions about usage as analytics_ro, one transaction at a time (analytics/reading_role.py). It does not
-- get that role's rights otherwise.
GRANT analytics_ro TO studio_app WITH INHERIT FALSE, SET TRUE;
-- After a restore into a new cluster, `manage.py analytics_rebase` sets it for the database.
GRANT SET ON PARAMETER studio.transaction_id_offset TO studio_owner;

CREATE SCHEMA IF NOT EXISTS ledger AUTHORIZATION studio_owner;
GRANT USAGE ON SCHEMA ledger TO studio_app;

-- What the owner makes from now on (default privileges say nothing about what exists already).
ALTER DEFAULT PRIVILEGES FOR ROLE studio_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE studio_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO studio_app;
ALTER DEFAULT PRIVILEGES FOR ROLE studio_owner IN SCHEMA public
  GRANT USAGE ON SEQUENCES TO studio_app;
ALTER DEFAULT PRIVILEGES FOR ROLE studio_owner IN SCHEMA public
  GRANT EXECUTE ON FUNCTIONS TO studio_app;
ALTER DEFAULT PRIVILEGES FOR ROLE studio_owner IN SCHEMA ledger
  GRANT SELECT ON TABLES TO studio_app;
-- The ledger's functions are granted by name, by its migrations: some are for the ledger's own functions only.
ALTER DEFAULT PRIVILEGES FOR ROLE studio_owner IN SCHEMA ledger
  REVOKE EXECUTE ON FUNCTIONS FROM studio_app;
