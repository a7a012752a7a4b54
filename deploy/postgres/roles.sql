-- A database with the least rights for each who uses it: a login for each process, none of which owns anything but the
-- one that migrates. Run it as an administrator, as often as you like:
--
--     psql --dbname=postgres --variable=database=vibes --file=deploy/postgres/roles.sql
--
-- and give the logins their passwords: psql's \password, which sends no clear text.
--
-- login             member of        may
-- vibes_migrate     vibes_owner      change the schema (vibes-pipeline migrate); no process runs as this one
-- vibes_apply       vibes_worker     apply
-- vibes_person_sync vibes_worker     person-sync
-- vibes_cli         vibes_operator   the commands: status, audit, persons, conflicts, dead-letters, callbacks
--
-- ingest has no login: it does not use the database. Analysts get logins of their own: in the migrated database,
-- SELECT analyst_login('ann'), or analyst_login('ann', unmasked => true) for who is to see phone numbers. What the roles
-- may do is granted by each run of `vibes-pipeline migrate` (function grant_access).
--
-- A database that somebody else has migrated before: run this, then, in that database,
-- REASSIGN OWNED BY that_user TO vibes_owner.
\set ON_ERROR_STOP on
SET client_min_messages = warning;

SELECT format('CREATE ROLE %I NOLOGIN', name)
FROM unnest(ARRAY[
    'vibes_owner', 'vibes_worker', 'vibes_operator', 'vibes_analyst', 'vibes_analyst_unmasked'
]) AS name
WHERE to_regrole(name) IS NULL \gexec

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['vibes_migrate', 'vibes_apply', 'vibes_person_sync', 'vibes_cli']) AS name
WHERE to_regrole(name) IS NULL \gexec

GRANT vibes_owner TO vibes_migrate;
GRANT vibes_worker TO vibes_apply, vibes_person_sync;
GRANT vibes_operator TO vibes_cli;
GRANT vibes_analyst TO vibes_analyst_unmasked;

-- What a session of this login makes belongs to the group, whoever migrates next.
ALTER ROLE vibes_migrate SET role = 'vibes_owner';

-- To make a database for a role, or to hand one over, an administrator who is no superuser has to be a member of it.
SELECT format('GRANT vibes_owner TO %I', current_user)
WHERE NOT pg_has_role(current_user, 'vibes_owner', 'MEMBER') \gexec

SELECT format('CREATE DATABASE %I OWNER vibes_owner', :'database')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec

SELECT format('ALTER DATABASE %I OWNER TO vibes_owner', :'database') \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'database') \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO vibes_worker, vibes_operator, vibes_analyst', :'database') \gexec
