-- Keep what was done about some dead letters. $1 uuid run; arrays, one element a letter: $2 bigint ids, $3 text outcomes,
-- what was found: $4 text stages, $5 text reasons, $6 text details; and why it failed: $7 text stages, $8 text reasons,
-- $9 text details.
INSERT INTO dead_letter_history (
    run_id, letter_id, outcome, stage_before, reason_before, detail_before, stage, reason, detail
)
SELECT $1::uuid, *
FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
