-- One budget of API requests a company, for the whole fleet of person workers
-- depends: 0005-more-current-state-views

-- migrate: apply

CREATE TABLE api_rates (
    company_key  text             NOT NULL PRIMARY KEY,
    rate         double precision NOT NULL,
    rate_at      timestamptz      NOT NULL,
    next_slot    timestamptz      NOT NULL,
    throttled_at timestamptz
) WITH (fillfactor = 50);

COMMENT ON TABLE api_rates IS
    'How fast the Vibes API may be called for each company, by all workers together. Time is cut into slots of 1/rate '
    'seconds, one request each; a worker leases as many as it has requests waiting.';
COMMENT ON COLUMN api_rates.company_key IS 'The Vibes company (tenant); Vibes limits the requests of each.';
COMMENT ON COLUMN api_rates.rate IS
    'Requests a second at rate_at. Lowered when Vibes answers 429, raised again slowly, never above what is configured.';
COMMENT ON COLUMN api_rates.rate_at IS 'When rate was settled.';
COMMENT ON COLUMN api_rates.next_slot IS 'The first slot nobody has leased yet, by the clock of this database.';
COMMENT ON COLUMN api_rates.throttled_at IS 'When the rate was lowered last because of a 429.';

-- migrate: rollback
DROP TABLE api_rates;
