-- The login with which Grafana reads the database, and nothing more than reads. Run it in that database, after
-- `vibes-pipeline migrate`, as somebody who may make roles, as often as you like; the password is taken from the
-- environment, so that no list of processes shows it:
--
--     GRAFANA_DATABASE_PASSWORD=... psql --file=deploy/grafana/login.sql postgresql://admin@db.example/vibes
\set ON_ERROR_STOP on
SET client_min_messages = warning;
\set password ''
\getenv password GRAFANA_DATABASE_PASSWORD
SELECT :'password' = '' AS password_is_missing \gset
\if :password_is_missing
    DO $$ BEGIN RAISE EXCEPTION 'set GRAFANA_DATABASE_PASSWORD: the password for the login vibes_grafana'; END $$;
\endif

SELECT 'CREATE ROLE vibes_grafana LOGIN' WHERE to_regrole('vibes_grafana') IS NULL \gexec

BEGIN;
-- A server that logs statements is not to log this one. Who is no superuser has to trust it.
SELECT set_config(name, value, true) AS ignored
FROM (VALUES ('log_statement', 'none'), ('log_min_error_statement', 'panic')) AS quiet (name, value)
WHERE (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) \g /dev/null
ALTER ROLE vibes_grafana PASSWORD :'password';
COMMIT;

ALTER ROLE vibes_grafana CONNECTION LIMIT 10;
ALTER ROLE vibes_grafana SET default_transaction_read_only = on;
-- A dashboard that asks for too much is to fail, rather than to slow the pipeline down.
ALTER ROLE vibes_grafana SET statement_timeout = '30s';
ALTER ROLE vibes_grafana SET idle_in_transaction_session_timeout = '60s';

GRANT vibes_analyst TO vibes_grafana;
SELECT format('GRANT CONNECT ON DATABASE %I TO vibes_grafana', current_database()) \gexec
