"""How dead letters and runs are shown: tables for people, JSON for programs. Bodies are never shown here."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import orjson

from cli.dead_letters.acting import Acted
from cli.dead_letters.display import Count, Found
from cli.masking import mask_words
from cli.printing import as_json, moment, print_facts, print_table
from workers.replay import runs
from workers.replay.letters import Sort
from workers.replay.results import Outcome
from workers.replay.runs import Run

Row = Mapping[str, Any]

_HIDDEN = ("body", "last_seen_at", "created_at")
_LIST = (
    "id",
    "company",
    "status",
    "stage",
    "reason",
    "type",
    "first seen (UTC)",
    "last seen (UTC)",
    "replays",
    "bytes",
)
_SORTS = ("letters", "company", "status", "kind", "stage", "reason", "type", "first seen (UTC)", "last seen (UTC)")


def print_letters(rows: Sequence[Row], total: int, *, json: bool) -> None:
    """Print a list of letters; `total` counts those beyond its limit too."""
    if json:
        print(as_json({"total": total, "letters": [dict(row) for row in rows]}))
        return
    if not rows:
        print("no dead letters")
        return
    print_table("Dead letters", _LIST, map(_letter_cells, rows))
    if total > len(rows):
        print(f"the newest {len(rows)} of {total}; --limit shows more, --group adds them up")


def print_sorts(sorts: Sequence[Sort], *, json: bool) -> None:
    """Print how many letters of each sort there are."""
    if json:
        print(as_json([asdict(sort) for sort in sorts]))
        return
    if not sorts:
        print("no dead letters")
        return
    print_table("Dead letters by what is wrong with them", _SORTS, map(_sort_cells, sorts))


def print_letter(row: Row, history: Sequence[Row], *, json: bool) -> None:
    """Print all that is known about a letter, but for what it holds."""
    facts = {name: value for name, value in row.items() if name not in _HIDDEN}
    facts["last_seen_at"] = facts.pop("seen_last_at")
    facts["headers"] = {name: mask_words(value) for name, value in orjson.loads(row["headers"]).items()}
    facts["bytes"] = len(row["body"])
    facts["sha256"] = sha256(row["body"]).hexdigest() if row["body"] else None
    if json:
        print(as_json({"letter": facts, "history": [dict(each) for each in history]}))
        return
    print_facts(f"Dead letter {row['id']}", facts)
    if history:
        columns = ("when (UTC)", "by", "outcome", "it was", "it is", "note", "run")
        print_table("What was done about it", columns, map(_history_cells, history))
    if row["body"]:
        print(f"what it holds: vibes-pipeline dead-letters show {row['id']} --raw --output FILE")


def print_runs(found: Sequence[Run], *, json: bool) -> None:
    """Print runs."""
    if json:
        print(as_json([run_json(run) for run in found]))
        return
    if not found:
        print("no runs")
        return
    columns = ("run", "what", "by", "begun (UTC)", "letters", "outcomes", "status", "note")
    print_table("Replays and discards", columns, map(_run_cells, found))


def print_run(run: Run, rows: Sequence[Row], *, json: bool) -> None:
    """Print a run and what it did about each letter."""
    if json:
        print(as_json({**run_json(run), "rows": [dict(row) for row in rows]}))
        return
    print_facts("Run", run_json(run))
    cells = (
        (row["letter_id"], moment(row["at"]), row["outcome"], _why(row, "_before"), _why(row), row["detail"])
        for row in rows
    )
    print_table("What it did", ("letter", "when (UTC)", "outcome", "it was", "it is", "detail"), cells)


def print_acted(acted: Acted, *, dry: bool, json: bool) -> None:
    """Print what came of a replay or a discard, or would come of it."""
    run, found = acted.run, acted.display.found
    if json:
        told = {**run_json(run), "dry_run": dry, "resumed": run.resumed, "interrupted": acted.interrupted}
        print(as_json({**told, "found": [_found_json(*item) for item in _sorted(found)]}))
        return
    if found:
        title = f"What {'would come' if dry else 'came'} of {'them' if run.request.action == runs.REPLAY else 'it'}"
        columns = ("letters", "outcome", "company", "type", "had failed", "fails now", "ids")
        print_table(title, columns, (_found_cells(*item) for item in _sorted(found)))
    print(_sentence(acted, dry=dry))


def run_json(run: Run) -> dict[str, Any]:
    """Return a run as JSON."""
    request = run.request
    return {
        "run_id": None if run.started_at is None else run.run_id,
        "action": request.action,
        "by": request.requested_by,
        "note": request.note,
        "filter": orjson.loads(request.wanted.to_json()),
        "remove_body": request.remove_body,
        "rate": request.rate,
        "started_at": run.started_at,
        "finished": run.finished,
        "total": run.total,
        "counts": {outcome.value: run.counts[outcome] for outcome in Outcome if run.counts[outcome]},
    }


def _sentence(acted: Acted, *, dry: bool) -> str:
    run = acted.run
    counts = ", ".join(f"{run.counts[outcome]} {outcome}" for outcome in Outcome if run.counts[outcome]) or "none"
    if dry:
        return f"a dry run, nothing was changed; of {run.total} letters: {counts}"
    told = f"run {run.run_id}: of {run.total} letters: {counts}"
    if run.finished:
        return told
    return f"{told}\nnot all of them: vibes-pipeline dead-letters {run.request.action} --resume {run.run_id} carries on"


def _sorted(found: Mapping[Found, Count]) -> list[tuple[Found, Count]]:
    return sorted(found.items(), key=lambda item: (item[0].outcome, -item[1].letters, item[1].ids))


def _found_json(found: Found, count: Count) -> dict[str, Any]:
    return {**asdict(found), "letters": count.letters, "first_ids": count.ids}


def _found_cells(found: Found, count: Count) -> tuple[object, ...]:
    ids = ", ".join(map(str, count.ids)) + (", ..." if count.letters > len(count.ids) else "")
    now = f"{found.stage}: {found.reason}" if found.reason else None
    return (count.letters, found.outcome, found.company_key, found.callback_type, found.before, now, ids)


def _letter_cells(row: Row) -> tuple[object, ...]:
    status = row["outcome"] if row["status"] == "replayed" else row["status"]
    what = (row["id"], row["company_key"], status, row["stage"], row["reason"], row["callback_type"])
    return (*what, moment(row["first_seen_at"]), moment(row["last_seen_at"]), row["replays"], row["bytes"])


def _sort_cells(sort: Sort) -> tuple[object, ...]:
    what = (sort.company_key, sort.status, sort.kind, sort.stage, sort.reason, sort.callback_type)
    return (sort.letters, *what, moment(sort.first_seen_at), moment(sort.last_seen_at))


def _history_cells(row: Row) -> tuple[object, ...]:
    now = _why(row) or row["detail"]
    who = (row["requested_by"], row["outcome"], _why(row, "_before"), now, row["note"], row["run_id"])
    return (moment(row["at"]), *who)


def _run_cells(run: Run) -> tuple[object, ...]:
    request = run.request
    counts = ", ".join(f"{run.counts[outcome]} {outcome}" for outcome in Outcome if run.counts[outcome])
    status = "finished" if run.finished else "unfinished"
    begun = moment(run.started_at)
    return (run.run_id, request.action, request.requested_by, begun, run.total, counts, status, request.note)


def _why(row: Row, suffix: str = "") -> str | None:
    stage, reason = row[f"stage{suffix}"], row[f"reason{suffix}"]
    return f"{stage}: {reason}" if reason else None
