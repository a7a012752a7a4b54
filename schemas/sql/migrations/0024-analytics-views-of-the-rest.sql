-- What analysts may rely on: lists, passes, messages, callbacks and calls
-- depends: 0023-analytics-views-of-persons

-- migrate: apply

CREATE VIEW analytics.wallet_items AS
SELECT
    company_key,
    item_uuid,
    wallet_instance_uid,
    wallet_object_uid,
    wallet_campaign_uid,
    campaign_token,
    provider,
    installed,
    registered_at,
    unregistered_at,
    expiration_date,
    event_date,
    event_id
FROM analytics_store.wallet_items;

COMMENT ON VIEW analytics.wallet_items IS 'One row an installation of a wallet pass. Vibes names no person here.';
COMMENT ON COLUMN analytics.wallet_items.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.wallet_items.item_uuid IS 'The pass: the customer''s own text, not always a UUID.';
COMMENT ON COLUMN analytics.wallet_items.wallet_instance_uid IS 'The installation of the pass.';
COMMENT ON COLUMN analytics.wallet_items.wallet_object_uid IS 'Vibes'' id of the pass.';
COMMENT ON COLUMN analytics.wallet_items.wallet_campaign_uid IS 'Vibes'' id of the wallet campaign.';
COMMENT ON COLUMN analytics.wallet_items.campaign_token IS 'The campaign''s token, as used in Vibes'' URLs.';
COMMENT ON COLUMN analytics.wallet_items.provider IS 'google or apple.';
COMMENT ON COLUMN analytics.wallet_items.installed IS 'Whether the pass is installed now.';
COMMENT ON COLUMN analytics.wallet_items.registered_at IS 'When it was installed.';
COMMENT ON COLUMN analytics.wallet_items.unregistered_at IS
    'When it was removed; NULL while it is installed, or where not told.';
COMMENT ON COLUMN analytics.wallet_items.expiration_date IS 'When the pass expires.';
COMMENT ON COLUMN analytics.wallet_items.event_date IS 'Date of the last event about it.';
COMMENT ON COLUMN analytics.wallet_items.event_id IS 'Proof: event_id of that event.';

CREATE VIEW analytics.subscription_lists AS
SELECT
    lists.company_key,
    lists.list_id,
    lists.name,
    lists.url,
    lists.announced,
    lists.added_at,
    stays.first_opt_in_day,
    coalesce(stays.subscribers, 0)::bigint AS subscribers,
    archived.archived_at,
    lists.event_date,
    lists.event_id
FROM public.subscription_lists AS lists
LEFT JOIN (
    SELECT company_key, list_id, min(day) FILTER (WHERE opt_ins > 0) AS first_opt_in_day, sum(net_growth) AS subscribers
    FROM analytics.list_growth
    GROUP BY company_key, list_id
) AS stays USING (company_key, list_id)
LEFT JOIN (
    SELECT company_key, list_id, max(day) AS archived_at
    FROM analytics_store.stay_days
    WHERE opt_outs > 0 AND opt_out_reason = 'list_archived'
    GROUP BY company_key, list_id
) AS archived USING (company_key, list_id);

COMMENT ON VIEW analytics.subscription_lists IS
    'The subscription lists: those Vibes announced, and those only subscriptions name.';
COMMENT ON COLUMN analytics.subscription_lists.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.subscription_lists.list_id IS 'The list''s id, as text.';
COMMENT ON COLUMN analytics.subscription_lists.name IS 'The list''s name; NULL: not told.';
COMMENT ON COLUMN analytics.subscription_lists.url IS 'The list''s relative URL at Vibes.';
COMMENT ON COLUMN analytics.subscription_lists.announced IS
    'Whether Vibes announced it; false: only named by subscriptions.';
