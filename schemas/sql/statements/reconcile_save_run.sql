-- Keep how far a run is: all before the cursor is dealt with. $1 uuid run, $2 uuid and $3 bigint the cursor, $4 bigint
-- persons, $5 bigint calls, $6 jsonb found, $7 jsonb repaired, $8 bigint failed, $9 boolean whether that was all.
UPDATE reconciliations SET
    after_uid = $2,
    after_record = $3,
    persons = $4,
    calls = $5,
    found = $6::jsonb,
    repaired = $7::jsonb,
    failed = $8,
    saved_at = now(),
    status = CASE WHEN $9::boolean THEN 'finished' ELSE status END,
    finished_at = CASE WHEN $9::boolean THEN now() ELSE finished_at END
WHERE run_id = $1
