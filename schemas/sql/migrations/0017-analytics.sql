-- Sums kept for analysts, so that their views are quick at any number of stays
-- depends: 0016-events-of-syncs

-- migrate: apply

-- analytics: what analysts may read. analytics_store: what its views are quick with, for nobody else to read.
CREATE SCHEMA analytics;
CREATE SCHEMA analytics_store;
COMMENT ON SCHEMA analytics_store IS
    'Sums and states the views of schema analytics are made of. Triggers note what changed, analytics_store.roll_up() '
    'adds it up; apply calls it every 15 seconds.';

-- Stays: what changed of which one, a row taken away and a row added. Transactions only add rows of their own, so that
-- none has to wait for another.
CREATE TABLE analytics_store.stay_changes (
    sign                    smallint    NOT NULL,
    company_key             text        NOT NULL,
    list_id                 text        NOT NULL,
    person_uid              uuid        NOT NULL,
    opt_in_date             timestamptz NOT NULL,
    acquisition_campaign_id text,
    opt_out_date            timestamptz,
    opt_out_reason          text,
    changed_at              timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE analytics_store.stay_changes IS 'Stays that changed and are not added up yet.';

CREATE TABLE analytics_store.stay_days (
    company_key             text   NOT NULL,
    day                     date   NOT NULL,
    list_id                 text   NOT NULL,
    acquisition_campaign_id text,
    opt_out_reason          text,
    opt_ins                 bigint NOT NULL,
    opt_outs                bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (company_key, day, list_id, acquisition_campaign_id, opt_out_reason)
) WITH (fillfactor = 80);
COMMENT ON TABLE analytics_store.stay_days IS 'Opt-ins and opt-outs by day (UTC).';

CREATE TABLE analytics_store.list_days (
    company_key text   NOT NULL,
    list_id     text   NOT NULL,
    day         date   NOT NULL,
    opt_ins     bigint NOT NULL,
    opt_outs    bigint NOT NULL,
    change      bigint NOT NULL,
    PRIMARY KEY (company_key, list_id, day)
) WITH (fillfactor = 80);
COMMENT ON TABLE analytics_store.list_days IS
    'The same by list only. change: how many more were on the list at the end of the day, by what was told of stays.';

CREATE TABLE analytics_store.stay_cohorts (
    company_key             text   NOT NULL,
    list_id                 text   NOT NULL,
    acquisition_campaign_id text,
    month                   date   NOT NULL,
    months                  integer,
    stays                   bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (company_key, list_id, acquisition_campaign_id, month, months)
) WITH (fillfactor = 80);
COMMENT ON TABLE analytics_store.stay_cohorts IS
    'Stays by month of opt-in (UTC) and the whole months they lasted; NULL: no end was told.';

CREATE TABLE analytics_store.stay_lengths (
    company_key    text    NOT NULL,
    list_id        text    NOT NULL,
    opt_out_reason text,
    days           integer NOT NULL,
    opt_outs       bigint  NOT NULL,
    seconds        numeric NOT NULL,
    UNIQUE NULLS NOT DISTINCT (company_key, list_id, opt_out_reason, days)
) WITH (fillfactor = 80);
COMMENT ON TABLE analytics_store.stay_lengths IS 'Stays that ended, by the whole days they lasted.';

CREATE TABLE analytics_store.repeated_stays (
    person_uid              uuid             NOT NULL,
    list_id                 text COLLATE "C" NOT NULL,
    opt_in_date             timestamptz      NOT NULL,
    company_key             text             NOT NULL,
    acquisition_campaign_id text,
    opt_out_date            timestamptz,
    ended_at                timestamptz,
    return_number           integer          NOT NULL,
    left_at                 timestamptz,
    left_reason             text,
    PRIMARY KEY (person_uid, list_id, opt_in_date)
);
COMMENT ON TABLE analytics_store.repeated_stays IS
    'The stays of whoever has several on one list. ended_at: the end told for the stay, or told otherwise: the person '
    'left the list at or after its beginning, or joined it again.';
CREATE INDEX repeated_stays_doubtful ON analytics_store.repeated_stays (company_key, list_id)
    WHERE ended_at IS DISTINCT FROM opt_out_date;

CREATE TABLE analytics_store.doubtful_stays (
    person_uid  uuid             NOT NULL,
    list_id     text COLLATE "C" NOT NULL,
    opt_in_date timestamptz      NOT NULL,
    PRIMARY KEY (person_uid, list_id, opt_in_date)
);
COMMENT ON TABLE analytics_store.doubtful_stays IS
    'Those of repeated_stays whose end was only told otherwise. A table, so that PostgreSQL sees how few they are.';

CREATE FUNCTION analytics_store.note_new_stays() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO analytics_store.stay_changes
    SELECT 1, company_key, list_id, person_uid, opt_in_date, acquisition_campaign_id, opt_out_date, opt_out_reason
    FROM added;
    RETURN NULL;
END;
$$;
CREATE FUNCTION analytics_store.note_gone_stays() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO analytics_store.stay_changes
    SELECT -1, company_key, list_id, person_uid, opt_in_date, acquisition_campaign_id, opt_out_date, opt_out_reason
    FROM removed;
    RETURN NULL;
END;
$$;
CREATE FUNCTION analytics_store.note_changed_stays() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO analytics_store.stay_changes
    SELECT told.sign, s.company_key, list_id, person_uid, opt_in_date, told.campaign, told.opt_out_date, told.reason
    FROM removed AS s
    JOIN added USING (person_uid, list_id, opt_in_date)
    CROSS JOIN LATERAL (VALUES
        (-1, s.acquisition_campaign_id, s.opt_out_date, s.opt_out_reason),
        (1, added.acquisition_campaign_id, added.opt_out_date, added.opt_out_reason)
    ) AS told (sign, campaign, opt_out_date, reason)
    WHERE (s.acquisition_campaign_id, s.opt_out_date, s.opt_out_reason)
        IS DISTINCT FROM (added.acquisition_campaign_id, added.opt_out_date, added.opt_out_reason);
    RETURN NULL;
END;
$$;

-- Adding up. Only one at a time, see roll_up.

CREATE FUNCTION analytics_store.add_up_stays(at_most integer) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    batch tid[] := ARRAY(SELECT ctid FROM analytics_store.stay_changes LIMIT at_most);
BEGIN
    IF cardinality(batch) = 0 THEN
        RETURN 0;
    END IF;

    INSERT INTO analytics_store.stay_days AS kept
    SELECT company_key, day, list_id, acquisition_campaign_id, reason, sum(opt_in), sum(opt_out)
    FROM analytics_store.stay_changes AS changed
    CROSS JOIN LATERAL (VALUES
        ((opt_in_date AT TIME ZONE 'UTC')::date, NULL, sign, 0),
        ((opt_out_date AT TIME ZONE 'UTC')::date, opt_out_reason, 0, sign)
    ) AS told (day, reason, opt_in, opt_out)
    WHERE changed.ctid = ANY (batch) AND isfinite(day)
    GROUP BY company_key, day, list_id, acquisition_campaign_id, reason
    ON CONFLICT (company_key, day, list_id, acquisition_campaign_id, opt_out_reason) DO UPDATE SET
        opt_ins = kept.opt_ins + excluded.opt_ins,
        opt_outs = kept.opt_outs + excluded.opt_outs;

    INSERT INTO analytics_store.list_days AS kept
    SELECT
        company_key, list_id, day, sum(opt_in), sum(opt_out),
        sum(opt_in - CASE WHEN isfinite(opt_in_date) THEN opt_out ELSE 0 END)
    FROM analytics_store.stay_changes AS changed
    CROSS JOIN LATERAL (VALUES
        ((opt_in_date AT TIME ZONE 'UTC')::date, sign, 0), ((opt_out_date AT TIME ZONE 'UTC')::date, 0, sign)
    ) AS told (day, opt_in, opt_out)
    WHERE changed.ctid = ANY (batch) AND isfinite(day)
    GROUP BY company_key, list_id, day
    ON CONFLICT (company_key, list_id, day) DO UPDATE SET
        opt_ins = kept.opt_ins + excluded.opt_ins,
        opt_outs = kept.opt_outs + excluded.opt_outs,
        change = kept.change + excluded.change;

    INSERT INTO analytics_store.stay_cohorts AS kept
    SELECT
        company_key,
        list_id,
        acquisition_campaign_id,
        date_trunc('month', opt_in_date AT TIME ZONE 'UTC')::date,
        CASE WHEN opt_out_date IS NOT NULL
             THEN greatest(extract(year FROM lasted) * 12 + extract(month FROM lasted), 0) END,
        sum(sign)
    FROM analytics_store.stay_changes AS changed
    CROSS JOIN LATERAL age(opt_out_date AT TIME ZONE 'UTC', opt_in_date AT TIME ZONE 'UTC') AS lasted
    WHERE changed.ctid = ANY (batch) AND isfinite(opt_in_date)
    GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (company_key, list_id, acquisition_campaign_id, month, months) DO UPDATE SET
        stays = kept.stays + excluded.stays;

    INSERT INTO analytics_store.stay_lengths AS kept
    SELECT
        company_key, list_id, opt_out_reason, floor(seconds / 86400), sum(sign), sum(sign * seconds)
    FROM analytics_store.stay_changes AS changed
    CROSS JOIN LATERAL greatest(extract(epoch FROM opt_out_date - opt_in_date), 0) AS seconds
    WHERE changed.ctid = ANY (batch) AND isfinite(opt_in_date) AND opt_out_date IS NOT NULL
    GROUP BY 1, 2, 3, 4
    ON CONFLICT (company_key, list_id, opt_out_reason, days) DO UPDATE SET
        opt_outs = kept.opt_outs + excluded.opt_outs,
        seconds = kept.seconds + excluded.seconds;

    DELETE FROM analytics_store.repeated_stays AS r
    USING (SELECT DISTINCT person_uid, list_id FROM analytics_store.stay_changes WHERE ctid = ANY (batch)) AS pair
    WHERE r.person_uid = pair.person_uid AND r.list_id = pair.list_id;
    INSERT INTO analytics_store.repeated_stays
    SELECT made.*
    FROM (SELECT DISTINCT person_uid, list_id FROM analytics_store.stay_changes WHERE ctid = ANY (batch)) AS pair
    CROSS JOIN LATERAL analytics_store.stays_of(pair.person_uid, pair.list_id) AS made
    -- Nearly all have only one, and are not worth the call.
    WHERE EXISTS (
        SELECT FROM public.subscriptions AS s
        WHERE s.person_uid = pair.person_uid AND s.list_id = pair.list_id
        OFFSET 1
    );

    DELETE FROM analytics_store.doubtful_stays AS d
    USING (SELECT DISTINCT person_uid, list_id FROM analytics_store.stay_changes WHERE ctid = ANY (batch)) AS pair
    WHERE d.person_uid = pair.person_uid AND d.list_id = pair.list_id;
    INSERT INTO analytics_store.doubtful_stays
    SELECT r.person_uid, r.list_id, r.opt_in_date
    FROM (SELECT DISTINCT person_uid, list_id FROM analytics_store.stay_changes WHERE ctid = ANY (batch)) AS pair
    JOIN analytics_store.repeated_stays AS r ON r.person_uid = pair.person_uid AND r.list_id = pair.list_id
    WHERE r.opt_out_date IS NULL AND r.ended_at IS NOT NULL;

    DELETE FROM analytics_store.stay_changes WHERE ctid = ANY (batch);
    RETURN cardinality(batch);
END;
$$;

CREATE FUNCTION analytics_store.stays_of(person_uid_ uuid, list_id_ text) RETURNS SETOF analytics_store.repeated_stays
    LANGUAGE sql STABLE AS $$
    WITH told AS (
        SELECT *, count(*) OVER () AS rows
        FROM public.subscriptions
        WHERE person_uid = person_uid_ AND list_id = list_id_
    ),
    ended AS (
        SELECT
            stay.*,
            (
                SELECT least(
                    stay.opt_out_date,
                    min(other.opt_out_date) FILTER (WHERE other.opt_out_date >= stay.opt_in_date),
                    -- A stay that ended before this one began says nothing of it, whatever beginning it was told with.
                    min(other.opt_in_date) FILTER (
                        WHERE other.opt_in_date > stay.opt_in_date
                            AND coalesce(other.opt_out_date >= stay.opt_in_date, true)
                    )
                )
                FROM told AS other
            ) AS ended_at
        FROM told AS stay
        WHERE rows > 1
    ),
    numbered AS (
        SELECT stay.*, before.returns, before.left_at
        FROM ended AS stay
        CROSS JOIN LATERAL (
            SELECT count(*)::integer AS returns, max(earlier.ended_at) AS left_at
            FROM ended AS earlier
            WHERE earlier.opt_in_date < stay.opt_in_date AND earlier.ended_at <= stay.opt_in_date
        ) AS before
        WHERE isfinite(stay.opt_in_date)
    )
    SELECT
        person_uid, list_id, opt_in_date, company_key, acquisition_campaign_id, opt_out_date, ended_at, returns,
        left_at,
        (
            SELECT opt_out_reason
            FROM told
            WHERE told.opt_out_date = numbered.left_at
            ORDER BY opt_in_date DESC
            LIMIT 1
        )
    FROM numbered
$$;
COMMENT ON FUNCTION analytics_store.stays_of IS 'The rows of repeated_stays of one person on one list, made anew.';

-- migrate: rollback
DROP SCHEMA analytics_store CASCADE;
DROP SCHEMA analytics CASCADE;
