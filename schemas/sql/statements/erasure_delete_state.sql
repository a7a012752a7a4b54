-- Delete what the mirror, the CRM's records and the outbox hold of a person. $1 text company, $2 uuid[] the person,
-- $3 text[] their records of the CRM, $4 uuid[] the uids of these in the outbox. Returns how many rows of each table.
WITH gone_persons AS (
    DELETE FROM persons WHERE company_key = $1 AND person_uid = ANY ($2::uuid[]) RETURNING 1
), gone_identities AS (
    DELETE FROM person_identities WHERE company_key = $1 AND person_uid = ANY ($2::uuid[]) RETURNING 1
), gone_subscriptions AS (
    DELETE FROM subscriptions WHERE company_key = $1 AND person_uid = ANY ($2::uuid[]) RETURNING 1
), gone_records AS (
    DELETE FROM crm_persons WHERE company_key = $1 AND external_person_id = ANY ($3::text[]) RETURNING 1
), gone_syncs AS (
    DELETE FROM person_sync WHERE company_key = $1 AND person_uid = ANY ($2::uuid[] || $4::uuid[]) RETURNING 1
)
SELECT
    (SELECT count(*) FROM gone_persons) AS persons,
    (SELECT count(*) FROM gone_identities) AS person_identities,
    (SELECT count(*) FROM gone_subscriptions) AS subscriptions,
    (SELECT count(*) FROM gone_records) AS crm_persons,
    (SELECT count(*) FROM gone_syncs) AS person_sync
