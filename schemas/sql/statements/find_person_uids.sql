-- Which persons ids and numbers mean; what is NULL is not asked for. $1 text company, $2 text external id, $3 text
-- person_key, $4 text person_id, $5 text number in E.164 form.
SELECT person_uid FROM persons WHERE company_key = $1 AND external_person_id = $2
UNION
SELECT person_uid FROM person_identities WHERE company_key = $1 AND kind = 'person_key' AND value = $3
UNION
SELECT person_uid FROM person_identities WHERE company_key = $1 AND kind = 'person_id' AND value = $4
UNION
SELECT person_uid FROM persons WHERE company_key = $1 AND mdn_e164 = $5
ORDER BY person_uid
