-- What analysts may rely on: views of stays
-- depends: 0021-analytics-adding-up

-- migrate: apply

CREATE VIEW analytics.current_subscribers AS
SELECT
    s.company_key,
    s.list_id,
    s.person_uid,
    p.person_id,
    p.person_key,
    p.external_person_id,
    CASE WHEN (SELECT analytics.sees_numbers()) THEN p.mdn ELSE analytics.masked_number(p.mdn) END AS mdn,
    s.opt_in_date,
    s.acquisition_campaign_id,
    s.opt_in_event_id
FROM public.subscriptions AS s
LEFT JOIN public.persons AS p ON p.person_uid = s.person_uid
WHERE s.opt_out_date IS NULL
  AND NOT EXISTS (
      SELECT FROM analytics_store.doubtful_stays AS d
      WHERE d.person_uid = s.person_uid AND d.list_id = s.list_id AND d.opt_in_date = s.opt_in_date
  );

COMMENT ON VIEW analytics.current_subscribers IS
    'Who is subscribed to what now, one row a person and list. In doubt a person is not: who left the list at '
    'or after the beginning of the stay, in whatever order that was told, is not here.';
COMMENT ON COLUMN analytics.current_subscribers.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.current_subscribers.list_id IS
    'The subscription list''s id. Its name is in subscription_lists.';
COMMENT ON COLUMN analytics.current_subscribers.person_uid IS 'The person. The same in all views.';
COMMENT ON COLUMN analytics.current_subscribers.person_id IS 'Vibes'' (deprecated) id of the person, as text.';
COMMENT ON COLUMN analytics.current_subscribers.person_key IS
    'Vibes'' canonical key of the person, as text; NULL: not told.';
COMMENT ON COLUMN analytics.current_subscribers.external_person_id IS 'The customer''s own id of the person.';
COMMENT ON COLUMN analytics.current_subscribers.mdn IS
    'Mobile number as Vibes wrote it; masked to its last four digits unless you are a member of '
    'vibes_analyst_unmasked.';
COMMENT ON COLUMN analytics.current_subscribers.opt_in_date IS 'Since when.';
COMMENT ON COLUMN analytics.current_subscribers.acquisition_campaign_id IS
    'The acquisition campaign they joined by; NULL: Vibes did not tell one.';
COMMENT ON COLUMN analytics.current_subscribers.opt_in_event_id IS 'Proof: event_id of the subscription_added.';

CREATE VIEW analytics.subscription_stays AS
SELECT
    s.company_key,
    s.list_id,
    s.person_uid,
    nullif(s.opt_in_date, '-infinity') AS opt_in_date,
    s.opt_out_date,
    s.opt_out_reason,
    s.acquisition_campaign_id,
    CASE WHEN isfinite(s.opt_in_date) THEN extract(epoch FROM s.opt_out_date - s.opt_in_date)::double precision / 86400
    END AS days,
    s.opt_out_date IS NULL AS open,
    s.opt_out_date IS NULL AND d.person_uid IS NOT NULL AS in_doubt,
    s.opt_in_event_id,
    s.opt_in_event_date,
    s.opt_out_event_id,
    s.opt_out_event_date
FROM public.subscriptions AS s
LEFT JOIN analytics_store.doubtful_stays AS d
    ON d.person_uid = s.person_uid AND d.list_id = s.list_id AND d.opt_in_date = s.opt_in_date;

COMMENT ON VIEW analytics.subscription_stays IS
    'Every stay: one person on one list from opt-in to opt-out. Who comes back has several. As Vibes told it; '
    'see in_doubt.';
COMMENT ON COLUMN analytics.subscription_stays.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.subscription_stays.list_id IS
    'The subscription list''s id. Its name is in subscription_lists.';
