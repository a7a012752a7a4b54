-- What analysts may rely on: views of persons and what happened to them
-- depends: 0022-analytics-views-of-stays

-- migrate: apply

CREATE VIEW analytics.persons_current AS
SELECT
    company_key,
    person_uid,
    person_id,
    person_key,
    external_person_id,
    CASE WHEN (SELECT analytics.sees_numbers()) THEN mdn ELSE analytics.masked_number(mdn) END AS mdn,
    carrier_code,
    timezone,
    timezone_source,
    CASE WHEN (SELECT analytics.sees_numbers()) THEN custom_fields ELSE analytics.masked_fields(custom_fields) END
        AS custom_fields,
    vibes_created_at AS created_at,
    vibes_updated_at AS updated_at
FROM public.persons;

COMMENT ON VIEW analytics.persons_current IS 'The persons of Vibes'' database as they are now, as far as Vibes told.';
COMMENT ON COLUMN analytics.persons_current.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.persons_current.person_uid IS 'The person. The same in all views.';
COMMENT ON COLUMN analytics.persons_current.person_id IS 'Vibes'' (deprecated) id of the person, as text.';
COMMENT ON COLUMN analytics.persons_current.person_key IS
    'Vibes'' canonical key of the person, as text; NULL: not told.';
COMMENT ON COLUMN analytics.persons_current.external_person_id IS 'The customer''s own id of the person.';
COMMENT ON COLUMN analytics.persons_current.mdn IS
    'Mobile number as Vibes wrote it; masked to its last four digits unless you are a member of '
    'vibes_analyst_unmasked. Not unique: numbers are given to somebody else in time.';
COMMENT ON COLUMN analytics.persons_current.carrier_code IS 'Vibes'' code of the carrier.';
COMMENT ON COLUMN analytics.persons_current.timezone IS 'Time zone of the person, e.g. US/Central.';
COMMENT ON COLUMN analytics.persons_current.timezone_source IS 'Where Vibes has the time zone from, e.g. area_code.';
COMMENT ON COLUMN analytics.persons_current.custom_fields IS
    'The customer''s own fields. Those with something like a phone number, an e-mail address or a link in it '
    'are *** unless you are a member of vibes_analyst_unmasked.';
COMMENT ON COLUMN analytics.persons_current.created_at IS 'When the person was created at Vibes.';
COMMENT ON COLUMN analytics.persons_current.updated_at IS 'When the person was last changed at Vibes.';

