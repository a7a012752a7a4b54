-- Discard some dead letters. $1 bigint[] ids, $2 text by whom, $3 boolean whether their bodies are removed.
UPDATE dead_letters SET
    outcome = 'discarded',
    discarded_at = now(),
    discarded_by = $2,
    body = CASE WHEN $3::boolean THEN '' ELSE body END,
    headers = CASE WHEN $3::boolean THEN '{}' ELSE headers END,
    detail = CASE WHEN $3::boolean THEN NULL ELSE detail END,
    body_removed_at = CASE WHEN $3::boolean THEN now() END
WHERE id = ANY ($1::bigint[])
