-- Who has an external id here. $1 text company, $2 text external id.
SELECT person_uid, person_id, person_key
FROM persons
WHERE company_key = $1 AND external_person_id = $2 AND (person_id IS NOT NULL OR person_key IS NOT NULL)
ORDER BY person_uid