COMMENT ON COLUMN analytics.subscription_stays.person_uid IS 'The person. The same in all views.';
COMMENT ON COLUMN analytics.subscription_stays.opt_in_date IS 'Beginning of the stay. NULL: an opt-out told none.';
COMMENT ON COLUMN analytics.subscription_stays.opt_out_date IS 'End of the stay; NULL: none was told.';
COMMENT ON COLUMN analytics.subscription_stays.opt_out_reason IS
    'Why it ended, in Vibes'' words; explained in opt_out_reasons. Vibes may add values.';
COMMENT ON COLUMN analytics.subscription_stays.acquisition_campaign_id IS
    'The acquisition campaign they joined by; NULL: Vibes did not tell one.';
COMMENT ON COLUMN analytics.subscription_stays.days IS 'How long it lasted, in days of 24 hours; NULL while it lasts.';
COMMENT ON COLUMN analytics.subscription_stays.open IS 'Whether no end was told.';
COMMENT ON COLUMN analytics.subscription_stays.in_doubt IS
    'Whether no end was told, but the person left the same list later or joined it once more: the end was lost, '
    'or is late. Not counted as a subscriber. Noticed some seconds after the rest.';
COMMENT ON COLUMN analytics.subscription_stays.opt_in_event_id IS
    'Proof of the opt-in: event_id of its subscription_added. NULL: only the end was told.';
COMMENT ON COLUMN analytics.subscription_stays.opt_in_event_date IS 'When that event occurred.';
COMMENT ON COLUMN analytics.subscription_stays.opt_out_event_id IS
    'Proof of the opt-out: event_id of its subscription_removed.';
COMMENT ON COLUMN analytics.subscription_stays.opt_out_event_date IS 'When that event occurred.';

CREATE VIEW analytics.opt_ins_and_opt_outs_daily AS
SELECT company_key, day, list_id, acquisition_campaign_id, opt_out_reason, opt_ins, opt_outs
FROM analytics_store.stay_days
WHERE opt_ins <> 0 OR opt_outs <> 0;

COMMENT ON VIEW analytics.opt_ins_and_opt_outs_daily IS
    'How many stays began and ended each day, by list, campaign and reason. A day without any has no row.';
COMMENT ON COLUMN analytics.opt_ins_and_opt_outs_daily.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.opt_ins_and_opt_outs_daily.day IS
    'Day in UTC: of opt_in_date for opt-ins, of opt_out_date for opt-outs.';
COMMENT ON COLUMN analytics.opt_ins_and_opt_outs_daily.list_id IS
    'The subscription list''s id. Its name is in subscription_lists.';
COMMENT ON COLUMN analytics.opt_ins_and_opt_outs_daily.acquisition_campaign_id IS
    'The acquisition campaign they joined by; NULL: Vibes did not tell one. For opt-outs too: the campaign they '
    'had joined by.';
COMMENT ON COLUMN analytics.opt_ins_and_opt_outs_daily.opt_out_reason IS
    'Why the stays ended; NULL for opt-ins, and for opt-outs without a reason.';
COMMENT ON COLUMN analytics.opt_ins_and_opt_outs_daily.opt_ins IS 'Stays that began.';
COMMENT ON COLUMN analytics.opt_ins_and_opt_outs_daily.opt_outs IS 'Stays that ended.';

CREATE VIEW analytics.list_growth AS
SELECT
    company_key,
    list_id,
    day,
    sum(opt_ins)::bigint AS opt_ins,
    sum(opt_outs)::bigint AS opt_outs,
    sum(change)::bigint AS net_growth,
    (sum(sum(change)) OVER (PARTITION BY company_key, list_id ORDER BY day))::bigint AS subscribers
