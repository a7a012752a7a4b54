-- What became of syncs since $3 timestamptz. $1 text company; $2 uuid[] of these, or NULL: of all.
SELECT
    count(*) FILTER (WHERE status = 'synced' AND last_error IS NULL) AS synced,
    count(*) FILTER (WHERE status = 'synced' AND last_error IS NOT NULL) AS not_done,
    count(*) FILTER (WHERE status = 'conflict') AS conflicts
FROM person_sync
WHERE company_key = $1 AND finished_at >= $3::timestamptz AND ($2::uuid[] IS NULL OR person_uid = ANY ($2::uuid[]))
