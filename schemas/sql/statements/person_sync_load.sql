-- Everything about one row of the outbox: the row itself, the record of the CRM it is about, and whom that may mean: the
-- person it is bound to, whoever has its external id, and those without one who have its number, if no other record has
-- it. A row that is about a person has just that one. $1 text company, $2 uuid person. Returns one row for each person,
-- one without a person if there is none, and nothing when the outbox has no such row.
SELECT
    sync.desired_version,
    sync.synced_version,
    sync.attempts,
    sync.status = 'pending' OR (sync.status = 'postponed' AND sync.next_attempt_at <= now()) AS due,
    sync.bulk,
    sync.event_id,
    sync.external_person_id AS record_id,
    crm.external_person_id IS NOT NULL AS has_record,
    crm.mdn AS crm_mdn,
    crm.mdn_e164 AS crm_mdn_e164,
    crm.mdn IS NULL AND crm.field_times ? 'mdn' AS crm_removes_mdn,
    crm.carrier_code AS crm_carrier_code,
    crm.custom_fields AS crm_custom_fields,
    crm.person_id AS crm_person_id,
    crm.person_key AS crm_person_key,
    p.person_id,
    p.person_key,
    p.profile_at IS NOT NULL AS hydrated,
    p.external_person_id,
    coalesce(
        CASE
            WHEN p.profile_at IS NULL OR p.seen_external_person_id_at > p.profile_event_date
            THEN p.seen_external_person_id_at
            ELSE p.profile_event_date
        END,
        '-infinity'
    ) AS external_person_id_at,
    p.mdn,
    p.mdn_e164,
    p.custom_fields
FROM person_sync AS sync
LEFT JOIN crm_persons AS crm
    ON crm.company_key = sync.company_key AND crm.external_person_id = sync.external_person_id
LEFT JOIN LATERAL (
    SELECT person_uid FROM persons
    WHERE sync.external_person_id IS NULL
      AND persons.company_key = sync.company_key
      AND persons.person_uid = sync.person_uid
    UNION
    SELECT person_uid FROM persons
    WHERE persons.company_key = crm.company_key AND persons.external_person_id = crm.external_person_id
    UNION
    SELECT person_uid FROM persons
    WHERE persons.company_key = crm.company_key AND persons.person_key = crm.person_key
    UNION
    SELECT person_uid FROM persons
    WHERE persons.company_key = crm.company_key AND persons.person_id = crm.person_id
    UNION
    SELECT person_uid FROM persons
    WHERE persons.company_key = crm.company_key
      AND persons.mdn_e164 = crm.mdn_e164
      AND persons.external_person_id IS NULL
      AND NOT EXISTS (
          SELECT FROM crm_persons AS other
          WHERE other.company_key = crm.company_key
            AND other.mdn_e164 = crm.mdn_e164
            AND other.external_person_id <> crm.external_person_id
      )
) AS meant ON true
LEFT JOIN persons AS p ON p.person_uid = meant.person_uid
WHERE sync.company_key = $1 AND sync.person_uid = $2
