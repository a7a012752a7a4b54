-- Slow the whole fleet down after a 429: once, however many of the requests under way are answered so. $1 text company,
-- $2 double precision the configured rate, $3 double precision the share of that which is always left, $4 double precision
-- for how many seconds further 429s are the consequence of the same excess, $5 double precision what the rate is multiplied
-- by, and $6 double precision what instead when the last time is at most $7 double precision seconds ago. Returns the new
-- rate, if it was lowered.
UPDATE api_rates SET
    rate = greatest(
        rate * CASE
            WHEN throttled_at > clock_timestamp() - make_interval(secs => $7::double precision)
            THEN $6::double precision
            ELSE $5::double precision
        END,
        $2::double precision * $3::double precision
    ),
    rate_at = clock_timestamp(),
    throttled_at = clock_timestamp()
WHERE company_key = $1
  AND (throttled_at IS NULL OR throttled_at < clock_timestamp() - make_interval(secs => $4::double precision))
RETURNING rate
