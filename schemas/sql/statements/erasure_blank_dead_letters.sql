-- Take everything personal out of some dead letters. $1 bigint[] ids.
UPDATE dead_letters SET body = '', headers = '{}', detail = NULL, erased_at = now() WHERE id = ANY ($1::bigint[])