COMMENT ON COLUMN analytics.subscription_lists.added_at IS 'When the list was created, where that was told.';
COMMENT ON COLUMN analytics.subscription_lists.first_opt_in_day IS 'Day (UTC) of the first opt-in.';
COMMENT ON COLUMN analytics.subscription_lists.subscribers IS 'How many are subscribed now.';
COMMENT ON COLUMN analytics.subscription_lists.archived_at IS
    'Last day (UTC) on which subscribers were removed because the list was archived; NULL: none were.';
COMMENT ON COLUMN analytics.subscription_lists.event_date IS 'Date of the last event about the list itself.';
COMMENT ON COLUMN analytics.subscription_lists.event_id IS 'Proof: event_id of that event.';

CREATE VIEW analytics.inbound_messages AS
SELECT
    company_key,
    message_id,
    txn_id,
    receipt_date,
    CASE WHEN (SELECT analytics.sees_numbers()) THEN mdn ELSE analytics.masked_number(mdn) END AS mdn,
    carrier_code,
    source_code,
    country_code,
    code_type,
    response_sent,
    CASE WHEN (SELECT analytics.sees_numbers()) THEN message ELSE analytics.masked_words(message) END AS message,
    event_date,
    event_id
FROM analytics_store.inbound_messages;

COMMENT ON VIEW analytics.inbound_messages IS
    'One row an inbound message that matched no campaign and no system keyword. Free text: it may be an opt-out '
    'in plain words, which Vibes does not see as one.';
COMMENT ON COLUMN analytics.inbound_messages.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.inbound_messages.message_id IS 'Vibes'' id of the message; the event''s where it has none.';
COMMENT ON COLUMN analytics.inbound_messages.txn_id IS 'Vibes'' id of the transaction.';
COMMENT ON COLUMN analytics.inbound_messages.receipt_date IS 'When Vibes received the message.';
COMMENT ON COLUMN analytics.inbound_messages.mdn IS
    'Mobile number as Vibes wrote it; masked to its last four digits unless you are a member of '
    'vibes_analyst_unmasked. Vibes names no person here.';
COMMENT ON COLUMN analytics.inbound_messages.carrier_code IS 'Vibes'' code of the sender''s carrier.';
COMMENT ON COLUMN analytics.inbound_messages.source_code IS 'The short code it was sent to.';
COMMENT ON COLUMN analytics.inbound_messages.country_code IS 'Country calling code of the short code, e.g. 1 or 44.';
COMMENT ON COLUMN analytics.inbound_messages.code_type IS 'Kind of source code, e.g. SC.';
COMMENT ON COLUMN analytics.inbound_messages.response_sent IS 'Whether Vibes sent the default response.';
COMMENT ON COLUMN analytics.inbound_messages.message IS
    'The text. Phone numbers, e-mail addresses and links in it are *** unless you are a member of '
    'vibes_analyst_unmasked.';
COMMENT ON COLUMN analytics.inbound_messages.event_date IS 'Date of the event that told of it.';
COMMENT ON COLUMN analytics.inbound_messages.event_id IS 'Proof: event_id of that event.';

CREATE VIEW analytics.callback_volume AS
SELECT
    company_key,
    hour,
    (hour AT TIME ZONE 'UTC')::date AS day,
    'applied' AS outcome,
    callback_type,
    events AS callbacks
FROM analytics_store.callback_hours
UNION ALL
SELECT company_key, hour, (hour AT TIME ZONE 'UTC')::date, outcome, NULL, callbacks
FROM (
    SELECT company_key, hour, outcome, sum(callbacks)::bigint AS callbacks
    FROM public.callback_accounts
    CROSS JOIN LATERAL (VALUES
        ('duplicate', duplicates), ('quarantined', quarantined), ('dead_lettered', dead_lettered)
    ) AS counted (outcome, callbacks)
    WHERE callbacks > 0
    GROUP BY company_key, hour, outcome
) AS others;

COMMENT ON VIEW analytics.callback_volume IS 'How many callbacks came each hour, and what became of them.';
COMMENT ON COLUMN analytics.callback_volume.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.callback_volume.hour IS 'Beginning of the hour (UTC) in which they were received.';
COMMENT ON COLUMN analytics.callback_volume.day IS 'Day in UTC.';
COMMENT ON COLUMN analytics.callback_volume.outcome IS
    'applied: in the log; duplicate: of an applied one; quarantined: could not be read; dead_lettered: could be '
    'read, not applied.';
