-- Current state, continued: lists, inbound messages, events that were submitted
-- depends: 0004-current-state-views

-- migrate: apply

-- For the order of events see the migration before.

-- Last is: the latest; at the same moment an update. The lists of subscriptions are looked up one by one in an index,
-- because there are few of them and very many subscriptions.
CREATE VIEW subscription_lists AS
WITH RECURSIVE named AS (
    (SELECT company_key, list_id FROM subscriptions ORDER BY company_key, list_id LIMIT 1)
    UNION ALL
    SELECT next.company_key, next.list_id
    FROM named
    CROSS JOIN LATERAL (
        SELECT s.company_key, s.list_id
        FROM subscriptions AS s
        WHERE (s.company_key, s.list_id) > (named.company_key, named.list_id)
        ORDER BY s.company_key, s.list_id
        LIMIT 1
    ) AS next
),
announced AS (
    SELECT
        company_key,
        list_id,
        last_told(name ORDER BY place) AS name,
        last_told(url ORDER BY place) AS url,
        min(event_date) FILTER (WHERE NOT updates) AS added_at,
        max(event_date) AS event_date,
        last_told(event_id ORDER BY place) AS event_id
    FROM (
        SELECT
            *,
            row_number() OVER (
                PARTITION BY company_key, list_id
                ORDER BY event_date NULLS FIRST, updates, event_id COLLATE "C", payload - 'delivery_attempt'
            ) AS place
        FROM (
            SELECT
                *,
                callback_type = 'subscription_list_updated' AS updates,
                read_text(payload #> '{subscription_list,name}') AS name,
                read_text(payload #> '{subscription_list,url}') AS url
            FROM identified_events
            WHERE callback_type IN ('subscription_list_added', 'subscription_list_updated')
        ) AS told
        WHERE list_id IS NOT NULL
    ) AS placed
    GROUP BY company_key, list_id
)
SELECT
    company_key,
    list_id,
    announced.name,
    announced.url,
    announced.list_id IS NOT NULL AS announced,
    announced.added_at,
    announced.event_date,
    announced.event_id
FROM announced
FULL JOIN named USING (company_key, list_id);

COMMENT ON VIEW subscription_lists IS
    'The subscription lists: those Vibes announced, and those only subscriptions name. Vibes does not tell when a list '
    'is archived but by removing its subscribers, with reason list_archived.';
COMMENT ON COLUMN subscription_lists.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN subscription_lists.list_id IS 'The list''s id, as text.';
COMMENT ON COLUMN subscription_lists.name IS 'The list''s name; NULL: not told.';
COMMENT ON COLUMN subscription_lists.url IS 'The list''s relative URL at Vibes.';
COMMENT ON COLUMN subscription_lists.announced IS 'Whether Vibes announced it; false: only named by subscriptions.';
COMMENT ON COLUMN subscription_lists.added_at IS 'When the list was created, where that was told.';
COMMENT ON COLUMN subscription_lists.event_date IS 'Date of the last event about the list itself.';
COMMENT ON COLUMN subscription_lists.event_id IS 'Proof: event_id of that event.';

CREATE VIEW inbound_messages AS
SELECT DISTINCT ON (company_key, message_id)
    company_key,
    message_id,
    read_text(payload -> 'txn_id') AS txn_id,
    read_timestamp(payload ->> 'receipt_date') AS receipt_date,
    read_text(payload #> '{participant,mdn}') AS mdn,
    coalesce(
        read_text(payload #> '{participant,carrier_id}'), read_text(payload #> '{participant,carrier_code}')
    ) AS carrier_code,
    read_text(payload #> '{source_code,code}') AS source_code,
    read_text(payload #> '{source_code,country_code}') AS country_code,
    read_text(payload #> '{source_code,code_type}') AS code_type,
    read_text(payload #> '{source_code,company_key}') AS source_company_key,
    CASE payload #> '{source_code,response_sent}' WHEN 'true' THEN true WHEN 'false' THEN false END AS response_sent,
    payload ->> 'message' AS message,
    event_date,
    event_id
FROM (
    SELECT *, coalesce(read_text(payload -> 'message_id'), event_id) AS message_id
    FROM identified_events
    WHERE callback_type = 'unmatched_message_received'
) AS told
ORDER BY
    company_key,
    message_id,
    event_date DESC NULLS LAST,
    event_id COLLATE "C" DESC,
    payload - 'delivery_attempt' DESC;

COMMENT ON VIEW inbound_messages IS
    'One row an inbound message that matched no campaign and no system keyword. Free text: it may be an opt-out in '
    'plain words, which Vibes does not see as one.';
COMMENT ON COLUMN inbound_messages.company_key IS 'The Vibes company (tenant) whose endpoint was called.';
COMMENT ON COLUMN inbound_messages.message_id IS 'Vibes'' id of the message; the event''s where it has none.';
COMMENT ON COLUMN inbound_messages.txn_id IS 'Vibes'' id of the transaction.';
COMMENT ON COLUMN inbound_messages.receipt_date IS 'When Vibes received the message.';
COMMENT ON COLUMN inbound_messages.mdn IS 'Who sent it: the number as Vibes wrote it. Vibes names no person here.';
COMMENT ON COLUMN inbound_messages.carrier_code IS 'Vibes'' code of the sender''s carrier.';
COMMENT ON COLUMN inbound_messages.source_code IS 'The short code it was sent to.';
COMMENT ON COLUMN inbound_messages.country_code IS 'Country calling code of the short code, e.g. 1 or 44.';
COMMENT ON COLUMN inbound_messages.code_type IS 'Kind of source code, e.g. SC.';
COMMENT ON COLUMN inbound_messages.source_company_key IS
    'The company the body names; it may be another than company_key (a parent''s short code).';
COMMENT ON COLUMN inbound_messages.response_sent IS 'Whether Vibes sent the default response.';
COMMENT ON COLUMN inbound_messages.message IS 'The text. Personal data.';
COMMENT ON COLUMN inbound_messages.event_date IS 'Date of the event that told of it.';
COMMENT ON COLUMN inbound_messages.event_id IS 'Proof: event_id of that event.';

CREATE VIEW event_steps AS
SELECT
    company_key,
    coalesce(read_text(payload #> '{event_processed,event_id}'), event_id) AS submitted_event_id,
    read_text(payload #> '{event_processed,event_type}') AS event_type,
    read_text(payload #> '{event_processed,action,type}') AS action_type,
    read_text(payload #> '{event_processed,action,status}') AS status,
    read_text(payload #> '{event_processed,action,status_reason}') AS status_reason,
    read_text(payload #> '{event_processed,action,resource_url}') AS resource_url,
    person_uid,
    person_id,
    person_key,
    external_person_id,
    event_date,
    event_id
FROM identified_events
WHERE callback_type = 'event_processed';

COMMENT ON VIEW event_steps IS
    'One row a step of an event you submitted to Vibes: routed, queued, receipts of carrier and handset, or a failure. '
    'What you submitted (event_data) is in the log.';
COMMENT ON COLUMN event_steps.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN event_steps.submitted_event_id IS 'Id of the event you submitted; the same for all its steps.';
COMMENT ON COLUMN event_steps.event_type IS 'Your own name for that kind of event, e.g. order_shipped.';
COMMENT ON COLUMN event_steps.action_type IS 'What Vibes did, e.g. routing. Most values are not documented.';
COMMENT ON COLUMN event_steps.status IS 'How it went, e.g. processing. Most values are not documented.';
COMMENT ON COLUMN event_steps.status_reason IS 'Why, e.g. accepted_by_event_triggered_message. As Vibes tells it.';
COMMENT ON COLUMN event_steps.resource_url IS 'Relative URL of what handled it at Vibes.';
COMMENT ON COLUMN event_steps.person_uid IS 'The person, where what you submitted names one: persons.person_uid.';
COMMENT ON COLUMN event_steps.person_id IS 'Vibes'' (deprecated) id of the person, as submitted.';
COMMENT ON COLUMN event_steps.person_key IS 'Vibes'' canonical key of the person, as submitted.';
COMMENT ON COLUMN event_steps.external_person_id IS 'Your own id of the person, as submitted.';
COMMENT ON COLUMN event_steps.event_date IS 'When the step occurred.';
COMMENT ON COLUMN event_steps.event_id IS 'event_id of the callback that told the step.';

-- Last is: the latest; of steps of the same moment routing is the first, because it is what every event begins with.
CREATE VIEW event_outcomes AS
SELECT DISTINCT ON (company_key, submitted_event_id)
    company_key,
    submitted_event_id,
    event_type,
    action_type,
    status,
    status_reason,
    resource_url,
    person_uid,
    person_id,
    person_key,
    external_person_id,
    count(*) OVER (PARTITION BY company_key, submitted_event_id) AS steps,
    min(event_date) OVER (PARTITION BY company_key, submitted_event_id) AS first_step_date,
    event_date,
    event_id
FROM event_steps
ORDER BY
    company_key,
    submitted_event_id,
    event_date DESC NULLS LAST,
    action_type = 'routing',
    event_id COLLATE "C" DESC,
    (event_type, action_type, status, status_reason, resource_url) DESC,
    (person_uid, person_id, person_key, external_person_id) DESC;

COMMENT ON VIEW event_outcomes IS
    'One row an event you submitted to Vibes, with the last step told of it. All steps: event_steps.';
COMMENT ON COLUMN event_outcomes.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN event_outcomes.submitted_event_id IS 'Id of the event you submitted.';
COMMENT ON COLUMN event_outcomes.event_type IS 'Your own name for that kind of event.';
COMMENT ON COLUMN event_outcomes.action_type IS 'Last step: what Vibes did.';
COMMENT ON COLUMN event_outcomes.status IS 'Last step: how it went.';
COMMENT ON COLUMN event_outcomes.status_reason IS 'Last step: why.';
COMMENT ON COLUMN event_outcomes.resource_url IS 'Last step: relative URL of what handled it at Vibes.';
COMMENT ON COLUMN event_outcomes.person_uid IS 'The person, where what you submitted names one: persons.person_uid.';
COMMENT ON COLUMN event_outcomes.person_id IS 'Vibes'' (deprecated) id of the person, as submitted.';
COMMENT ON COLUMN event_outcomes.person_key IS 'Vibes'' canonical key of the person, as submitted.';
COMMENT ON COLUMN event_outcomes.external_person_id IS 'Your own id of the person, as submitted.';
COMMENT ON COLUMN event_outcomes.steps IS 'How many steps were told.';
COMMENT ON COLUMN event_outcomes.first_step_date IS 'When the first of them occurred.';
COMMENT ON COLUMN event_outcomes.event_date IS 'When the last of them occurred.';
COMMENT ON COLUMN event_outcomes.event_id IS 'event_id of the callback that told the last step.';

-- migrate: rollback
DROP VIEW event_outcomes, event_steps, inbound_messages, subscription_lists;
