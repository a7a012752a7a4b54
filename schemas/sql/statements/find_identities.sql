-- Which persons some ids mean. $1 text company; $2 text[] kinds, $3 text[] values.
SELECT i.kind, i.value, i.person_uid
FROM unnest($2::text[], $3::text[]) AS wanted (kind, value)
JOIN person_identities AS i ON i.company_key = $1 AND i.kind = wanted.kind AND i.value = wanted.value