COMMENT ON COLUMN analytics.callback_volume.callback_type IS
    'One of Vibes'' 17 types, or test, or erased (about somebody who had been erased); NULL for those that were '
    'not applied.';
COMMENT ON COLUMN analytics.callback_volume.callbacks IS
    'How many. An event is counted when it was applied, whatever is erased or dropped later.';

CREATE VIEW analytics.delivery_delay AS
SELECT
    company_key,
    (hour AT TIME ZONE 'UTC')::date AS day,
    callback_type,
    sum(events)::bigint AS events,
    sum(undated)::bigint AS undated,
    sum(within_1_second)::bigint AS within_1_second,
    sum(within_10_seconds)::bigint AS within_10_seconds,
    sum(within_1_minute)::bigint AS within_1_minute,
    sum(within_10_minutes)::bigint AS within_10_minutes,
    sum(within_1_hour)::bigint AS within_1_hour,
    sum(within_1_day)::bigint AS within_1_day,
    sum(events - undated - within_1_day)::bigint AS later,
    (sum(milliseconds) / nullif(sum(events - undated), 0) / 1000)::double precision AS mean_seconds,
    max(max_milliseconds) / 1000::double precision AS max_seconds
FROM analytics_store.callback_hours
GROUP BY 1, 2, 3;

COMMENT ON VIEW analytics.delivery_delay IS
    'How long after an event occurred it was received (event_date to received_at), by day and type. Retries of '
    'Vibes are in it. The within columns include each other.';
COMMENT ON COLUMN analytics.delivery_delay.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.delivery_delay.day IS 'Day in UTC on which they were received.';
COMMENT ON COLUMN analytics.delivery_delay.callback_type IS 'One of Vibes'' 17 types, or test, or erased.';
COMMENT ON COLUMN analytics.delivery_delay.events IS 'Events received.';
COMMENT ON COLUMN analytics.delivery_delay.undated IS 'Those without a date, which are in no other column.';
COMMENT ON COLUMN analytics.delivery_delay.within_1_second IS
    'Received within 1 second; also those dated later than their receipt.';
COMMENT ON COLUMN analytics.delivery_delay.within_10_seconds IS 'Within 10 seconds.';
COMMENT ON COLUMN analytics.delivery_delay.within_1_minute IS 'Within a minute.';
COMMENT ON COLUMN analytics.delivery_delay.within_10_minutes IS 'Within 10 minutes.';
COMMENT ON COLUMN analytics.delivery_delay.within_1_hour IS 'Within an hour.';
COMMENT ON COLUMN analytics.delivery_delay.within_1_day IS 'Within 24 hours.';
COMMENT ON COLUMN analytics.delivery_delay.later IS 'After more than 24 hours.';
COMMENT ON COLUMN analytics.delivery_delay.mean_seconds IS 'Mean delay in seconds.';
COMMENT ON COLUMN analytics.delivery_delay.max_seconds IS 'Longest delay in seconds.';

CREATE VIEW analytics.person_api_outcomes AS
SELECT
    company_key,
    (called_at AT TIME ZONE 'UTC')::date AS day,
    method,
    route,
    status,
    error,
    CASE
        WHEN status BETWEEN 200 AND 299 THEN 'done'
        WHEN status = 404 THEN 'not_found'
        WHEN status = 429 THEN 'throttled'
        WHEN status BETWEEN 400 AND 499 THEN 'refused'
        ELSE 'failed'
    END AS outcome,
    count(*) AS calls,
    count(*) FILTER (WHERE attempt > 1) AS retries,
    avg(latency_seconds) AS mean_seconds,
    max(latency_seconds)::double precision AS max_seconds
FROM public.person_api_calls
GROUP BY 1, 2, 3, 4, 5, 6;

