-- Put records of the CRM into the outbox, due after a delay in which further changes join them. $1 text company;
-- $2 text[] external ids, $3 uuid[] the uids derived from them (workers/mirror/identity.py), in the same order;
-- $4 double precision delay in seconds, $5 boolean whether an import asks, $6 boolean see below, $7 text[] which event
-- asks for each, NULL: none.
-- One that failed for now keeps its time; a conflict is tried again, because the record is another one now. What an
-- import asked for and what just happened asks for too is no longer an import's: the sweep puts it on the other queue.
-- Changes nothing about a conflict when $6: nothing new is wanted then.
INSERT INTO person_sync AS sync (
    company_key, person_uid, external_person_id, event_id, bulk, status, desired_version, next_attempt_at
)
SELECT
    $1,
    person_uid,
    external_person_id,
    event_id,
    $5::boolean,
    'postponed',
    1,
    now() + make_interval(secs => $4::double precision)
FROM unnest($2::text[], $3::uuid[], $7::text[]) AS wanted (external_person_id, person_uid, event_id)
ORDER BY person_uid
ON CONFLICT (company_key, person_uid) DO UPDATE SET
    event_id = excluded.event_id,
    bulk = excluded.bulk AND (sync.bulk OR sync.status NOT IN ('pending', 'postponed')),
    status = CASE WHEN sync.status = 'pending' THEN 'pending' ELSE 'postponed' END,
    desired_version = sync.desired_version + 1,
    next_attempt_at = CASE
        WHEN sync.status = 'pending' AND sync.bulk AND NOT excluded.bulk THEN excluded.next_attempt_at
        WHEN sync.status IN ('pending', 'postponed') THEN sync.next_attempt_at
        ELSE excluded.next_attempt_at
    END,
    requested_at = now()
WHERE NOT ($6::boolean AND sync.status IN ('conflict', 'resolved'))
