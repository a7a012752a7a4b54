-- Lease slots for API requests: one short update, so that a whole fleet can share the row. $1 text company, $2 integer
-- how many, $3 double precision the configured rate, $4 double precision by which share of that the rate rises in a
-- second, $5 double precision how many seconds ahead the slots leased already may reach for these to be leased too, NULL:
-- any number; $6 double precision in how many seconds the first may begin at the earliest. Returns when the first slot begins and how many seconds the slots are apart; or, with begins_at NULL, in how
-- many seconds to ask again. It may return nothing: ask again. Times are seconds by this database's clock, and told_at is
-- what it shows.
-- The commit does not wait for the disk, which would hold the row for as long (the setting is this transaction's alone):
-- what a crash of the server forgets of it was leased for a time before the server is up again.
WITH leased AS (
    INSERT INTO api_rates AS r (company_key, rate, rate_at, next_slot)
    SELECT
        $1,
        $3::double precision,
        clock_timestamp(),
        clock_timestamp() + make_interval(secs => $6::double precision + $2::integer / $3::double precision)
    FROM set_config('synchronous_commit', 'off', true)
    -- Looked at before the row is locked, so that asking in vain writes nothing.
    WHERE $5::double precision IS NULL OR NOT EXISTS (
        SELECT FROM api_rates
        WHERE company_key = $1 AND next_slot > clock_timestamp() + make_interval(secs => $5::double precision)
    )
    ON CONFLICT (company_key) DO UPDATE SET
        (rate, rate_at, next_slot) = (
            SELECT
                risen.rate,
                moment.now,
                greatest(r.next_slot, moment.now + make_interval(secs => $6)) + make_interval(secs => $2 / risen.rate)
            FROM (SELECT clock_timestamp() AS now OFFSET 0) AS moment
            CROSS JOIN LATERAL (
                SELECT least(
                    $3,
                    r.rate + $3 * $4::double precision * greatest(extract(epoch FROM moment.now - r.rate_at), 0)
                ) AS rate
            ) AS risen
        )
    WHERE $5 IS NULL OR r.next_slot <= clock_timestamp() + make_interval(secs => $5)
    RETURNING
        extract(epoch FROM next_slot)::double precision - $2 / rate AS begins_at,
        1 / rate AS seconds_apart
)
SELECT
    extract(epoch FROM clock_timestamp())::double precision AS told_at,
    begins_at,
    seconds_apart,
    NULL::double precision AS ask_in
FROM leased
UNION ALL
SELECT NULL, NULL, NULL, extract(epoch FROM next_slot - clock_timestamp())::double precision - $5
FROM api_rates
WHERE company_key = $1 AND NOT EXISTS (SELECT FROM leased)
