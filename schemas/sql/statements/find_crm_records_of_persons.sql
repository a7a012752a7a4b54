-- Which records of the CRM are about some persons: those with their external id; for persons without one, the record
-- with their number, if it is the only one. $1 text company, $2 uuid[] persons of it, $3 boolean only of those we
-- have a profile of. A record may be returned more than once. Returns the person too.
-- OFFSET 0 keeps the look-up by key whatever the planner thinks of the tables' sizes.
SELECT told.person_uid, crm.external_person_id
FROM unnest($2::uuid[]) AS told (person_uid)
CROSS JOIN LATERAL (
    SELECT external_person_id, mdn_e164
    FROM persons
    WHERE person_uid = told.person_uid AND (profile_at IS NOT NULL OR NOT $3::boolean)
    OFFSET 0
) AS p
CROSS JOIN LATERAL (
    SELECT external_person_id
    FROM crm_persons
    WHERE company_key = $1 AND external_person_id = p.external_person_id
    UNION ALL
    SELECT min(external_person_id)
    FROM crm_persons
    WHERE company_key = $1 AND mdn_e164 = p.mdn_e164 AND p.external_person_id IS NULL
    HAVING count(*) = 1
) AS crm
