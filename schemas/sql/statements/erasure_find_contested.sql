-- What others hold too, of the external ids and numbers of a person: it does not tell who somebody is then.
-- $1 text company, $2 uuid[] the person, as the mirror has it, $3 text[] their records of the CRM; text[]: $4 external
-- ids, $5 numbers.
SELECT 'external_person_id' AS kind, external_person_id AS value
FROM persons
WHERE company_key = $1 AND external_person_id = ANY ($4::text[]) AND person_uid <> ALL ($2::uuid[])
  AND external_person_id <> ALL ($3::text[])
UNION
SELECT 'external_person_id', external_person_id
FROM crm_persons
WHERE company_key = $1 AND external_person_id = ANY ($4::text[]) AND external_person_id <> ALL ($3::text[])
UNION
SELECT 'mdn', mdn_e164
FROM persons
WHERE company_key = $1 AND mdn_e164 = ANY ($5::text[]) AND person_uid <> ALL ($2::uuid[])
UNION
SELECT 'mdn', mdn_e164
FROM crm_persons
WHERE company_key = $1 AND mdn_e164 = ANY ($5::text[]) AND external_person_id <> ALL ($3::text[])
