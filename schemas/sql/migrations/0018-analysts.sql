-- What analysts may see: their roles, and how phone numbers are masked
-- depends: 0017-analytics

-- migrate: apply

COMMENT ON SCHEMA analytics IS
    'What analysts may rely on: views whose names and columns are a promise, with a version (function '
    'contract_version). All days, months and hours are UTC; all moments have a time zone.';

CREATE FUNCTION analytics.contract_version() RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 1;
COMMENT ON FUNCTION analytics.contract_version IS
    'Version of the names and columns of these views. It rises when one is changed or removed, or another is added.';

CREATE FUNCTION analytics.sees_numbers() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(pg_has_role(current_user, to_regrole('vibes_analyst_unmasked')::oid, 'USAGE'), false);
COMMENT ON FUNCTION analytics.sees_numbers IS 'Whether you see phone numbers: members of vibes_analyst_unmasked do.';

-- Not declared STRICT: PostgreSQL could not put it into a query then, and calls for millions of rows take long.
CREATE FUNCTION analytics.masked_number(mdn text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN length(mdn) > 8 THEN '***' || right(mdn, 4) WHEN mdn IS NOT NULL THEN '***' END;
COMMENT ON FUNCTION analytics.masked_number IS 'A phone number with all but its last four digits hidden.';

CREATE FUNCTION analytics.masked_words(words text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN regexp_replace(
        words,
        '\+?\d{7,}|\+?\(?\d{2,4}\)?[ ./-]?\d{3,4}[ ./-]\d{3,4}\y|[^\s"''<>]+@[^\s"''<>]+|\S*://\S+',
        '***',
        'g'
    );
COMMENT ON FUNCTION analytics.masked_words IS
    'A text with what looks like a phone number, an e-mail address or a link in it hidden.';

CREATE FUNCTION analytics.masked_fields(fields jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(
        jsonb_object_agg(
            key, CASE WHEN value::text = analytics.masked_words(value::text) THEN value ELSE to_jsonb('***'::text) END
        ),
        fields
    )
    FROM jsonb_each(fields)
$$;
COMMENT ON FUNCTION analytics.masked_fields IS
    'A person''s fields; in the place of those with something to hide in them (see masked_words) stands ***.';

-- As in migration 0013, with what analysts may see.
CREATE OR REPLACE FUNCTION grant_access() RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    role_name text;
    wish record;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['vibes_worker', 'vibes_operator', 'vibes_analyst', 'vibes_analyst_unmasked'] LOOP
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
    PERFORM limit_analysts('vibes_analyst');
    PERFORM limit_analysts('vibes_analyst_unmasked');

    FOR wish IN
        SELECT
            wanted.role_name, each.oid::regclass AS relation, privilege,
            privilege = ANY (wanted.privileges) AS granted
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
                    -- Those who asked to be forgotten are not analysed. Of what has a column with numbers or with
                    -- words of persons, only the other columns are granted, below.
                    WHEN whole.relname IN ('erasures', 'erased_identities') OR whole.relname LIKE '\_pogo\_%'
                        OR whole.relname IN (SELECT relation FROM columns_with_numbers()) OR each.relispartition
                        THEN ARRAY[]::text[]
                    ELSE ARRAY['SELECT']
                END),
                ('vibes_analyst_unmasked', CASE
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

    FOR wish IN
        SELECT each.oid::regclass AS relation, attname, granted
        FROM pg_class AS each
        JOIN columns_with_numbers() AS hidden ON hidden.relation = each.relname
        JOIN pg_attribute AS a ON a.attrelid = each.oid AND a.attnum > 0 AND NOT a.attisdropped
        CROSS JOIN LATERAL (SELECT a.attname <> ALL (hidden.names)) AS wanted (granted)
        WHERE each.relnamespace = 'public'::regnamespace
            AND to_regrole('vibes_analyst') IS NOT NULL
            AND has_column_privilege('vibes_analyst', each.oid, a.attnum, 'SELECT') IS DISTINCT FROM granted
    LOOP
        EXECUTE format(
            CASE WHEN wish.granted THEN 'GRANT SELECT (%I) ON %s TO vibes_analyst'
                 ELSE 'REVOKE SELECT (%I) ON %s FROM vibes_analyst' END,
            wish.attname, wish.relation
        );
    END LOOP;

    FOREACH role_name IN ARRAY ARRAY['vibes_worker', 'vibes_operator', 'vibes_analyst', 'vibes_analyst_unmasked'] LOOP
        CONTINUE WHEN to_regrole(role_name) IS NULL;
        IF role_name = 'vibes_worker' OR role_name = 'vibes_operator' THEN
            EXECUTE format('GRANT USAGE ON SCHEMA analytics_store TO %I', role_name);
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA analytics TO %I', role_name);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO %I', role_name);
    END LOOP;
END;
$$;

CREATE FUNCTION columns_with_numbers() RETURNS TABLE (relation name, names name[])
    LANGUAGE sql IMMUTABLE AS $$
    VALUES
        ('callback_events'::name, ARRAY['payload', 'original_body']::name[]),
        ('dead_letters', ARRAY['body', 'headers', 'detail', 'source_ip']),
        ('dead_letter_history', ARRAY['detail', 'detail_before']),
        ('dead_letter_runs', ARRAY['note', 'filter']),
        ('persons', ARRAY[
            'profile_mdn', 'profile_mdn_e164', 'seen_mdn', 'seen_mdn_e164', 'mdn', 'mdn_e164', 'custom_fields'
        ]),
        ('crm_persons', ARRAY['mdn', 'mdn_e164', 'custom_fields']),
        ('person_sync', ARRAY['last_message', 'resolution']),
        ('reconciliations', ARRAY['options']),
        ('identified_events', ARRAY['payload']),
        ('participations', ARRAY['mdn']),
        ('inbound_messages', ARRAY['mdn', 'message'])
$$;
COMMENT ON FUNCTION columns_with_numbers IS
    'Columns of tables and views that hold phone numbers, or words that may: only vibes_analyst_unmasked sees them.';

CREATE FUNCTION limit_analysts(role_name text) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    limits text;
BEGIN
    IF to_regrole(role_name) IS NULL THEN
        RETURN;
    END IF;
    BEGIN
        IF role_name = 'vibes_analyst_unmasked' AND NOT EXISTS (
            SELECT FROM pg_auth_members
            WHERE roleid = to_regrole('vibes_analyst') AND member = to_regrole(role_name)
        ) THEN
            EXECUTE format('GRANT vibes_analyst TO %I', role_name);
        END IF;
        -- Once: what an administrator sets is left alone.
        IF NOT EXISTS (SELECT FROM pg_db_role_setting WHERE setrole = to_regrole(role_name) AND setdatabase = 0) THEN
            FOREACH limits IN ARRAY ARRAY[
                'default_transaction_read_only = on',
                'statement_timeout = ''60s''',
                'idle_in_transaction_session_timeout = ''5min''',
                'work_mem = ''64MB''',
                'timezone = ''UTC'''
            ] LOOP
                EXECUTE format('ALTER ROLE %I SET %s', role_name, limits);
            END LOOP;
        END IF;
    EXCEPTION
        WHEN insufficient_privilege THEN
            RAISE NOTICE '% may not set the limits of role %', current_user, role_name;
        WHEN unique_violation OR internal_error THEN
            -- "tuple concurrently updated": another database of the cluster is migrated, and sets the same.
            NULL;
    END;
END;
$$;
COMMENT ON FUNCTION limit_analysts IS
    'Give a role of analysts what its logins have until they set something else: they only read, a statement ends '
    'after a minute. PostgreSQL takes these from the role that logs in, not from those it is a member of: see '
    'analyst_login().';

CREATE FUNCTION analyst_login(login_name text, unmasked boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    IF to_regrole(quote_ident(login_name)) IS NULL THEN
        EXECUTE format('CREATE ROLE %I LOGIN', login_name);
    END IF;
    EXECUTE format(
        'GRANT %I TO %I', CASE WHEN unmasked THEN 'vibes_analyst_unmasked' ELSE 'vibes_analyst' END, login_name
    );
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), login_name);
    PERFORM limit_analysts(login_name);
END;
$$;
COMMENT ON FUNCTION analyst_login IS
    'Make a login for an analyst, or make one of an existing login, with all limits; unmasked: who is to see phone '
    'numbers. Give it a password with psql''s \password. For administrators.';
REVOKE EXECUTE ON FUNCTION analyst_login(text, boolean), limit_analysts(text), grant_access() FROM PUBLIC;

-- migrate: rollback
DROP FUNCTION analyst_login(text, boolean);
DROP FUNCTION limit_analysts(text);
DROP FUNCTION columns_with_numbers() CASCADE;
DROP FUNCTION analytics.masked_fields(jsonb), analytics.masked_words(text), analytics.masked_number(text);
DROP FUNCTION analytics.sees_numbers(), analytics.contract_version();
CREATE OR REPLACE FUNCTION grant_access() RETURNS void
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
        SELECT
            wanted.role_name, each.oid::regclass AS relation, privilege,
            privilege = ANY (wanted.privileges) AS granted
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
