-- Take everything personal out of some dead letters and their history. $1 bigint[] ids.
WITH history AS (
    UPDATE dead_letter_history SET detail_before = NULL, detail = NULL WHERE letter_id = ANY ($1::bigint[])
)
UPDATE dead_letters SET body = '', headers = '{}', detail = NULL, erased_at = now() WHERE id = ANY ($1::bigint[])
