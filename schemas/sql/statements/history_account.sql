-- What became of all callbacks of a company, $1.
SELECT
    coalesce(sum(applied), 0)::bigint AS applied,
    coalesce(sum(duplicates), 0)::bigint AS duplicates,
    coalesce(sum(quarantined), 0)::bigint AS quarantined,
    coalesce(sum(dead_lettered), 0)::bigint AS dead_lettered
FROM callback_accounts
WHERE company_key = $1