FROM (
    SELECT company_key, list_id, day, opt_ins, opt_outs, change
    FROM analytics_store.list_days
    UNION ALL
    -- Stays that ended otherwise than told.
    SELECT company_key, list_id, (ended_at AT TIME ZONE 'UTC')::date, 0, 0, -1
    FROM analytics_store.repeated_stays
    WHERE ended_at IS DISTINCT FROM opt_out_date
    UNION ALL
    SELECT company_key, list_id, (opt_out_date AT TIME ZONE 'UTC')::date, 0, 0, 1
    FROM analytics_store.repeated_stays
    WHERE ended_at IS DISTINCT FROM opt_out_date AND opt_out_date IS NOT NULL
) AS told
GROUP BY company_key, list_id, day
HAVING sum(opt_ins) <> 0 OR sum(opt_outs) <> 0 OR sum(change) <> 0;

COMMENT ON VIEW analytics.list_growth IS
    'How each list grew, day by day. A day on which nothing happened to a list has no row. The last row of a '
    'list tells as many subscribers as current_subscribers has.';
COMMENT ON COLUMN analytics.list_growth.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.list_growth.list_id IS 'The subscription list''s id. Its name is in subscription_lists.';
COMMENT ON COLUMN analytics.list_growth.day IS 'Day in UTC.';
COMMENT ON COLUMN analytics.list_growth.opt_ins IS 'Stays that began.';
COMMENT ON COLUMN analytics.list_growth.opt_outs IS 'Stays that ended, as told.';
COMMENT ON COLUMN analytics.list_growth.net_growth IS
    'How many subscribers more there were at the end of the day. Not always opt_ins - opt_outs: an opt-out that '
    'told no beginning is not taken off, and a stay that ended otherwise than told (see in_doubt of '
    'subscription_stays) is.';
COMMENT ON COLUMN analytics.list_growth.subscribers IS 'Subscribers at the end of the day.';

CREATE VIEW analytics.list_churn AS
SELECT
    company_key,
    list_id,
    acquisition_campaign_id,
    month AS cohort_month,
    joined::bigint AS cohort_size,
    since AS months_since_opt_in,
    (joined - gone)::bigint AS survivors,
    ((joined - gone) / joined)::double precision AS survival_rate
FROM (
    SELECT
        company_key, list_id, acquisition_campaign_id, month, since,
        bool_or(asked) AS asked,
        sum(sum(joined)) OVER cohort AS joined,
        sum(sum(gone)) OVER (cohort ORDER BY since) AS gone
    FROM (
        -- Who did not complete a month is gone in the next count.
        SELECT
            company_key, list_id, acquisition_campaign_id, month, coalesce(months + 1, 0) AS since, stays AS joined,
            CASE WHEN months IS NULL THEN 0 ELSE stays END AS gone, false AS asked
        FROM analytics_store.stay_cohorts
        UNION ALL
        SELECT company_key, list_id, acquisition_campaign_id, month, since, 0, 0, true
        FROM (
            SELECT DISTINCT company_key, list_id, acquisition_campaign_id, month FROM analytics_store.stay_cohorts
        ) AS cohorts
        CROSS JOIN LATERAL age(date_trunc('month', now() AT TIME ZONE 'UTC'), month::timestamp) AS over_for
        CROSS JOIN LATERAL generate_series(
            0, greatest(extract(year FROM over_for)::integer * 12 + extract(month FROM over_for)::integer - 1, 0)
        ) AS since
    ) AS told
    GROUP BY company_key, list_id, acquisition_campaign_id, month, since
    WINDOW cohort AS (PARTITION BY company_key, list_id, acquisition_campaign_id, month)
) AS counted
WHERE asked AND joined > 0;

COMMENT ON VIEW analytics.list_churn IS
    'How many of those who joined in one month were still there so many whole months later. Only months that '
    'are over for all of them.';
COMMENT ON COLUMN analytics.list_churn.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.list_churn.list_id IS 'The subscription list''s id. Its name is in subscription_lists.';
COMMENT ON COLUMN analytics.list_churn.acquisition_campaign_id IS
    'The acquisition campaign they joined by; NULL: Vibes did not tell one.';
