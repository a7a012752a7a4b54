-- Put tombstones up; one that is there keeps the later time. $1 text company, $2 uuid[] identities (each once),
-- $3 timestamptz, $4 uuid erasure.
INSERT INTO erased_identities AS e (company_key, identity, erased_at, erasure_id)
SELECT $1, identity, $3::timestamptz, $4::uuid
FROM unnest($2::uuid[]) AS identity
ORDER BY identity
ON CONFLICT (company_key, identity) DO UPDATE SET erased_at = excluded.erased_at, erasure_id = excluded.erasure_id
WHERE e.erased_at < excluded.erased_at
