-- Persons and their subscriptions: the mirror of Vibes' MobileDB
-- depends: 0001-callback-log

-- migrate: apply

CREATE TABLE persons (
    person_uid              uuid NOT NULL PRIMARY KEY,
    company_key             text NOT NULL,
    person_id               text COLLATE "C",
    person_key              text COLLATE "C",

    profile_at              timestamptz,
    profile_event_date      timestamptz,
    profile_digest          uuid,
    profile_external_person_id text,
    profile_mdn             text,
    profile_mdn_e164        text,
    carrier_code            text,
    timezone                text,
    timezone_source         text,
    custom_fields           jsonb NOT NULL DEFAULT '{}',
    vibes_created_at        timestamptz,
    vibes_updated_at        timestamptz,

    seen_external_person_id text COLLATE "C",
    seen_external_person_id_at timestamptz,
    seen_mdn                text COLLATE "C",
    seen_mdn_e164           text,
    seen_mdn_at             timestamptz,

    external_person_id      text GENERATED ALWAYS AS (
        CASE WHEN profile_at IS NULL OR seen_external_person_id_at > profile_event_date
             THEN seen_external_person_id ELSE profile_external_person_id END) STORED,
    mdn                     text GENERATED ALWAYS AS (
        CASE WHEN profile_at IS NULL OR seen_mdn_at > profile_event_date
             THEN seen_mdn ELSE profile_mdn END) STORED,
    mdn_e164                text GENERATED ALWAYS AS (
        CASE WHEN profile_at IS NULL OR seen_mdn_at > profile_event_date
             THEN seen_mdn_e164 ELSE profile_mdn_e164 END) STORED
) WITH (fillfactor = 80);

COMMENT ON TABLE persons IS
    'The persons of Vibes'' MobileDB as far as callbacks and the Person API told us. Which person a callback means is '
    'settled in person_identities. Last writer wins, by Vibes'' own times.';
COMMENT ON COLUMN persons.person_uid IS
    'Our id of the person. Derived from Vibes'' ids, so the same callbacks give the same id in any order.';
COMMENT ON COLUMN persons.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN persons.person_id IS 'Vibes'' (deprecated) id, as text; NULL while unknown.';
COMMENT ON COLUMN persons.person_key IS 'Vibes'' canonical key, as text; NULL while unknown.';
COMMENT ON COLUMN persons.profile_at IS
    'Version of the profile: the person''s updated_at, else the event''s date. NULL: only seen in subscription events.';
COMMENT ON COLUMN persons.profile_event_date IS 'Version of the profile, second: date of the event that told it.';
COMMENT ON COLUMN persons.profile_digest IS 'Version of the profile, third: hash of its content, to settle ties.';
COMMENT ON COLUMN persons.profile_external_person_id IS 'external_person_id in the latest profile.';
COMMENT ON COLUMN persons.profile_mdn IS 'Mobile number in the latest profile.';
COMMENT ON COLUMN persons.profile_mdn_e164 IS 'profile_mdn in E.164 form, where that is possible.';
COMMENT ON COLUMN persons.carrier_code IS 'Vibes'' code of the carrier.';
COMMENT ON COLUMN persons.timezone IS 'Time zone of the person, e.g. US/Central.';
COMMENT ON COLUMN persons.timezone_source IS 'Where Vibes has the time zone from, e.g. area_code.';
COMMENT ON COLUMN persons.custom_fields IS 'The customer''s own fields, as Vibes has them.';
COMMENT ON COLUMN persons.vibes_created_at IS 'When the person was created at Vibes.';
COMMENT ON COLUMN persons.vibes_updated_at IS 'When the person was last changed at Vibes.';
COMMENT ON COLUMN persons.seen_external_person_id IS 'external_person_id in the latest subscription event that had one.';
COMMENT ON COLUMN persons.seen_external_person_id_at IS 'Date of that event.';
COMMENT ON COLUMN persons.seen_mdn IS 'Mobile number in the latest subscription event that had one.';
COMMENT ON COLUMN persons.seen_mdn_e164 IS 'seen_mdn in E.164 form, where that is possible.';
COMMENT ON COLUMN persons.seen_mdn_at IS 'Date of that event.';
COMMENT ON COLUMN persons.external_person_id IS
    'The customer''s id of the person: of the profile, or of a later subscription event.';
COMMENT ON COLUMN persons.mdn IS
    'Mobile number as Vibes wrote it: of the profile, or of a later subscription event. Not unique: numbers are recycled.';
COMMENT ON COLUMN persons.mdn_e164 IS 'mdn in E.164 form; NULL where that is not possible.';

