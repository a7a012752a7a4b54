-- What became of some callbacks, by receipt. $1 uuid[] message ids, $2 integer[] positions.
-- outcome: letter of callback_messages.outcomes, NULL when the message was never dealt with; logged, set_aside: whether
-- the callback is in the event log, or still among the dead letters: no replay has dealt with it.
SELECT
    wanted.message_id,
    wanted.position,
    nullif(substr(messages.outcomes, wanted.position + 1, 1), '') AS outcome,
    EXISTS (
        SELECT FROM callback_events AS events
        WHERE events.message_id = wanted.message_id AND events.position = wanted.position
    ) AS logged,
    EXISTS (
        SELECT FROM dead_letters AS dead
        WHERE dead.message_id = wanted.message_id AND dead.position = wanted.position AND dead.replayed_at IS NULL
    ) AS set_aside
FROM unnest($1::uuid[], $2::integer[]) AS wanted (message_id, position)
LEFT JOIN callback_messages AS messages USING (message_id)
