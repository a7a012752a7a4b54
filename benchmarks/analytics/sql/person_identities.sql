INSERT INTO person_identities (company_key, kind, value, person_uid)
SELECT company_key, id.kind, id.value, person_uid
FROM persons
CROSS JOIN LATERAL (VALUES ('person_id', person_id), ('person_key', person_key)) AS id (kind, value)
