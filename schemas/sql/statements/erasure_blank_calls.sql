-- Let some calls of one partition of person_api_calls be about nobody. $1 uuid[] persons, $2 bigint how many at most.
UPDATE person_api_calls_partition SET person_uid = NULL
WHERE ctid = ANY (
    ARRAY(SELECT ctid FROM person_api_calls_partition WHERE person_uid = ANY ($1::uuid[]) LIMIT $2::bigint)
)
