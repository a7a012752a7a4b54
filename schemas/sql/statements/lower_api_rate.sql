-- Slow the whole fleet down after a 429: once, however many of the requests under way are answered so. $1 text company,
-- $2 double precision the configured rate, $3 double precision what the rate is multiplied by, $4 double precision the
-- share of the configured rate that is always left, $5 double precision for how many seconds further 429s are the
-- consequence of the same excess. Returns the new rate, if it was lowered.
UPDATE api_rates SET
    rate = greatest(rate * $3::double precision, $2::double precision * $4::double precision),
    rate_at = clock_timestamp(),
    throttled_at = clock_timestamp()
WHERE company_key = $1
  AND (throttled_at IS NULL OR throttled_at < clock_timestamp() - make_interval(secs => $5::double precision))
RETURNING rate