COMMENT ON VIEW analytics.person_api_outcomes IS 'What came of our calls to the Vibes API, by day.';
COMMENT ON COLUMN analytics.person_api_outcomes.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.person_api_outcomes.day IS 'Day in UTC.';
COMMENT ON COLUMN analytics.person_api_outcomes.method IS 'HTTP method.';
COMMENT ON COLUMN analytics.person_api_outcomes.route IS 'The path with its ids left out.';
COMMENT ON COLUMN analytics.person_api_outcomes.status IS 'HTTP status of the answer; NULL: none came.';
COMMENT ON COLUMN analytics.person_api_outcomes.error IS 'Kind of failure; NULL: none.';
COMMENT ON COLUMN analytics.person_api_outcomes.outcome IS
    'done; not_found; throttled: we were too fast; refused: for good; failed: no answer, or the fault was '
    'Vibes''.';
COMMENT ON COLUMN analytics.person_api_outcomes.calls IS 'How many calls, each attempt counted.';
COMMENT ON COLUMN analytics.person_api_outcomes.retries IS 'Those that were second or later attempts.';
COMMENT ON COLUMN analytics.person_api_outcomes.mean_seconds IS 'Mean time to the answer or the failure, in seconds.';
COMMENT ON COLUMN analytics.person_api_outcomes.max_seconds IS 'Longest of these, in seconds.';

CREATE VIEW analytics.data_freshness AS
SELECT
    accounts.company_key,
    received.last_received_at,
    accounts.last_applied_at,
    received.last_event_date,
    (
        SELECT count(*)
        FROM public.dead_letters AS d
        WHERE d.company_key = accounts.company_key
            AND d.replayed_at IS NULL AND d.discarded_at IS NULL AND d.erased_at IS NULL
    ) AS open_dead_letters,
    (
        SELECT count(*)
        FROM public.person_sync AS y
        WHERE y.company_key = accounts.company_key AND y.status IN ('pending', 'postponed')
    ) AS waiting_syncs,
    (
        SELECT coalesce(min(changed_at), now())
        FROM (
            SELECT changed_at FROM analytics_store.stay_changes
            UNION ALL
            SELECT changed_at FROM analytics_store.message_changes
            UNION ALL
            SELECT changed_at FROM analytics_store.touched
        ) AS waiting
    ) AS as_of
FROM (
    SELECT company_key, max(last_applied_at) AS last_applied_at
    FROM public.callback_accounts
    GROUP BY company_key
) AS accounts
LEFT JOIN (
    SELECT company_key, max(last_received_at) AS last_received_at, max(last_event_date) AS last_event_date
    FROM analytics_store.callback_hours
    GROUP BY company_key
) AS received USING (company_key);

COMMENT ON VIEW analytics.data_freshness IS 'How far the numbers are, for each company.';
COMMENT ON COLUMN analytics.data_freshness.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.data_freshness.last_received_at IS 'When the last event was received that is counted.';
COMMENT ON COLUMN analytics.data_freshness.last_applied_at IS 'When apply dealt with callbacks last.';
COMMENT ON COLUMN analytics.data_freshness.last_event_date IS 'The latest date an event told.';
COMMENT ON COLUMN analytics.data_freshness.open_dead_letters IS
    'Callbacks that could not be read or applied and wait for somebody: not in the numbers.';
COMMENT ON COLUMN analytics.data_freshness.waiting_syncs IS
    'Persons and records waiting to be read from, or written to, Vibes.';
COMMENT ON COLUMN analytics.data_freshness.as_of IS
    'All that was applied before this moment is in every view. Normally some seconds ago; the views of rows '
    '(current_subscribers, subscription_stays, persons_current, person_history) are always up to the moment.';

-- migrate: rollback
DROP VIEW
    analytics.data_freshness,
    analytics.person_api_outcomes,
    analytics.delivery_delay,
    analytics.callback_volume,
    analytics.inbound_messages,
    analytics.subscription_lists,
    analytics.wallet_items;
