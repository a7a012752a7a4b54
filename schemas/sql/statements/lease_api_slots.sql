-- Lease slots for API requests: one short update, so that a whole fleet can share the row. $1 text company, $2 integer
-- how many, $3 double precision the configured rate, $4 double precision by which share of that the rate rises in a
-- second. Returns in how many seconds (by this database's clock, nobody else's) the first slot begins, and how many
-- seconds the slots are apart.
INSERT INTO api_rates AS r (company_key, rate, rate_at, next_slot)
VALUES (
    $1,
    $3::double precision,
    clock_timestamp(),
    clock_timestamp() + make_interval(secs => $2::integer / $3::double precision)
)
ON CONFLICT (company_key) DO UPDATE SET
    (rate, rate_at, next_slot) = (
        SELECT risen.rate, moment.now, greatest(r.next_slot, moment.now) + make_interval(secs => $2 / risen.rate)
        FROM (SELECT clock_timestamp() AS now OFFSET 0) AS moment
        CROSS JOIN LATERAL (
            SELECT least(
                $3,
                r.rate + $3 * $4::double precision * greatest(extract(epoch FROM moment.now - r.rate_at), 0)
            ) AS rate
        ) AS risen
    )
RETURNING
    extract(epoch FROM next_slot - rate_at)::double precision - $2 / rate AS begins_in,
    1 / rate AS seconds_apart
