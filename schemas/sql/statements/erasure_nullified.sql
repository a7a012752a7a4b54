-- Record that a person is erased at Vibes and from the current state. $1 uuid erasure, $2 text outcome at Vibes,
-- $3 timestamptz when Vibes says so, or NULL, $4 interval to add, $5 jsonb identifiers. Returns up to when they are
-- erased.
UPDATE erasures SET
    status = 'nullified',
    vibes_outcome = $2,
    erased_at = greatest(clock_timestamp() + $4::interval, $3::timestamptz),
    identifiers = $5::jsonb,
    last_error = NULL
WHERE erasure_id = $1
RETURNING erased_at
