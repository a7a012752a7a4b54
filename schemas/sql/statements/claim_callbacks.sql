-- Claim events in the ledger, so that each is applied once. An event that is there already is claimed only if it comes
-- with a body not seen before: then it is a variant. $1 uuid[] keys (each once), $2 uuid[] body hashes,
-- $3 timestamptz[] times of receipt. Returns what was claimed; the others are duplicates.
INSERT INTO callback_ledger AS ledger (callback_key, body_hash, seen_at)
SELECT callback_key, body_hash, seen_at
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS told (callback_key, body_hash, seen_at)
ORDER BY callback_key
ON CONFLICT (callback_key) DO UPDATE SET
    variant_hashes = array_append(ledger.variant_hashes, excluded.body_hash)
WHERE ledger.body_hash <> excluded.body_hash
  AND excluded.body_hash <> ALL (coalesce(ledger.variant_hashes, '{}'))
RETURNING callback_key, variant_hashes IS NOT NULL AS variant
