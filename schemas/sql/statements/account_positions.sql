-- Where the callbacks of a run of broker messages are: of those with an id from $1 on and below $2, $3 company or NULL
-- for all. Counted by outcome (letter of callback_messages.outcomes; NULL: none was recorded), times in the event log,
-- and times among the dead letters. inconsistent: receipts, $4 at most, where that is not once in the log for an applied
-- one, once among the dead letters for one set aside, and nowhere for a duplicate; NULL when there are none.
WITH told AS (
    SELECT messages.message_id, letters.number::integer - 1 AS position, letters.outcome
    FROM callback_messages AS messages
    CROSS JOIN LATERAL string_to_table(messages.outcomes, NULL) WITH ORDINALITY AS letters (outcome, number)
    WHERE messages.message_id >= $1 AND messages.message_id < $2 AND ($3::text IS NULL OR messages.company_key = $3)
),
kept AS (
    SELECT message_id, position, sum(logged) AS logged, sum(set_aside) AS set_aside
    FROM (
        SELECT message_id, position, 1 AS logged, 0 AS set_aside
        FROM callback_events
        WHERE message_id >= $1 AND message_id < $2 AND ($3::text IS NULL OR company_key = $3)
        UNION ALL
        -- Not those that a replay dealt with: they are where that put them. Changes of the CRM leave no outcome, and a
        -- message that could not be read has no positions.
        SELECT message_id, position, 0, 1
        FROM dead_letters
        WHERE
            message_id >= $1 AND message_id < $2 AND ($3::text IS NULL OR company_key = $3)
            AND replayed_at IS NULL AND stage <> 'crm' AND position >= 0
    ) AS places
    GROUP BY message_id, position
)
SELECT
    outcome,
    coalesce(logged, 0) AS logged,
    coalesce(set_aside, 0) AS set_aside,
    count(*) AS callbacks,
    (array_agg(message_id::text || '/' || position ORDER BY message_id, position) FILTER (
        WHERE outcome IS NULL
        OR coalesce(logged, 0) <> (outcome = 'a')::integer
        OR coalesce(set_aside, 0) <> (outcome IN ('q', 'x'))::integer
    ))[:$4] AS inconsistent
FROM told
FULL JOIN kept USING (message_id, position)
GROUP BY 1, 2, 3
