-- Keep what came of replaying some dead letters: one that failed is what it was, for the reasons found now; one about an
-- erased person loses what it held. Arrays, one element a letter: $1 bigint ids, $2 text outcomes, $3 text kinds, $4 text
-- stages, $5 text reasons, $6 text details, $7 text callback types, $8 text event ids; $9 text by whom.
UPDATE dead_letters AS letter SET
    outcome = CASE WHEN told.outcome <> 'failed' THEN told.outcome ELSE letter.outcome END,
    replays = letter.replays + 1,
    replayed_at = CASE WHEN told.outcome <> 'failed' THEN now() END,
    replayed_by = CASE WHEN told.outcome <> 'failed' THEN $9::text END,
    last_seen_at = CASE WHEN told.outcome = 'failed' THEN now() ELSE letter.last_seen_at END,
    kind = coalesce(told.kind, letter.kind),
    stage = coalesce(told.stage, letter.stage),
    reason = coalesce(told.reason, letter.reason),
    detail = CASE
        WHEN told.outcome = 'failed' THEN told.detail
        WHEN told.outcome <> 'erased' THEN letter.detail
    END,
    callback_type = coalesce(told.callback_type, letter.callback_type),
    event_id = coalesce(told.event_id, letter.event_id),
    body = CASE WHEN told.outcome = 'erased' THEN '' ELSE letter.body END,
    headers = CASE WHEN told.outcome = 'erased' THEN '{}' ELSE letter.headers END,
    erased_at = CASE WHEN told.outcome = 'erased' THEN now() END
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
    AS told (id, outcome, kind, stage, reason, detail, callback_type, event_id)
WHERE letter.id = told.id
