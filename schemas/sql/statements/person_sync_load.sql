-- Everything about one person's sync: the row of the outbox, the person as the mirror has it, and the CRM's record of
-- them: the one with their external id; for a person without one, the only one with their number.
-- $1 text company, $2 uuid person.
SELECT
    sync.desired_version,
    sync.synced_version,
    sync.attempts,
    sync.status = 'pending' OR (sync.status = 'postponed' AND sync.next_attempt_at <= now()) AS due,
    p.person_id,
    p.person_key,
    p.profile_at IS NOT NULL AS hydrated,
    p.external_person_id,
    p.mdn,
    p.mdn_e164,
    p.custom_fields,
    crm.external_person_id AS crm_external_person_id,
    crm.mdn_e164 AS crm_mdn_e164,
    crm.carrier_code AS crm_carrier_code,
    crm.custom_fields AS crm_custom_fields
FROM person_sync AS sync
LEFT JOIN persons AS p ON p.person_uid = sync.person_uid AND p.company_key = sync.company_key
LEFT JOIN LATERAL (
    SELECT c.external_person_id, c.mdn_e164, c.carrier_code, c.custom_fields
    FROM crm_persons AS c
    WHERE c.company_key = p.company_key AND c.external_person_id = p.external_person_id
    UNION ALL
    SELECT c.external_person_id, c.mdn_e164, c.carrier_code, c.custom_fields
    FROM crm_persons AS c
    WHERE c.company_key = p.company_key
      AND p.external_person_id IS NULL
      AND c.mdn_e164 = p.mdn_e164
      AND NOT EXISTS (
          SELECT FROM crm_persons AS other
          WHERE other.company_key = c.company_key
            AND other.mdn_e164 = c.mdn_e164
            AND other.external_person_id <> c.external_person_id
      )
) AS crm ON true
WHERE sync.company_key = $1 AND sync.person_uid = $2