CREATE INDEX persons_external_person_id ON persons (company_key, external_person_id);
CREATE INDEX persons_mdn_e164 ON persons (company_key, mdn_e164);
CREATE UNIQUE INDEX persons_person_id ON persons (company_key, person_id);
CREATE UNIQUE INDEX persons_person_key ON persons (company_key, person_key);

CREATE TABLE person_identities (
    company_key text NOT NULL,
    kind        text NOT NULL,
    value       text COLLATE "C" NOT NULL,
    person_uid  uuid NOT NULL,
    PRIMARY KEY (company_key, kind, value)
);

COMMENT ON TABLE person_identities IS
    'Which person each of Vibes'' ids means. Ids that came together in one event mean the same person, always.';
COMMENT ON COLUMN person_identities.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN person_identities.kind IS 'person_id or person_key.';
COMMENT ON COLUMN person_identities.value IS 'The id, as text.';
COMMENT ON COLUMN person_identities.person_uid IS 'The person it means.';

CREATE INDEX person_identities_person_uid ON person_identities (person_uid);

CREATE TABLE subscriptions (
    person_uid              uuid        NOT NULL,
    company_key             text        NOT NULL,
    list_id                 text COLLATE "C" NOT NULL,
    opt_in_date             timestamptz NOT NULL,
    opt_in_event_id         text COLLATE "C",
    opt_in_event_date       timestamptz,
    acquisition_campaign_id text COLLATE "C",
    opt_out_date            timestamptz,
    opt_out_reason          text COLLATE "C",
    opt_out_event_id        text COLLATE "C",
    opt_out_event_date      timestamptz,
    PRIMARY KEY (person_uid, list_id, opt_in_date)
) WITH (fillfactor = 85);

COMMENT ON TABLE subscriptions IS
    'One row a stay: one person on one list from opt-in to opt-out. A person who comes back has several. '
    'Who is subscribed now: view current_subscriptions.';
COMMENT ON COLUMN subscriptions.person_uid IS 'The person: persons.person_uid.';
COMMENT ON COLUMN subscriptions.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN subscriptions.list_id IS 'The subscription list, as text.';
COMMENT ON COLUMN subscriptions.opt_in_date IS
    'Start of the stay. -infinity: an opt-out told no start; it ends every stay that began before it.';
COMMENT ON COLUMN subscriptions.opt_in_event_id IS
    'Proof of the opt-in: event_id of the first subscription_added of this stay. NULL: only its end was told.';
COMMENT ON COLUMN subscriptions.opt_in_event_date IS 'Date of that event.';
COMMENT ON COLUMN subscriptions.acquisition_campaign_id IS 'The campaign they joined by, where Vibes told it.';
COMMENT ON COLUMN subscriptions.opt_out_date IS 'End of the stay; NULL: none was told.';
COMMENT ON COLUMN subscriptions.opt_out_reason IS
    'Why it ended, in Vibes'' words (keyword_opt_out, list_archived, ...). Vibes may add values at any time.';
COMMENT ON COLUMN subscriptions.opt_out_event_id IS 'Proof of the opt-out: event_id of its subscription_removed.';
COMMENT ON COLUMN subscriptions.opt_out_event_date IS 'Date of that event.';

CREATE INDEX subscriptions_list ON subscriptions (company_key, list_id, opt_in_date);

CREATE VIEW current_subscriptions AS
SELECT s.company_key, s.person_uid, s.list_id, s.opt_in_date, s.acquisition_campaign_id, s.opt_in_event_id
FROM subscriptions AS s
WHERE s.opt_out_date IS NULL
  AND NOT EXISTS (
      SELECT FROM subscriptions AS ended
      WHERE ended.person_uid = s.person_uid
        AND ended.list_id = s.list_id
        AND ended.opt_out_date >= s.opt_in_date
  );

COMMENT ON VIEW current_subscriptions IS
    'Who is subscribed to what now. A stay that began before, or at the moment of, an opt-out from the same list does '
    'not count, in whatever order they were told: in doubt a person is not subscribed.';
COMMENT ON COLUMN current_subscriptions.company_key IS 'The Vibes company (tenant).';
COMMENT ON COLUMN current_subscriptions.person_uid IS 'The person: persons.person_uid.';
COMMENT ON COLUMN current_subscriptions.list_id IS 'The subscription list.';
COMMENT ON COLUMN current_subscriptions.opt_in_date IS 'Since when.';
COMMENT ON COLUMN current_subscriptions.acquisition_campaign_id IS 'The campaign they joined by, where Vibes told it.';
COMMENT ON COLUMN current_subscriptions.opt_in_event_id IS 'Proof: event_id of the subscription_added.';

-- migrate: rollback
DROP VIEW current_subscriptions;
DROP TABLE subscriptions, person_identities, persons;
