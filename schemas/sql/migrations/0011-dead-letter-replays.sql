-- Replaying and discarding dead letters: by whom, when, and what came of it
-- depends: 0010-crm-numbers-only

-- migrate: apply

ALTER TABLE dead_letters
    ADD COLUMN outcome         text,
    ADD COLUMN replays         integer NOT NULL DEFAULT 0,
    ADD COLUMN last_seen_at    timestamptz,
    ADD COLUMN discarded_at    timestamptz,
    ADD COLUMN discarded_by    text,
    ADD COLUMN body_removed_at timestamptz;

COMMENT ON COLUMN dead_letters.kind IS
    'quarantined: could not be read. dead_lettered: could be read, could not be applied. As it was found last.';
COMMENT ON COLUMN dead_letters.stage IS
    'Where it was set aside: decode, apply, crm (a change of the CRM), or delivery (delivered too often). As it was found '
    'last.';
COMMENT ON COLUMN dead_letters.reason IS
    'Why, as one short word, e.g. not_json, unknown_type, missing_person. As it was found last: what it was before is in '
    'dead_letter_history.';
COMMENT ON COLUMN dead_letters.outcome IS
    'What became of it: applied, duplicate (of an applied event; a change of the CRM that told nothing new), erased (it was '
    'about a person who is erased), discarded. NULL: it waits for somebody to decide.';
COMMENT ON COLUMN dead_letters.replays IS 'How often it was replayed.';
COMMENT ON COLUMN dead_letters.last_seen_at IS 'When a replay of it failed last; NULL: never, see created_at.';
COMMENT ON COLUMN dead_letters.replayed_at IS 'When a replay dealt with it: outcome tells how. NULL: none has.';
COMMENT ON COLUMN dead_letters.replayed_by IS 'Who replayed it.';
COMMENT ON COLUMN dead_letters.discarded_at IS 'When it was discarded: somebody decided that it will never be applied.';
COMMENT ON COLUMN dead_letters.discarded_by IS 'Who discarded it; why is in dead_letter_runs.note.';
COMMENT ON COLUMN dead_letters.body_removed_at IS
    'When its body, headers and detail were removed because whoever discarded it asked for that.';

CREATE FUNCTION dead_letter_status(letter dead_letters) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN letter.erased_at IS NOT NULL THEN 'erased'
        WHEN letter.replayed_at IS NOT NULL THEN 'replayed'
        WHEN letter.discarded_at IS NOT NULL THEN 'discarded'
        ELSE 'open'
    END;
COMMENT ON FUNCTION dead_letter_status IS
    'Where a dead letter stands. open: it waits for somebody to decide. replayed: dealt with by a replay, see outcome. '
    'discarded: by somebody''s decision. erased: it was about an erased person, and nothing of it is left.';

CREATE TABLE dead_letter_runs (
    run_id       uuid             NOT NULL PRIMARY KEY,
    action       text             NOT NULL,
    requested_by text             NOT NULL,
    note         text,
    filter       jsonb            NOT NULL,
    remove_body  boolean          NOT NULL DEFAULT false,
    rate         double precision,
    status       text             NOT NULL DEFAULT 'unfinished',
    started_at   timestamptz      NOT NULL DEFAULT now(),
    saved_at     timestamptz,
    finished_at  timestamptz,
    up_to_id     bigint           NOT NULL,
    after_id     bigint           NOT NULL DEFAULT 0,
    total        bigint           NOT NULL
);

COMMENT ON TABLE dead_letter_runs IS
    'Each vibes-pipeline dead-letters replay or discard: who asked for it, for which letters, and how far it is.';
COMMENT ON COLUMN dead_letter_runs.run_id IS 'Id of the run; with it an interrupted one is carried on.';
COMMENT ON COLUMN dead_letter_runs.action IS 'replay or discard.';
COMMENT ON COLUMN dead_letter_runs.requested_by IS 'Who began it: the user and machine, or what --by says.';
COMMENT ON COLUMN dead_letter_runs.note IS
    'Why, in the words of whoever began it, such as the number of a ticket. Removed when it names a person who is erased.';
COMMENT ON COLUMN dead_letter_runs.filter IS 'Which letters it is about.';
COMMENT ON COLUMN dead_letter_runs.remove_body IS 'Whether the bodies of what is discarded are removed.';
COMMENT ON COLUMN dead_letter_runs.rate IS 'Letters (callbacks, changes) a second at most; NULL: no limit.';
COMMENT ON COLUMN dead_letter_runs.status IS
    'unfinished: under way, or interrupted and to be carried on; finished: all letters are dealt with.';
COMMENT ON COLUMN dead_letter_runs.started_at IS 'When it was begun.';
COMMENT ON COLUMN dead_letter_runs.saved_at IS 'When it came to where it is.';
COMMENT ON COLUMN dead_letter_runs.finished_at IS 'When it was finished.';
COMMENT ON COLUMN dead_letter_runs.up_to_id IS 'The last letter there was when it was begun: later ones are not its matter.';
COMMENT ON COLUMN dead_letter_runs.after_id IS 'The cursor: all letters up to this id are dealt with.';
COMMENT ON COLUMN dead_letter_runs.total IS 'How many letters it was about when it was begun.';

CREATE TABLE dead_letter_history (
    letter_id     bigint      NOT NULL,
    run_id        uuid        NOT NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    outcome       text        NOT NULL,
    stage_before  text        NOT NULL,
    reason_before text        NOT NULL,
    detail_before text,
    stage         text,
    reason        text,
    detail        text,
    PRIMARY KEY (letter_id, run_id)
);
CREATE INDEX dead_letter_history_run ON dead_letter_history (run_id, letter_id);

COMMENT ON TABLE dead_letter_history IS
    'What was done about each dead letter, and what came of it: one row a letter and run. Written in the transaction that '
    'did it.';
COMMENT ON COLUMN dead_letter_history.letter_id IS 'The letter: dead_letters.id.';
COMMENT ON COLUMN dead_letter_history.run_id IS 'The run that did it, and so by whom: dead_letter_runs.run_id.';
COMMENT ON COLUMN dead_letter_history.at IS 'When.';
COMMENT ON COLUMN dead_letter_history.outcome IS
    'applied, duplicate, erased, discarded: see dead_letters.outcome. failed: it could not be applied this time either.';
COMMENT ON COLUMN dead_letter_history.stage_before IS 'Where it had been set aside before.';
COMMENT ON COLUMN dead_letter_history.reason_before IS 'Why it had been set aside before.';
COMMENT ON COLUMN dead_letter_history.detail_before IS 'More about why. Removed when the person it is about is erased.';
COMMENT ON COLUMN dead_letter_history.stage IS 'Where it failed this time; NULL: it did not.';
COMMENT ON COLUMN dead_letter_history.reason IS 'Why it failed this time; NULL: it did not.';
COMMENT ON COLUMN dead_letter_history.detail IS
    'More about why, or what came of a whole broker message. Removed when the person it is about is erased.';

-- migrate: rollback
DROP TABLE dead_letter_history, dead_letter_runs;
DROP FUNCTION dead_letter_status(dead_letters);
ALTER TABLE dead_letters
    DROP COLUMN outcome, DROP COLUMN replays, DROP COLUMN last_seen_at, DROP COLUMN discarded_at,
    DROP COLUMN discarded_by, DROP COLUMN body_removed_at;
