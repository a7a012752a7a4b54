-- Noting what changes, and adding it up for analysts
-- depends: 0020-analytics-of-the-log

-- migrate: apply

CREATE FUNCTION analytics_store.roll_up(at_most integer DEFAULT 50000) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    -- All is looked up by keys, however small PostgreSQL takes a table to be that it has not analysed yet.
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
COMMENT ON FUNCTION analytics_store.roll_up IS
    'Add up what changed, so many stays at most and a twentieth of that of messages and of things told by the log. '
    'Returns how many; 0: nothing was left, or somebody else is at it.';

-- Locks out writers until this is committed: what they write then is noted, what they had written is added up here.
CREATE TRIGGER analytics_added AFTER INSERT ON subscriptions
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION analytics_store.note_new_stays();
CREATE TRIGGER analytics_changed AFTER UPDATE ON subscriptions
    REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION analytics_store.note_changed_stays();
CREATE TRIGGER analytics_removed AFTER DELETE ON subscriptions
    REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION analytics_store.note_gone_stays();
CREATE TRIGGER analytics_added AFTER INSERT ON callback_messages
    REFERENCING NEW TABLE AS recorded
    FOR EACH STATEMENT EXECUTE FUNCTION analytics_store.note_messages();
CREATE TRIGGER analytics_changed AFTER UPDATE ON callback_messages
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION analytics_store.note_replays();
CREATE TRIGGER analytics_erased AFTER UPDATE OF callback_type ON callback_events
    FOR EACH ROW WHEN (NEW.callback_type = 'erased' AND OLD.callback_type <> 'erased')
    EXECUTE FUNCTION analytics_store.forget_thing();

-- Of what there is, here already: the sums only of what the log still holds.
CREATE FUNCTION analytics_store.rebuild() RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    view_ text;
BEGIN
    LOCK TABLE public.subscriptions, public.callback_messages IN SHARE ROW EXCLUSIVE MODE;
    TRUNCATE
        analytics_store.stay_changes, analytics_store.stay_days, analytics_store.list_days,
        analytics_store.stay_cohorts, analytics_store.stay_lengths, analytics_store.repeated_stays,
        analytics_store.doubtful_stays,
        analytics_store.message_changes, analytics_store.callback_hours, analytics_store.touched;
    INSERT INTO analytics_store.stay_changes
    SELECT 1, company_key, list_id, person_uid, opt_in_date, acquisition_campaign_id, opt_out_date, opt_out_reason
    FROM public.subscriptions;
    INSERT INTO analytics_store.message_changes
    SELECT message_id, received_at FROM public.callback_messages WHERE applied > 0 OR outcomes LIKE '%a%';
    PERFORM analytics_store.add_up_stays(NULL), analytics_store.add_up_callbacks(NULL);
    TRUNCATE analytics_store.touched;
    FOREACH view_ IN ARRAY ARRAY[
        'participations', 'push_devices', 'wallet_items', 'inbound_messages', 'event_outcomes'
    ] LOOP
        EXECUTE format('TRUNCATE analytics_store.%1$I', view_);
        EXECUTE format('INSERT INTO analytics_store.%1$I SELECT * FROM public.%1$I', view_);
    END LOOP;
END;
$$;
COMMENT ON FUNCTION analytics_store.rebuild IS
    'Make all sums and states anew from the log and the mirror. Workers wait meanwhile: minutes for ten million '
    'events.';
SELECT analytics_store.rebuild();

-- migrate: rollback
DROP TRIGGER analytics_erased ON callback_events;
DROP TRIGGER analytics_changed ON callback_messages;
DROP TRIGGER analytics_added ON callback_messages;
DROP TRIGGER analytics_removed ON subscriptions;
DROP TRIGGER analytics_changed ON subscriptions;
DROP TRIGGER analytics_added ON subscriptions;
DROP FUNCTION analytics_store.rebuild(), analytics_store.roll_up(integer);