COMMENT ON COLUMN analytics.list_churn.cohort_month IS 'First day of the month (UTC) in which they joined.';
COMMENT ON COLUMN analytics.list_churn.cohort_size IS 'Stays that began in that month.';
COMMENT ON COLUMN analytics.list_churn.months_since_opt_in IS 'Whole months after the opt-in of each.';
COMMENT ON COLUMN analytics.list_churn.survivors IS 'Stays that had not ended by then, as told.';
COMMENT ON COLUMN analytics.list_churn.survival_rate IS
    'survivors / cohort_size. Over several rows: sum(survivors) / sum(cohort_size).';

CREATE VIEW analytics.opt_out_reasons AS
SELECT
    told.company_key,
    told.list_id,
    told.month,
    told.opt_out_reason,
    told.opt_outs,
    told.opt_outs / sum(told.opt_outs) OVER (PARTITION BY told.company_key, told.list_id, told.month)::double precision
        AS share,
    known.own_wish,
    known.meaning
FROM (
    SELECT
        company_key, list_id, date_trunc('month', day::timestamp)::date AS month, opt_out_reason,
        sum(opt_outs)::bigint AS opt_outs
    FROM analytics_store.stay_days
    GROUP BY 1, 2, 3, 4
    HAVING sum(opt_outs) <> 0
) AS told
LEFT JOIN (VALUES
    ('user_opt_out', true, 'Vibes'' default, where no other reason is told'),
    ('keyword_opt_out', true, 'the person texted STOP or a word like it'),
    ('button_opt_out', NULL, 'opted out by somebody in the Campaign Manager'),
    ('platform_opt_out', NULL, 'removed by hand in the Vibes Platform'),
    ('api_opt_out', NULL, 'removed through the Subscription API, perhaps by us'),
    ('bulk_opt_out', NULL, 'named in a file of opt-outs'),
    ('list_archived', false, 'the list was archived'),
    ('disconnect', false, 'the number was disconnected, and may be given to somebody else'),
    ('failed_at_carrier', false, 'the carrier could not deliver'),
    ('obsolete_carrier', false, 'the carrier is no longer supported')
) AS known (reason, own_wish, meaning) ON known.reason = told.opt_out_reason;

COMMENT ON VIEW analytics.opt_out_reasons IS
    'Why persons left each list, month by month, and what Vibes'' reasons mean.';
COMMENT ON COLUMN analytics.opt_out_reasons.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.opt_out_reasons.list_id IS
    'The subscription list''s id. Its name is in subscription_lists.';
COMMENT ON COLUMN analytics.opt_out_reasons.month IS 'First day of the month (UTC) in which they left.';
COMMENT ON COLUMN analytics.opt_out_reasons.opt_out_reason IS
    'In Vibes'' words; NULL: no reason was told. Vibes may add values.';
COMMENT ON COLUMN analytics.opt_out_reasons.opt_outs IS 'Stays that ended.';
COMMENT ON COLUMN analytics.opt_out_reasons.share IS 'Part of all opt-outs of this list and month, from 0 to 1.';
COMMENT ON COLUMN analytics.opt_out_reasons.own_wish IS
    'true: the person''s own wish. false: it was not. NULL: the reason does not tell.';
COMMENT ON COLUMN analytics.opt_out_reasons.meaning IS 'What the reason means; NULL: Vibes does not document it.';

CREATE VIEW analytics.time_to_opt_out AS
SELECT
    company_key,
    list_id,
    opt_out_reason,
    sum(opt_outs)::bigint AS opt_outs,
    coalesce(sum(opt_outs) FILTER (WHERE days < 1), 0)::bigint AS within_1_day,
    coalesce(sum(opt_outs) FILTER (WHERE days < 7), 0)::bigint AS within_7_days,
    coalesce(sum(opt_outs) FILTER (WHERE days < 30), 0)::bigint AS within_30_days,
    coalesce(sum(opt_outs) FILTER (WHERE days < 90), 0)::bigint AS within_90_days,
    (sum(seconds) / sum(opt_outs) / 86400)::double precision AS mean_days,
    min(days) FILTER (WHERE up_to * 2 >= total) AS median_days
