"""`make demo`: send many callbacks through the whole pipeline, then check every one of them.

The simulator plays Vibes: a story of opt-ins, opt-outs and person changes, with duplicates, disorder, malformed bodies
and the bodies of Vibes' documentation, while its Person API fails now and then. Then the CRM changes persons, from a
file and by HTTP. In the end everything is counted against the simulator's ledger and its MobileDB. The exit code is 0
only if nothing was lost, nothing diverged, and Vibes has what the CRM wants.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import Request, urlopen

import asyncpg
from rich.console import Console
from rich.table import Table

from deploy.local.compare import Divergence, compare
from deploy.local.crm import as_csv, disagreements, make_story, outcomes
from deploy.local.errors import ServiceError
from deploy.local.progress import Steps
from deploy.local.stack import Stack

Result = TypeVar("Result")

_REPORT = Path(".run/demo.json")
COMPANIES = ("demo", "documented")
"""One lives through the story; the other gets the bodies Vibes documents."""
_PERSISTENT = {"delivery": {"max_attempts": 100}}
"""The demo is about what the pipeline does with what it acknowledged, not about Vibes giving up on a slow machine."""
STORY = {
    "callbacks": 22_000,
    "persons": 1_200,
    "lists": 4,
    "duplicate_ratio": 0.15,
    "malformed": 250,
    "shuffle_window": 2_000,
    "concurrency": 64,
    **_PERSISTENT,
}
"""What the simulator tells: see its `RunSpec`."""
_FAULTS = {"error_rate": 0.03, "too_many_requests_rate": 0.02, "latency_rate": 0.1, "latency_seconds": 0.2}
_DRAIN_SECONDS = 150.0
_LOOK_SECONDS = 0.5


@dataclass(slots=True)
class Report:
    """What came of the demo; written to `.run/demo.json`."""

    sent: int = 0
    """Callbacks delivered by the simulator: events, duplicates, malformed and documented bodies."""
    acknowledged: int = 0
    applied: int = 0
    duplicates: int = 0
    quarantined: int = 0
    dead_lettered: int = 0
    lost: int = 0
    """Acknowledged deliveries that are nowhere, and events that never got through."""
    diverged: int = 0
    """Persons and stays that are not as the simulator holds them."""
    documented: int = 0
    """Documented bodies applied."""
    max_answer_ms: float = 0.0
    bad_answers: int = 0
    """Answers other than 2xx and 503."""
    person_api: dict[str, int] = field(default_factory=dict)
    crm: dict[str, int] = field(default_factory=dict)
    """Changes the CRM sent, the calls they cost, and persons synced and in conflict (those meant to be)."""
    disagreeing: int = 0
    """Persons who are not at Vibes as the CRM wants them, or whose sync did not end as it should."""
    seconds: float = 0.0
    ok: bool = False


def main() -> int:
    """Run the demo; return the exit code."""
    console = Console(highlight=False)
    began = time.monotonic()
    console.print("starting PostgreSQL, RabbitMQ, the simulator and the pipeline ...")
    with Stack(COMPANIES) as stack:
        report, divergences = run(stack, console, STORY)
        report.seconds = round(time.monotonic() - began, 1)
        _print(console, report, divergences)
        _REPORT.parent.mkdir(exist_ok=True)
        _REPORT.write_text(json.dumps(asdict(report), indent=2) + "\n")
    console.print(f"written to {_REPORT}")
    return 0 if report.ok else 1


def run(stack: Stack, console: Console, story: Mapping[str, Any]) -> tuple[Report, list[Divergence]]:
    """Tell the story, wait until the pipeline has drained, and check everything against the simulator.

    Returns the report (without its duration), and what differs.
    """
    teller, samples = COMPANIES
    _call(stack, "PUT", "/faults", _FAULTS)
    runs = [
        _call(stack, "POST", "/runs", {"company_key": teller, **story})["id"],
        _call(stack, "POST", "/runs", {"company_key": samples, "documented": True, **_PERSISTENT})["id"],
    ]
    figures = _follow(stack, runs, console)
    _wait_until_drained(stack, _receipts(_ledger(stack)), console)
    report = Report()
    report.crm, report.disagreeing = _change_persons(stack, teller, console)
    figures += _echoes(stack)
    ledger = _ledger(stack)
    audit = _wait_until_drained(stack, _receipts(ledger), console)
    for name in _OUTCOMES:
        setattr(report, name, sum(account[name] for account in audit["accounts"]))
    report.sent = sum(run["sent"] for run in figures)
    report.acknowledged = sum(run["acknowledged"] for run in figures)
    report.max_answer_ms = round(max(run["max_answer_seconds"] for run in figures) * 1000, 1)
    report.bad_answers = _bad_answers(figures)
    report.lost = _lost(ledger, audit) + asyncio.run(_not_applied_once(stack.database_url, ledger))
    report.documented = sum(entry["kind"] == "documented" and entry["acknowledged"] > 0 for entry in ledger)
    divergences = asyncio.run(compare(stack.database_url, teller, _lines(stack, f"/mobiledb?company_key={teller}")))
    report.diverged = len(divergences)
    report.person_api = _person_api(_call(stack, "GET", "/api-calls"))
    amiss = report.lost or report.diverged or report.bad_answers or report.disagreeing
    report.ok = audit["ok"] and audit["missing"] == 0 and not amiss
    return report, divergences


def _ledger(stack: Stack) -> list[dict[str, Any]]:
    return [entry for company in COMPANIES for entry in _lines(stack, f"/ledger?company_key={company}")]


def _receipts(ledger: Iterable[dict[str, Any]]) -> list[str]:
    return [receipt for entry in ledger for receipt in entry["receipts"]]


def _change_persons(stack: Stack, company_key: str, console: Console) -> tuple[dict[str, int], int]:
    """Have the CRM change persons, half from a file and half by HTTP; wait until Vibes knows.

    Returns the figures, and how many persons did not end as they should.
    """
    story = make_story(_lines(stack, f"/mobiledb?company_key={company_key}"))
    calls_before = _call(stack, "GET", "/api-calls")["total"]
    middle = len(story.records) // 2
    file = stack.directory / "crm.csv"
    file.write_text(as_csv(story.records[:middle]))
    imported = json.loads(stack.command("persons", "import", str(file), "--company", company_key, "--json"))
    posted = _post_changes(stack, company_key, story.records[middle:])
    with Steps(console) as steps:

        def look() -> dict[str, str] | None:
            found = asyncio.run(outcomes(stack.database_url, company_key, story.persons))
            settled = {person: status for person, status in found.items() if status in ("synced", "conflict")}
            steps.show(crm=(len(settled), len(story.persons)))
            return settled if len(settled) == len(story.persons) else None

        ended = _until(look, "the CRM's changes are not all at Vibes")
    conflicts = {person for person, status in ended.items() if status == "conflict"}
    wrong = set(disagreements(story, _lines(stack, f"/mobiledb?company_key={company_key}")))
    figures = {
        "changes": imported["accepted"] + posted,
        "calls": _call(stack, "GET", "/api-calls")["total"] - calls_before,
        "synced": len(ended) - len(conflicts),
        "conflicts": len(conflicts),
    }
    return figures, len(wrong | (conflicts ^ story.conflicts)) + (figures["changes"] != len(story.records))


def _post_changes(stack: Stack, company_key: str, records: list[dict[str, Any]]) -> int:
    """Send changes to ingest, as NDJSON; return how many it accepted."""
    headers = {
        "Authorization": f"Bearer {stack.companies[company_key].crm_token}",
        "Content-Type": "application/x-ndjson",
    }
    body = "\n".join(json.dumps(record) for record in records).encode()
    request = Request(f"{stack.crm_url}?results=refused", body, headers)  # noqa: S310 - ingest's URL, on loopback
    with urlopen(request, timeout=60) as response:  # noqa: S310
        return int(json.load(response)["accepted"])


def _echoes(stack: Stack) -> list[dict[str, Any]]:
    """Wait until the callbacks of what was written through the API are delivered; return their figures."""

    def look() -> list[dict[str, Any]] | None:
        with _open(stack, "GET", "/companies") as response:
            figures = [company["echoes"] for company in json.load(response)]
        ended = sum(each["acknowledged"] + each["lost"] + each["gave_up"] for each in figures)
        return figures if ended == sum(each["planned"] for each in figures) else None

    return _until(look, "the simulator has not sent all echoes")


_OUTCOMES = ("applied", "duplicates", "quarantined", "dead_lettered")


def _follow(stack: Stack, runs: list[str], console: Console) -> list[dict[str, Any]]:
    """Show how far the runs are until they are finished; return their figures."""
    with Steps(console) as steps:

        def look() -> list[dict[str, Any]] | None:
            figures = [_call(stack, "GET", f"/runs/{run}") for run in runs]
            planned, done = (sum(run[name] for run in figures) for name in ("planned", "acknowledged"))
            steps.show(sending=(done, planned))
            return figures if all(run["state"] != "running" for run in figures) else None

        figures = _until(look, "the simulator has not sent everything")
    for run in figures:
        if run["state"] != "finished":
            raise ServiceError(f"the simulator's run ended as {run['state']}: {run}")
    return figures


def _wait_until_drained(stack: Stack, receipts: list[str], console: Console) -> dict[str, Any]:
    """Wait until every receipt is dealt with and no person is due; return the audit."""
    receipts_file = stack.directory / "receipts.txt"
    receipts_file.write_text("\n".join(receipts))
    with Steps(console) as steps:

        def look() -> dict[str, Any] | None:
            status = json.loads(stack.command("status", "--json"))
            dealt_with = sum(account[name] for account in status["accounts"] for name in _OUTCOMES)
            persons: Counter[str] = Counter()
            for row in status["person_syncs"]:
                persons[row["status"]] += row["persons"]
            due = persons["pending"] + persons["postponed"]
            steps.show(
                applying=(min(dealt_with, len(receipts)), len(receipts)),
                person_sync=(persons.total() - due, persons.total()),
            )
            waiting = sum(queue["messages"] or 0 for queue in status["queues"])
            return status if dealt_with >= len(receipts) and not due and not waiting else None

        _until(look, "the pipeline has not drained")
    audit = stack.command("audit", "--json", "--receipts", str(receipts_file), check=False)
    return dict(json.loads(audit))


def _lost(ledger: Iterable[dict[str, Any]], audit: dict[str, Any]) -> int:
    """Count events that never got through, and acknowledged deliveries that are nowhere or not where they should be."""
    never = sum(1 for entry in ledger if entry["state"] != "acknowledged")
    return never + len(audit["receipts"]["missing"]) + len(audit["receipts"]["inconsistent"])


async def _not_applied_once(database_url: str, ledger: list[dict[str, Any]]) -> int:
    """Count the events with an id that are not in the event log exactly once."""
    wanted = [entry for entry in ledger if entry["kind"] in ("event", "documented")]
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(
            "SELECT company_key, callback_type, event_id, count(*) AS times FROM callback_events "
            "GROUP BY company_key, callback_type, event_id"
        )
    finally:
        await connection.close()
    times = {(row["company_key"], row["callback_type"], row["event_id"]): row["times"] for row in rows}
    keys = ((entry["company_key"], entry["callback_type"], entry["event_id"]) for entry in wanted)
    return len(wanted) - [times.get(key) for key in keys].count(1)


def _bad_answers(figures: Iterable[dict[str, Any]]) -> int:
    answers: Counter[str] = Counter()
    for run in figures:
        answers.update(run["answers"])
    return sum(count for answer, count in answers.items() if answer not in ("200", "202", "503"))


def _person_api(calls: dict[str, Any]) -> dict[str, int]:
    statuses: Counter[str] = Counter()
    for call in calls["calls"]:
        statuses[call["status"]] += call["count"]
    succeeded = sum(count for status, count in statuses.items() if status.startswith("2"))
    return {
        "calls": calls["total"],
        "succeeded": succeeded,
        "failed": calls["total"] - succeeded,
        "rate_limited": calls["rate_limited"],
    }


def _until(look: Callable[[], Result | None], problem: str) -> Result:
    """Look until there is a result. Raises ServiceError with `problem` when that takes too long."""
    deadline = time.monotonic() + _DRAIN_SECONDS
    while (result := look()) is None:
        if time.monotonic() > deadline:
            raise ServiceError(f"{problem} after {_DRAIN_SECONDS:g} s")
        time.sleep(_LOOK_SECONDS)
    return result


def _call(stack: Stack, method: str, path: str, body: object = None) -> dict[str, Any]:
    with _open(stack, method, path, body) as response:
        return dict(json.load(response))


def _lines(stack: Stack, path: str) -> list[dict[str, Any]]:
    with _open(stack, "GET", path) as response:
        return [json.loads(line) for line in response]


def _open(stack: Stack, method: str, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(  # noqa: S310 - the simulator's URL, on loopback
        f"{stack.simulator_url}/_simulator{path}", data, {"Content-Type": "application/json"}, method=method
    )
    return urlopen(request, timeout=30)  # noqa: S310


def _print(console: Console, report: Report, divergences: list[Divergence]) -> None:
    table = Table(title="What came of it", title_justify="left", title_style="bold")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in asdict(report).items():
        for label, figure in value.items() if isinstance(value, dict) else [("", value)]:
            table.add_row(f"{name} {label}".strip().replace("_", " "), str(figure))
    console.print(table)
    for divergence in divergences[:10]:
        console.print(f"differs: {divergence}", markup=False)