CREATE VIEW analytics.person_history AS
-- The log's indexes are in the database's collation, which equality does not depend on.
SELECT
    p.company_key,
    p.person_uid,
    e.event_date,
    e.received_at,
    e.callback_type,
    e.list_id,
    e.reason,
    e.external_person_id,
    CASE WHEN (SELECT analytics.sees_numbers()) THEN told.mdn ELSE analytics.masked_number(told.mdn) END AS mdn,
    CASE WHEN e.callback_type LIKE 'person%'
         THEN public.read_text(e.payload #> '{person,mobile_phone,carrier_code}') END AS carrier_code,
    CASE WHEN e.callback_type LIKE 'person%' THEN public.read_text(e.payload #> '{person,timezone}') END AS timezone,
    e.event_id
FROM public.person_identities AS p
JOIN public.callback_events AS e ON e.company_key = p.company_key AND e.person_id = p.value COLLATE "default"
CROSS JOIN LATERAL (
    SELECT coalesce(
        public.read_text(e.payload #> '{person,mobile_phone,mdn}'),
        public.read_text(e.payload #> '{subscription,person,mobile_phone,mdn}'),
        public.read_text(e.payload #> '{participant,person,mobile_phone,mdn}')
    ) AS mdn
) AS told
WHERE p.kind = 'person_id'
UNION ALL
SELECT
    p.company_key,
    p.person_uid,
    e.event_date,
    e.received_at,
    e.callback_type,
    e.list_id,
    e.reason,
    e.external_person_id,
    CASE WHEN (SELECT analytics.sees_numbers()) THEN told.mdn ELSE analytics.masked_number(told.mdn) END AS mdn,
    CASE WHEN e.callback_type LIKE 'person%'
         THEN public.read_text(e.payload #> '{person,mobile_phone,carrier_code}') END AS carrier_code,
    CASE WHEN e.callback_type LIKE 'person%' THEN public.read_text(e.payload #> '{person,timezone}') END AS timezone,
    e.event_id
FROM public.person_identities AS p
JOIN public.callback_events AS e ON e.company_key = p.company_key
    AND e.person_id IS NULL AND e.person_key = p.value COLLATE "default"
CROSS JOIN LATERAL (
    SELECT coalesce(
        public.read_text(e.payload #> '{person,mobile_phone,mdn}'),
        public.read_text(e.payload #> '{subscription,person,mobile_phone,mdn}'),
        public.read_text(e.payload #> '{participant,person,mobile_phone,mdn}')
    ) AS mdn
) AS told
WHERE p.kind = 'person_key';

COMMENT ON VIEW analytics.person_history IS
    'Everything the log tells about each person, event by event. A filter on received_at leaves out the months '
    'of the log it does not need.';
COMMENT ON COLUMN analytics.person_history.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.person_history.person_uid IS 'The person. The same in all views.';
COMMENT ON COLUMN analytics.person_history.event_date IS 'When the event occurred, says Vibes; NULL: not told.';
COMMENT ON COLUMN analytics.person_history.received_at IS 'When it was received. The log is kept by month (UTC) of it.';
COMMENT ON COLUMN analytics.person_history.callback_type IS 'One of Vibes'' 17 types.';
COMMENT ON COLUMN analytics.person_history.list_id IS 'The subscription list the event is about.';
COMMENT ON COLUMN analytics.person_history.reason IS
    'Why: opt_out_reason, status of a sign-up, status_reason of an event you submitted.';
COMMENT ON COLUMN analytics.person_history.external_person_id IS 'The customer''s own id of the person, as told then.';
COMMENT ON COLUMN analytics.person_history.mdn IS
    'Mobile number as Vibes wrote it; masked to its last four digits unless you are a member of '
    'vibes_analyst_unmasked.';
COMMENT ON COLUMN analytics.person_history.carrier_code IS
    'Vibes'' code of the carrier, where the event tells the profile.';
COMMENT ON COLUMN analytics.person_history.timezone IS 'Time zone of the person, where the event tells the profile.';
COMMENT ON COLUMN analytics.person_history.event_id IS 'Vibes'' id of the event.';

CREATE VIEW analytics.participations AS
SELECT
    s.company_key,
    coalesce(by_key.person_uid, by_id.person_uid) AS person_uid,
    s.person_id,
    s.person_key,
    s.external_person_id,
    CASE WHEN (SELECT analytics.sees_numbers()) THEN s.mdn ELSE analytics.masked_number(s.mdn) END AS mdn,
    s.campaign_id,
    s.campaign_description,
    s.keyword,
    s.list_id,
    s.participation_date,
    s.expire_date,
    s.status,
    CASE
        WHEN upper(s.status) IN ('CONFIRMED', 'SUBSCRIBED') THEN 'confirmed'
        WHEN upper(s.status) = 'REJECTED' THEN 'rejected'
        WHEN upper(s.status) = 'PENDING' AND s.expire_date <= now() THEN 'expired'
        WHEN upper(s.status) = 'PENDING' THEN 'pending'
        ELSE 'other'
    END AS outcome,
    s.event_date,
    s.event_id
FROM analytics_store.participations AS s
LEFT JOIN public.person_identities AS by_key
    ON (by_key.company_key, by_key.kind, by_key.value) = (s.company_key, 'person_key', s.person_key)
LEFT JOIN public.person_identities AS by_id
    ON (by_id.company_key, by_id.kind, by_id.value) = (s.company_key, 'person_id', s.person_id);

COMMENT ON VIEW analytics.participations IS
    'One row a sign-up of a person to an acquisition campaign. Not a consent: that is a stay. Two rows if a '
    'person was told by different ids and Vibes tied them only later.';
COMMENT ON COLUMN analytics.participations.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.participations.person_uid IS
    'The person. The same in all views. NULL: no person or subscription event told of them yet.';
COMMENT ON COLUMN analytics.participations.person_id IS 'Vibes'' (deprecated) id of the person, as text.';
COMMENT ON COLUMN analytics.participations.person_key IS
    'Vibes'' canonical key of the person, as text; NULL: not told.';
COMMENT ON COLUMN analytics.participations.external_person_id IS 'The customer''s own id of the person.';
COMMENT ON COLUMN analytics.participations.mdn IS
    'Mobile number as Vibes wrote it; masked to its last four digits unless you are a member of '
    'vibes_analyst_unmasked.';
COMMENT ON COLUMN analytics.participations.campaign_id IS 'The acquisition campaign''s id.';
COMMENT ON COLUMN analytics.participations.campaign_description IS 'The campaign''s name.';
COMMENT ON COLUMN analytics.participations.keyword IS 'The keyword they texted; NULL: joined in another way.';
COMMENT ON COLUMN analytics.participations.list_id IS 'The list they are to join, where told.';
COMMENT ON COLUMN analytics.participations.participation_date IS 'When the sign-up began; NULL: not told.';
COMMENT ON COLUMN analytics.participations.expire_date IS 'Until when it can be confirmed.';
COMMENT ON COLUMN analytics.participations.status IS
    'As Vibes tells it: PENDING, CONFIRMED, REJECTED. Vibes may add values.';
COMMENT ON COLUMN analytics.participations.outcome IS
    'confirmed; rejected; pending; expired: still PENDING when expire_date had passed, of which Vibes sends no '
    'event; other: another status or none. Vibes does not tell of automatic confirmations either: those look '
    'expired.';
COMMENT ON COLUMN analytics.participations.event_date IS 'Date of the event that told the status.';
COMMENT ON COLUMN analytics.participations.event_id IS 'Proof: event_id of that event.';

CREATE VIEW analytics.participation_funnel AS
SELECT
    company_key,
    (participation_date AT TIME ZONE 'UTC')::date AS day,
    campaign_id,
    max(campaign_description) AS campaign_description,
    keyword,
    count(*) AS sign_ups,
    count(*) FILTER (WHERE outcome = 'confirmed') AS confirmed,
    count(*) FILTER (WHERE outcome = 'rejected') AS rejected,
    count(*) FILTER (WHERE outcome = 'expired') AS expired,
    count(*) FILTER (WHERE outcome = 'pending') AS pending,
    count(*) FILTER (WHERE outcome = 'other') AS other,
    count(*) FILTER (WHERE outcome = 'confirmed') / count(*)::double precision AS confirmation_rate
FROM (
    SELECT *, CASE
        WHEN upper(status) IN ('CONFIRMED', 'SUBSCRIBED') THEN 'confirmed'
        WHEN upper(status) = 'REJECTED' THEN 'rejected'
        WHEN upper(status) = 'PENDING' AND expire_date <= now() THEN 'expired'
        WHEN upper(status) = 'PENDING' THEN 'pending'
        ELSE 'other'
    END AS outcome
    FROM analytics_store.participations
) AS told
GROUP BY 1, 2, 3, 5;

COMMENT ON VIEW analytics.participation_funnel IS 'What became of the sign-ups of each day and campaign.';
COMMENT ON COLUMN analytics.participation_funnel.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.participation_funnel.day IS 'Day in UTC on which the sign-ups began; NULL: not told.';
COMMENT ON COLUMN analytics.participation_funnel.campaign_id IS 'The acquisition campaign''s id.';
COMMENT ON COLUMN analytics.participation_funnel.campaign_description IS 'The campaign''s name.';
COMMENT ON COLUMN analytics.participation_funnel.keyword IS 'The keyword they texted; NULL: joined in another way.';
COMMENT ON COLUMN analytics.participation_funnel.sign_ups IS
    'Sign-ups: confirmed + rejected + expired + pending + other.';
COMMENT ON COLUMN analytics.participation_funnel.confirmed IS 'Confirmed by the person.';
COMMENT ON COLUMN analytics.participation_funnel.rejected IS 'Refused by the person.';
COMMENT ON COLUMN analytics.participation_funnel.expired IS 'Not answered in time; Vibes sends no event of that.';
COMMENT ON COLUMN analytics.participation_funnel.pending IS 'Can still be confirmed.';
COMMENT ON COLUMN analytics.participation_funnel.other IS 'With another status, or none.';
COMMENT ON COLUMN analytics.participation_funnel.confirmation_rate IS 'confirmed / sign_ups.';

CREATE VIEW analytics.push_devices AS
SELECT
    s.company_key,
    s.vibes_device_id,
    s.app_id,
    s.device_os,
    coalesce(by_key.person_uid, by_id.person_uid) AS person_uid,
    s.person_id,
    s.person_key,
    s.external_person_id,
    s.attached,
    s.removed_at,
    s.event_date,
    s.event_id
FROM analytics_store.push_devices AS s
LEFT JOIN public.person_identities AS by_key
    ON (by_key.company_key, by_key.kind, by_key.value) = (s.company_key, 'person_key', s.person_key)
LEFT JOIN public.person_identities AS by_id
    ON (by_id.company_key, by_id.kind, by_id.value) = (s.company_key, 'person_id', s.person_id);

COMMENT ON VIEW analytics.push_devices IS 'One row a push device, with the person it belongs to or belonged to last.';
COMMENT ON COLUMN analytics.push_devices.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.push_devices.vibes_device_id IS 'Vibes'' id of the device.';
COMMENT ON COLUMN analytics.push_devices.app_id IS 'The app on the device.';
COMMENT ON COLUMN analytics.push_devices.device_os IS 'Operating system, e.g. ANDROID.';
COMMENT ON COLUMN analytics.push_devices.person_uid IS
    'The person. The same in all views. NULL: no person or subscription event told of them yet.';
COMMENT ON COLUMN analytics.push_devices.person_id IS 'Vibes'' (deprecated) id of the person, as text.';
COMMENT ON COLUMN analytics.push_devices.person_key IS 'Vibes'' canonical key of the person, as text; NULL: not told.';
COMMENT ON COLUMN analytics.push_devices.external_person_id IS 'The customer''s own id of the person.';
COMMENT ON COLUMN analytics.push_devices.attached IS 'Whether the device belongs to the person now.';
COMMENT ON COLUMN analytics.push_devices.removed_at IS
    'When it was removed from the person, where it was and that was told.';
COMMENT ON COLUMN analytics.push_devices.event_date IS 'Date of the event that told whose it is.';
COMMENT ON COLUMN analytics.push_devices.event_id IS 'Proof: event_id of that event.';

CREATE VIEW analytics.event_outcomes AS
SELECT
    s.company_key,
    s.submitted_event_id,
    s.event_type,
    s.action_type,
    s.status,
    s.status_reason,
    coalesce(by_key.person_uid, by_id.person_uid) AS person_uid,
    s.person_id,
    s.person_key,
    s.external_person_id,
    s.steps,
    s.first_step_date,
    s.event_date,
    s.event_id
FROM analytics_store.event_outcomes AS s
LEFT JOIN public.person_identities AS by_key
    ON (by_key.company_key, by_key.kind, by_key.value) = (s.company_key, 'person_key', s.person_key)
LEFT JOIN public.person_identities AS by_id
    ON (by_id.company_key, by_id.kind, by_id.value) = (s.company_key, 'person_id', s.person_id);

COMMENT ON VIEW analytics.event_outcomes IS 'One row an event you submitted to Vibes, with the last step told of it.';
COMMENT ON COLUMN analytics.event_outcomes.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN analytics.event_outcomes.submitted_event_id IS 'Id of the event you submitted.';
COMMENT ON COLUMN analytics.event_outcomes.event_type IS 'Your own name for that kind of event.';
COMMENT ON COLUMN analytics.event_outcomes.action_type IS 'Last step: what Vibes did.';
COMMENT ON COLUMN analytics.event_outcomes.status IS 'Last step: how it went.';
COMMENT ON COLUMN analytics.event_outcomes.status_reason IS 'Last step: why.';
COMMENT ON COLUMN analytics.event_outcomes.person_uid IS
    'The person. The same in all views. NULL: what you submitted names none that is known.';
COMMENT ON COLUMN analytics.event_outcomes.person_id IS 'Vibes'' (deprecated) id of the person, as text.';
COMMENT ON COLUMN analytics.event_outcomes.person_key IS
    'Vibes'' canonical key of the person, as text; NULL: not told.';
COMMENT ON COLUMN analytics.event_outcomes.external_person_id IS 'The customer''s own id of the person.';
COMMENT ON COLUMN analytics.event_outcomes.steps IS 'How many steps were told.';
COMMENT ON COLUMN analytics.event_outcomes.first_step_date IS 'When the first of them occurred.';
COMMENT ON COLUMN analytics.event_outcomes.event_date IS 'When the last of them occurred.';
COMMENT ON COLUMN analytics.event_outcomes.event_id IS 'event_id of the callback that told the last step.';

-- migrate: rollback
DROP VIEW
    analytics.event_outcomes,
    analytics.push_devices,
    analytics.participation_funnel,
    analytics.participations,
    analytics.person_history,
    analytics.persons_current;
