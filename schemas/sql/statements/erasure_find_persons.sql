-- Persons of the mirror by any of their ids, or by what they hold now. $1 text company; text[]: $2 person_ids,
-- $3 person_keys, $4 external ids, $5 numbers, in E.164 form or as told where there is none.
SELECT person_uid FROM person_identities WHERE company_key = $1 AND kind = 'person_id' AND value = ANY ($2::text[])
UNION
SELECT person_uid FROM person_identities WHERE company_key = $1 AND kind = 'person_key' AND value = ANY ($3::text[])
UNION
SELECT person_uid FROM persons WHERE company_key = $1 AND external_person_id = ANY ($4::text[])
UNION
SELECT person_uid FROM persons WHERE company_key = $1 AND mdn_e164 = ANY ($5::text[])
UNION
SELECT person_uid FROM persons WHERE company_key = $1 AND mdn_e164 IS NULL AND mdn = ANY ($5::text[])
