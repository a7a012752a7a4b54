-- Learn new ids; another transaction may have been faster. Sorted, so that two never wait for each other in a circle.
-- $1 text company; $2 text[] kinds, $3 text[] values, $4 uuid[] persons. Returns the rows inserted.
INSERT INTO person_identities (company_key, kind, value, person_uid)
SELECT $1, kind, value, person_uid
FROM unnest($2::text[], $3::text[], $4::uuid[]) AS told (kind, value, person_uid)
ORDER BY kind, value
ON CONFLICT DO NOTHING
RETURNING kind, value
