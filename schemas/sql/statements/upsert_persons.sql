-- Make sure some persons have a row, and fold what subscription events told of them into it: the latest wins
-- (workers/mirror/fold.py). Locks all these rows, in the order of their keys, so that no two transactions wait for
-- each other in a circle. $1 text company; then arrays, one element a person, in the order of the columns.
INSERT INTO persons AS p (
    company_key, person_uid, person_id, person_key,
    seen_external_person_id, seen_external_person_id_at, seen_mdn, seen_mdn_e164, seen_mdn_at
)
SELECT $1, told.*
FROM unnest(
    $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[], $9::timestamptz[]
) AS told (
    person_uid, person_id, person_key,
    seen_external_person_id, seen_external_person_id_at, seen_mdn, seen_mdn_e164, seen_mdn_at
)
ORDER BY told.person_uid
ON CONFLICT (person_uid) DO UPDATE SET
    person_id = least(p.person_id, excluded.person_id),
    person_key = least(p.person_key, excluded.person_key),
    seen_external_person_id = CASE
        WHEN (excluded.seen_external_person_id_at, excluded.seen_external_person_id)
            > (coalesce(p.seen_external_person_id_at, '-infinity'), coalesce(p.seen_external_person_id, ''))
        THEN excluded.seen_external_person_id ELSE p.seen_external_person_id END,
    seen_external_person_id_at = greatest(p.seen_external_person_id_at, excluded.seen_external_person_id_at),
    seen_mdn = CASE
        WHEN (excluded.seen_mdn_at, excluded.seen_mdn)
            > (coalesce(p.seen_mdn_at, '-infinity'), coalesce(p.seen_mdn, ''))
        THEN excluded.seen_mdn ELSE p.seen_mdn END,
    seen_mdn_e164 = CASE
        WHEN (excluded.seen_mdn_at, excluded.seen_mdn)
            > (coalesce(p.seen_mdn_at, '-infinity'), coalesce(p.seen_mdn, ''))
        THEN excluded.seen_mdn_e164 ELSE p.seen_mdn_e164 END,
    seen_mdn_at = greatest(p.seen_mdn_at, excluded.seen_mdn_at)
WHERE
    p.person_id IS DISTINCT FROM least(p.person_id, excluded.person_id)
    OR p.person_key IS DISTINCT FROM least(p.person_key, excluded.person_key)
    OR (excluded.seen_external_person_id_at, excluded.seen_external_person_id)
        > (coalesce(p.seen_external_person_id_at, '-infinity'), coalesce(p.seen_external_person_id, ''))
    OR (excluded.seen_mdn_at, excluded.seen_mdn)
        > (coalesce(p.seen_mdn_at, '-infinity'), coalesce(p.seen_mdn, ''))
