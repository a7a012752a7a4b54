-- Taking out of the log what is old, while it is written to and read
-- depends: 0018-analysts

-- migrate: apply

CREATE FUNCTION month_partitions(parent regclass)
    RETURNS TABLE (partition regclass, range_begin timestamptz, range_end timestamptz, bytes bigint)
    LANGUAGE sql STABLE AS $$
    SELECT oid, bounds[1]::timestamptz, bounds[2]::timestamptz, pg_total_relation_size(oid)
    FROM (
        SELECT
            each.oid,
            regexp_match(pg_get_expr(each.relpartbound, each.oid), 'FROM \(''(.+)''\) TO \(''(.+)''\)') AS bounds
        FROM pg_inherits
        JOIN pg_class AS each ON each.oid = inhrelid
        WHERE inhparent = parent
    ) AS partitions
    WHERE bounds IS NOT NULL
    ORDER BY 2
$$;
COMMENT ON FUNCTION month_partitions IS
    'The monthly partitions of a table, without the default partition: which time each is for, and its size with indexes.';

CREATE FUNCTION outlives_bodies(callback_type text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN callback_type IN (
        -- Evidence of consent, and of its end.
        'subscription_added', 'subscription_removed',
        'ack_participant_added', 'ack_participant_changed', 'company_participant_added', 'company_participant_changed',
        -- The log is the only place that tells the present state of these.
        'subscription_list_added', 'subscription_list_updated',
        'device_added', 'device_updated', 'device_removed', 'wallet_item_install', 'wallet_item_remove'
    );
COMMENT ON FUNCTION outlives_bodies IS
    'Whether an event of this type stays in the log when the bodies of its month are removed: it proves an opt-in or an '
    'opt-out, or a view of current state is made of it.';

CREATE FUNCTION evidence_of(payload jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (
        SELECT coalesce(jsonb_object_agg(told.key, told.value), '{}')
        FROM jsonb_each(payload) AS told
        WHERE told.key IN (
            'event_id', 'callback_type', 'event_type', 'event_date', 'subscription', 'participant', 'subscription_list',
            'person', 'push_device', 'wallet_instance', 'wallet_item', 'wallet_campaign'
        )
    );
COMMENT ON FUNCTION evidence_of IS
    'What is kept of a body: the elements that Vibes documents for the types that outlive bodies.';

-- Nobody may use the table in the moment in which a partition comes or goes. What waits for that moment has others wait
-- behind it, so it is only tried for half a second, and then again later.
CREATE FUNCTION replace_partition(parent regclass, old regclass, new regclass, tries integer) RETURNS void
    LANGUAGE plpgsql SET lock_timeout = '500ms' AS $$
DECLARE
    name text := (SELECT relname FROM pg_class WHERE oid = old);
    bound text := (SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = old);
BEGIN
    FOR attempt IN 1..tries LOOP
        BEGIN
            EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', parent);
            EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', parent, old);
            IF new IS NOT NULL THEN
                EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s %s', parent, new, bound);
            END IF;
            EXECUTE format('DROP TABLE %s', old);
            IF new IS NOT NULL THEN
                EXECUTE format('ALTER TABLE %s RENAME TO %I', new, name);
            END IF;
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            IF attempt = tries THEN
                RAISE;
            END IF;
            PERFORM pg_sleep(1);
        END;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION replace_partition IS
    'Drop a partition, and put a table with other rows of the same range in its place unless that is NULL. Raises '
    'lock_not_available when the table was in use at each of so many tries.';

CREATE FUNCTION thin_events(old regclass, tries integer) RETURNS TABLE (kept bigint, removed bigint)
    LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
    name text := (SELECT relname FROM pg_class WHERE oid = old);
    thin text := name || '_thin';
    month record;
    columns text;
BEGIN
    -- Readers go on. Nobody may write to this month meanwhile: an erasure would be undone.
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', old);
    SELECT each.* INTO STRICT month FROM month_partitions('callback_events') AS each WHERE each.partition = old;
    SELECT string_agg(
        CASE attname
            WHEN 'payload' THEN 'evidence_of(payload)'
            WHEN 'original_body' THEN 'NULL'
            ELSE quote_ident(attname)
        END,
        ', ' ORDER BY attnum
    )
    INTO columns
    FROM pg_attribute
    WHERE attrelid = 'callback_events'::regclass AND attnum > 0 AND NOT attisdropped;

    EXECUTE format('CREATE TABLE %I (LIKE callback_events INCLUDING ALL)', thin);
    EXECUTE format('INSERT INTO %I SELECT %s FROM %s WHERE outlives_bodies(callback_type)', thin, columns, old);
    GET DIAGNOSTICS kept = ROW_COUNT;
    -- Spares the moment of the exchange a look at every row.
    EXECUTE format(
        'ALTER TABLE %I ADD CONSTRAINT in_month CHECK (received_at >= %L AND received_at < %L)',
        thin, month.range_begin, month.range_end
    );
    -- What analysts see of these events is made anew, and so is gone with them.
    EXECUTE format(
        'INSERT INTO analytics_store.touched (view_name, company_key, key, at) '
        'SELECT DISTINCT thing.view_name, company_key, thing.key, thing.at '
        'FROM %s CROSS JOIN LATERAL analytics_store.thing_of(callback_type, event_id, payload) AS thing '
        'WHERE NOT outlives_bodies(callback_type)',
        old
    );
    EXECUTE format('SELECT count(*) FROM %s WHERE NOT outlives_bodies(callback_type)', old) INTO removed;
    PERFORM replace_partition('callback_events', old, to_regclass(quote_ident(thin)), tries);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT in_month', name);
    RETURN NEXT;
END;
$$;
COMMENT ON FUNCTION thin_events IS
    'Leave of a monthly partition of callback_events what outlives_bodies(), in one transaction, while others go on. '
    'Raises lock_not_available as replace_partition() does; then nothing has changed.';

-- migrate: rollback
DROP FUNCTION thin_events(regclass, integer);
DROP FUNCTION replace_partition(regclass, regclass, regclass, integer);
DROP FUNCTION evidence_of(jsonb);
DROP FUNCTION outlives_bodies(text);
DROP FUNCTION month_partitions(regclass);
