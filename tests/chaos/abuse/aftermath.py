"""What is left behind once everything has been sent: in the database, in the logs, in the processes."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.request import urlopen
from uuid import UUID

import asyncpg
import psutil

from deploy.local.stack import Part, Stack
from tests.chaos.abuse.judge import Verdicts

_DRAIN_SECONDS = 120.0
_LOOK_SECONDS = 0.5
_OURS = ("internal_error", "refused_by_database")
"""Reasons of dead letters that mean a mistake of the pipeline's: what was read must be storable."""
_FOR_GOOD_REASON = ("ProgramLimitExceededError",)
"""An id that is longer than an index of PostgreSQL takes: such an event is kept, but cannot be applied."""
_RECEIPTS_A_QUERY = 5_000


class Watch:
    """Keeps an eye on processes: the largest resident set of each, in MiB, and the processor time it took."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._processes = {part.name: psutil.Process(part.process.pid) for part in parts}
        self.most: dict[str, float] = dict.fromkeys(self._processes, 0.0)
        self.cpu_seconds: dict[str, float] = dict.fromkeys(self._processes, 0.0)

    async def run(self) -> None:
        """Look at them until cancelled."""
        while True:
            for name, process in self._processes.items():
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    self.most[name] = max(self.most[name], process.memory_info().rss / 2**20)
                    self.cpu_seconds[name] = sum(process.cpu_times()[:2])
            await asyncio.sleep(_LOOK_SECONDS / 2)


def connections_cut(stack: Stack) -> dict[str, int]:
    """Return how many connections ingest has cut, by reason."""
    with urlopen(stack.metrics_url("ingest"), timeout=10) as response:  # noqa: S310 - a loopback URL of ours
        text = response.read().decode()
    cut = re.findall(r'^vibes_ingest_connections_cut_total\{reason="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {reason: int(float(count)) for reason, count in cut}


def note_ended(stack: Stack, verdicts: Verdicts) -> None:
    """Find the parts that ended."""
    for part in stack.parts.values():
        if (code := part.process.poll()) is not None:
            verdicts.note(f"{part.name} ended with exit code {code}")


async def audit(stack: Stack, receipts: Iterable[str], verdicts: Verdicts) -> dict[str, Any]:
    """Wait until the queues are empty, and have the pipeline account for every receipt."""
    file = stack.directory / "abuse-receipts.txt"
    file.write_text("".join(f"{receipt}\n" for receipt in receipts))
    deadline = time.monotonic() + _DRAIN_SECONDS
    while True:
        status = json.loads(await asyncio.to_thread(stack.command, "status", "--json"))
        waiting = {queue["queue"]: queue["messages"] for queue in status["queues"] if "person" not in queue["queue"]}
        if not any(waiting.values()):
            break
        if time.monotonic() > deadline:
            verdicts.note(f"the queues are not empty after {_DRAIN_SECONDS:g} s: {waiting}")
            break
        await asyncio.sleep(_LOOK_SECONDS)
    command = ("audit", "--json", "--receipts", str(file))
    account = dict(json.loads(await asyncio.to_thread(stack.command, *command, check=False)))
    checked = account["receipts"]
    if not account["ok"] or account["missing"] or checked["missing"] or checked["inconsistent"]:
        verdicts.note(
            f"the audit: {account['missing']} callbacks missing, {len(checked['missing'])} receipts missing, "
            f"{len(checked['inconsistent'])} inconsistent"
        )
    return account


async def compare_stored(stack: Stack, verdicts: Verdicts) -> int:
    """Hold what could not be read, byte for byte, against what was sent, and look for mistakes of the pipeline's own.

    Returns how many bodies were compared. What could be read is stored as JSON, not byte for byte.
    """
    connection = await asyncpg.connect(stack.database_url)
    try:
        compared = 0
        known = [(receipt, body) for receipt, (_, body) in verdicts.receipts.items() if body is not None]
        for start in range(0, len(known), _RECEIPTS_A_QUERY):
            compared += await _compare(connection, dict(known[start : start + _RECEIPTS_A_QUERY]), verdicts)
        rows = await connection.fetch(
            "SELECT reason, coalesce(detail, '') AS detail, count(*) AS times, min(body) AS body FROM dead_letters "
            "WHERE reason = ANY($1) GROUP BY 1, 2",
            list(_OURS),
        )
    finally:
        await connection.close()
    for row in rows:
        if row["detail"] not in _FOR_GOOD_REASON:
            problem = f"{row['times']} dead letters {row['reason']} ({row['detail']})"
            verdicts.note(f"{problem}, for instance {bytes(row['body'])[:600]!r}")
    return compared


async def _compare(connection: asyncpg.Connection, sent: Mapping[str, bytes], verdicts: Verdicts) -> int:
    receipts = [receipt.split("/") for receipt in sent]
    rows = await connection.fetch(
        "SELECT message_id, position, body FROM dead_letters "
        "JOIN unnest($1::uuid[], $2::integer[]) AS wanted (message_id, position) USING (message_id, position)",
        [UUID(message_id) for message_id, _ in receipts],
        [int(position) for _, position in receipts],
    )
    for row in rows:
        receipt = f"{row['message_id']}/{row['position']}"
        if bytes(row["body"]) != sent[receipt]:
            verdicts.note(f"{receipt}: stored is not what was sent: {sent[receipt][:200]!r}, {row['body'][:200]!r}")
    return len(rows)


def read_logs(stack: Stack, secrets: Iterable[str], verdicts: Verdicts) -> dict[str, int]:
    """Find what must not be in a log: errors, tracebacks, keys and tokens.

    Returns how often ingest refused, by status and reason.
    """
    refusals: Counter[str] = Counter()
    for name, part in stack.parts.items():
        text = part.log_file.read_text(errors="replace")
        for secret in secrets:
            if secret in text:
                verdicts.note(f"the log of {name} shows a key or a token")
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"level": "error", "event": line[:300]}
            if entry.get("event") == "ingest.refused":
                refusals[f"{entry['status']} {entry['reason']}"] += entry["count"]
            if entry.get("level") in ("error", "critical") and entry.get("event") != "apply.batch_refused":
                told = str(entry.get("exception", ""))[-600:]
                verdicts.note(f"the log of {name} has an error: {entry.get('event')} {told}".strip())
    return dict(refusals.most_common())
