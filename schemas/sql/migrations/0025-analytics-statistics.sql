-- The first sums of a new database do not wait for autovacuum's first visit
-- depends: 0024-analytics-views-of-the-rest

-- migrate: apply

CREATE OR REPLACE FUNCTION analytics_store.roll_up(at_most integer DEFAULT 50000) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    -- All is looked up by keys, however small PostgreSQL takes a table to be that it has not analysed yet.
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
    SET jit = off AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(7214356917039) THEN
        RETURN 0;
    END IF;
    -- Before it is analysed the planner takes each kind of identity for a rare one, and the first part of the key for
    -- enough: under load the first minute's sums took another minute.
    IF EXISTS (SELECT FROM person_identities) AND
        (SELECT reltuples < 0 FROM pg_class WHERE oid = 'person_identities'::regclass)
    THEN
        ANALYZE person_identities;
    END IF;
    RETURN analytics_store.add_up_stays(at_most)
        + analytics_store.add_up_callbacks(greatest(at_most / 20, 1))
        + analytics_store.make_things(greatest(at_most / 20, 1));
END;
$$;

-- migrate: rollback
CREATE OR REPLACE FUNCTION analytics_store.roll_up(at_most integer DEFAULT 50000) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
    SET jit = off AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(7214356917039) THEN
        RETURN 0;
    END IF;
    RETURN analytics_store.add_up_stays(at_most)
        + analytics_store.add_up_callbacks(greatest(at_most / 20, 1))
        + analytics_store.make_things(greatest(at_most / 20, 1));
END;
$$;
