-- Which persons some ids mean. $1 text company; $2 text[] kinds, $3 text[] values.
-- OFFSET 0 keeps the look-up by key whatever the planner thinks of the table's size.
SELECT wanted.kind, wanted.value, i.person_uid
FROM unnest($2::text[], $3::text[]) AS wanted (kind, value)
CROSS JOIN LATERAL (
    SELECT person_uid
    FROM person_identities
    WHERE company_key = $1 AND kind = wanted.kind AND value = wanted.value
    OFFSET 0
) AS i
