-- Which records of the CRM are about some persons: those with their external id; for persons without one, the record
-- with their number, if it is the only one. $1 text company, $2 uuid[] persons, $3 boolean only of those we have a
-- profile of.
SELECT crm.external_person_id
FROM persons AS p
JOIN crm_persons AS crm ON crm.company_key = p.company_key AND crm.external_person_id = p.external_person_id
WHERE p.company_key = $1 AND p.person_uid = ANY ($2::uuid[])
  AND (p.profile_at IS NOT NULL OR NOT $3::boolean)
UNION
SELECT crm.external_person_id
FROM persons AS p
JOIN crm_persons AS crm ON crm.company_key = p.company_key AND crm.mdn_e164 = p.mdn_e164
WHERE p.company_key = $1 AND p.person_uid = ANY ($2::uuid[]) AND p.external_person_id IS NULL
  AND (p.profile_at IS NOT NULL OR NOT $3::boolean)
  AND NOT EXISTS (
      SELECT FROM crm_persons AS other
      WHERE other.company_key = crm.company_key
        AND other.mdn_e164 = crm.mdn_e164
        AND other.external_person_id <> crm.external_person_id
  )