FROM (
    SELECT
        *,
        sum(opt_outs) OVER (PARTITION BY company_key, list_id, opt_out_reason ORDER BY days) AS up_to,
        sum(opt_outs) OVER (PARTITION BY company_key, list_id, opt_out_reason) AS total
    FROM analytics_store.stay_lengths
    WHERE opt_outs <> 0
) AS told
GROUP BY company_key, list_id, opt_out_reason;

COMMENT ON VIEW analytics.time_to_opt_out IS
    'How long stays lasted that have ended, by list and reason. Those that last are not in it: for them see '
    'list_churn.';
COMMENT ON COLUMN analytics.time_to_opt_out.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.time_to_opt_out.list_id IS
    'The subscription list''s id. Its name is in subscription_lists.';
COMMENT ON COLUMN analytics.time_to_opt_out.opt_out_reason IS 'In Vibes'' words; NULL: no reason was told.';
COMMENT ON COLUMN analytics.time_to_opt_out.opt_outs IS 'Stays that ended, and whose beginning is known.';
COMMENT ON COLUMN analytics.time_to_opt_out.within_1_day IS 'Those that lasted less than 24 hours.';
COMMENT ON COLUMN analytics.time_to_opt_out.within_7_days IS 'Less than 7 days.';
COMMENT ON COLUMN analytics.time_to_opt_out.within_30_days IS 'Less than 30 days.';
COMMENT ON COLUMN analytics.time_to_opt_out.within_90_days IS 'Less than 90 days.';
COMMENT ON COLUMN analytics.time_to_opt_out.mean_days IS 'How long they lasted on average, in days.';
COMMENT ON COLUMN analytics.time_to_opt_out.median_days IS
    'Whole days that half of them did not outlast (the lower median).';

CREATE VIEW analytics.resubscribers AS
SELECT
    company_key,
    list_id,
    person_uid,
    return_number,
    left_at,
    left_reason,
    opt_in_date AS returned_at,
    extract(epoch FROM opt_in_date - left_at)::double precision / 86400 AS days_away,
    acquisition_campaign_id,
    ended_at AS left_again_at
FROM analytics_store.repeated_stays
WHERE return_number > 0;

COMMENT ON VIEW analytics.resubscribers IS 'Who came back: one row a return of a person to a list they had left.';
COMMENT ON COLUMN analytics.resubscribers.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.resubscribers.list_id IS 'The subscription list''s id. Its name is in subscription_lists.';
COMMENT ON COLUMN analytics.resubscribers.person_uid IS 'The person. The same in all views.';
COMMENT ON COLUMN analytics.resubscribers.return_number IS '1 for the first return of the person to the list.';
COMMENT ON COLUMN analytics.resubscribers.left_at IS 'End of the stay before.';
COMMENT ON COLUMN analytics.resubscribers.left_reason IS
    'Why that ended, in Vibes'' words. NULL: not told; where the end itself was not told, it is that of the '
    'return.';
COMMENT ON COLUMN analytics.resubscribers.returned_at IS 'When they came back.';
COMMENT ON COLUMN analytics.resubscribers.days_away IS 'How long they had been away, in days of 24 hours.';
COMMENT ON COLUMN analytics.resubscribers.acquisition_campaign_id IS
    'The campaign they came back by; NULL: Vibes did not tell one.';
COMMENT ON COLUMN analytics.resubscribers.left_again_at IS 'When they left again; NULL: they stayed.';

-- migrate: rollback
DROP VIEW
    analytics.resubscribers,
    analytics.time_to_opt_out,
    analytics.opt_out_reasons,
    analytics.list_churn,
    analytics.list_growth,
    analytics.opt_ins_and_opt_outs_daily,
    analytics.subscription_stays,
    analytics.current_subscribers;
