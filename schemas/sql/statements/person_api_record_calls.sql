-- Record calls to the Vibes API. Arrays, one element an attempt, in the order of the columns.
INSERT INTO person_api_calls (
    called_at, company_key, person_uid, method, route, status, error, attempt, latency_seconds
)
SELECT *
FROM unnest(
    $1::timestamptz[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::integer[], $7::text[], $8::integer[],
    $9::real[]
)
