-- Partitions that are made late take in what had to go to the default partition
-- depends: 0013-access

-- migrate: apply

CREATE OR REPLACE FUNCTION create_month_partitions(parent text, first_month date, months integer) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    month_start date;
    partition text;
    range_begin text;
    range_end text;
    key_column text;
    default_partition regclass;
BEGIN
    SELECT keyed.attname, nullif(whole.partdefid, 0)::regclass
    INTO key_column, default_partition
    FROM pg_partitioned_table AS whole
    JOIN pg_attribute AS keyed ON keyed.attrelid = whole.partrelid AND keyed.attnum = whole.partattrs[0]
    WHERE whole.partrelid = parent::regclass;

    FOR month_start IN
        SELECT (date_trunc('month', first_month::timestamp) + make_interval(months => n))::date
        FROM generate_series(0, months - 1) AS n
    LOOP
        partition := parent || to_char(month_start, '_YYYY_MM');
        range_begin := to_char(month_start, 'YYYY-MM-DD 00:00:00+00');
        range_end := to_char(month_start + interval '1 month', 'YYYY-MM-DD 00:00:00+00');
        CONTINUE WHEN to_regclass(quote_ident(partition)) IS NOT NULL;
        BEGIN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                partition, parent, range_begin, range_end
            );
        EXCEPTION WHEN check_violation THEN
            -- Rows of the month came before it had a partition. Writers wait until they are moved.
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', default_partition);
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', partition, parent);
            EXECUTE format(
                'WITH moved AS (DELETE FROM %s WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
                default_partition, key_column, range_begin, key_column, range_end, partition
            );
            EXECUTE format(
                'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                parent, partition, range_begin, range_end
            );
        END;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION create_month_partitions IS
    'Create the monthly partitions (UTC months) of a table that are not there yet, and move rows into them that had to go '
    'to the default partition meanwhile.';

-- migrate: rollback
CREATE OR REPLACE FUNCTION create_month_partitions(parent text, first_month date, months integer) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    month_start date;
BEGIN
    FOR month_start IN
        SELECT (date_trunc('month', first_month::timestamp) + make_interval(months => n))::date
        FROM generate_series(0, months - 1) AS n
    LOOP
        EXECUTE format(
            'CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
            parent || to_char(month_start, '_YYYY_MM'),
            parent,
            to_char(month_start, 'YYYY-MM-DD 00:00:00+00'),
            to_char(month_start + interval '1 month', 'YYYY-MM-DD 00:00:00+00')
        );
    END LOOP;
END;
$$;
COMMENT ON FUNCTION create_month_partitions IS
    'Create the monthly partitions (UTC months) of a table that are not there yet.';
