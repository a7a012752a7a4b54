-- What the rows of the history have in common. Temporary: of this session, which also has the tables of history.py:
-- `history` (one row), `places` (the 100 events of a message), `person_keys`. The events of a message are received in
-- one second; two neighbouring ones are about one person.

-- Not IMMUTABLE, though they are: PostgreSQL only puts those into a statement whose parts are all declared so.
CREATE FUNCTION pg_temp.message_id(number bigint, received_at timestamptz) RETURNS uuid
    LANGUAGE sql STABLE
    RETURN (
        lpad(to_hex((extract(epoch FROM received_at) * 1000)::bigint), 12, '0')
        || '70008' || substr(md5(number::text), 1, 15)
    )::uuid;

CREATE FUNCTION pg_temp.event_id(number bigint) RETURNS text
    LANGUAGE sql STABLE
    RETURN '00000000-0000-7000-8000-' || lpad(number::text, 12, '0');

-- The persons of the pairs come one after the other, but scattered: 1000003 is a prime. Every second person of
-- benchmarks/traffic.py is in the history.
CREATE FUNCTION pg_temp.person_of(pair bigint, persons bigint) RETURNS bigint
    LANGUAGE sql STABLE
    RETURN pair * 1000003 % persons * 2;

CREATE FUNCTION pg_temp.list_of(pair bigint) RETURNS text
    LANGUAGE sql STABLE
    RETURN (1200 + pair % 12)::text;

-- As in benchmarks/bodies.py for the 200,000 persons of benchmarks/traffic.py. The ids and numbers of the others lie
-- between theirs, so that the traffic finds its persons all over the indexes.
CREATE FUNCTION pg_temp.person_id(person bigint) RETURNS text
    LANGUAGE sql STABLE
    RETURN CASE
        WHEN person < 200000 THEN (12000000 + person)::text
        ELSE (12000000 + person % 200000)::text || person / 200000
    END;

CREATE FUNCTION pg_temp.mdn(person bigint) RETURNS text
    LANGUAGE sql STABLE
    RETURN '+1' || ('{312,415,206,512,617,303,704,602,213,646}'::text[])[(person + person / 200000) % 10 + 1]
        || 2000000 + person % 200000 + person / 2000000 * 200000;

CREATE FUNCTION pg_temp.person_key(person bigint, told text) RETURNS text
    LANGUAGE sql STABLE
    RETURN coalesce(told, md5('person/' || person)::uuid::text);

-- As in workers/mirror/identity.py.
CREATE FUNCTION pg_temp.person_uid(company_key text, person_id text) RETURNS uuid
    LANGUAGE sql STABLE
    RETURN encode(substring(sha256((company_key || '\000person_id\000' || person_id)::bytea) FOR 16), 'hex')::uuid;

-- At equal distances, the last one at the end.
CREATE VIEW pg_temp.messages AS
SELECT
    company_key, persons, number, received_at,
    pg_temp.message_id(number, received_at) AS message_id,
    received_at - behind AS occurred_at
FROM (
    SELECT
        history.*, number,
        date_trunc('second', began + (ended - began) * ((number + 1) / messages::double precision)) AS received_at
    FROM history
    CROSS JOIN generate_series(0, messages - 1) AS number
    OFFSET 0
) AS told
OFFSET 0;
