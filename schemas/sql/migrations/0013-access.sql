-- Who may do what: roles for workers, operators and analysts
-- depends: 0012-callback-accounts

-- migrate: apply

-- Roles belong to the cluster, not to a database: another database's migration, or an administrator, may have made them
-- before. A user who may not make roles goes without: then only the owner has access, until somebody makes them and
-- migrates again.
CREATE FUNCTION grant_access() RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    role_name text;
    wish record;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['vibes_worker', 'vibes_operator', 'vibes_analyst'] LOOP
        CONTINUE WHEN to_regrole(role_name) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role % is missing, and % may not make it', role_name, current_user;
        END;
    END LOOP;

    FOR wish IN
        SELECT wanted.role_name, each.oid::regclass AS relation, privilege, privilege = ANY (wanted.privileges) AS granted
        FROM pg_class AS each
        -- A partition has its own privileges, but the name of what it is part of tells what they are.
        JOIN pg_class AS whole ON whole.oid = coalesce(pg_partition_root(each.oid), each.oid)
        CROSS JOIN LATERAL (
            VALUES
                ('vibes_worker', CASE
                    WHEN each.relkind = 'v' THEN ARRAY['SELECT']
                    -- What was received, and what was done, is only ever added to.
                    WHEN whole.relname IN ('callback_events', 'callback_messages', 'person_api_calls')
                        THEN ARRAY['SELECT', 'INSERT']
                    WHEN whole.relname IN ('erasures', 'erased_identities', 'test_events', 'reconciliations')
                        OR whole.relname LIKE '\_pogo\_%'
                        THEN ARRAY['SELECT']
                    WHEN whole.relname LIKE 'dead\_letter%' THEN ARRAY['SELECT', 'INSERT', 'UPDATE']
                    ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']
                END),
                ('vibes_operator', CASE
                    WHEN each.relkind = 'v' OR whole.relname LIKE '\_pogo\_%' THEN ARRAY['SELECT']
                    ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']
                END),
                ('vibes_analyst', CASE
                    -- Those who asked to be forgotten are not analysed.
                    WHEN whole.relname IN ('erasures', 'erased_identities') OR whole.relname LIKE '\_pogo\_%'
                        THEN ARRAY[]::text[]
                    ELSE ARRAY['SELECT']
                END)
        ) AS wanted (role_name, privileges)
        CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS privilege
        WHERE each.relnamespace = 'public'::regnamespace
            AND each.relkind IN ('r', 'p', 'v')
            AND each.relowner = (SELECT relowner FROM pg_class WHERE oid = 'public.callback_events'::regclass)
            AND to_regrole(wanted.role_name) IS NOT NULL
            AND has_table_privilege(wanted.role_name, each.oid, privilege)
                IS DISTINCT FROM (privilege = ANY (wanted.privileges))
    LOOP
        EXECUTE format(
            CASE WHEN wish.granted THEN 'GRANT %s ON %s TO %I' ELSE 'REVOKE %s ON %s FROM %I' END,
            wish.privilege, wish.relation, wish.role_name
        );
    END LOOP;
END;
$$;
COMMENT ON FUNCTION grant_access IS
    'Make the roles vibes_worker (what apply and person-sync need), vibes_operator (the commands that read and change '
    'data) and vibes_analyst (reading), where that is allowed, and give them exactly the privileges they are to have '
    'on the tables and views of this schema. `vibes-pipeline migrate` calls it each time, after it has made tables and '
    'partitions.';

-- migrate: rollback
DROP FUNCTION grant_access();
