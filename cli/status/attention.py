"""What somebody has to look at, in words, with what to do. Pure."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from operator import not_

from cli.status.figures import as_count, as_duration
from cli.status.gather import Status
from cli.status.processes import Process

_SETTLED = timedelta(seconds=10)
"""So long after the last batch nothing is on its way any more, when no queue holds anything."""
_LONG_SECONDS = 600.0
"""A sync that Vibes takes is over in seconds, one that it refuses for now in a quarter of an hour at most."""
_LAG_SECONDS = 60.0
_RENEW_SECONDS = 14 * 86400.0

_WRONG: tuple[tuple[str, Callable[[float], bool], str], ...] = (
    ("vibes_apply_poison_storm", bool, "{name}: a poison storm of {what}; see dead-letters list"),
    ("vibes_broker_connected", not_, "{name}: no connection to RabbitMQ ({use})"),
    ("vibes_postgres_connected", not_, "{name}: Postgres did not answer"),
    ("vibes_apply_oldest_unapplied_seconds", _LAG_SECONDS.__lt__, "{name}: its oldest callback waits for {value}"),
    ("vibes_person_api_paused", bool, "{company_key}: Vibes refuses the credentials; calls rest"),
    ("vibes_person_api_circuit_open", bool, "{company_key}: the Person API fails; {name} rests its calls"),
)
"""What a metric must not be, and what to say then."""


def attention(status: Status) -> list[str]:
    """Return what needs it, the worst first. Empty: all is well, as far as could be asked."""
    return [
        *status.problems,
        *_missing(status),
        *(line for process in status.processes for line in _of_process(process, status)),
        *_queues(status),
        *_backlog(status),
        *_dead_letters(status),
    ]


def _missing(status: Status) -> Iterator[str]:
    waiting = any(depth.messages for depth in status.queues) or not status.queues
    settled = status.last_applied_at is not None and status.at - status.last_applied_at > _SETTLED
    if waiting or not settled:
        return
    for account in status.accounts:
        if account.missing:
            yield f"{account.company_key}: missing acknowledged callbacks: {as_count(account.missing)}; see audit"


def _of_process(process: Process, status: Status) -> Iterator[str]:
    name = f"{process.part} at {process.address}" if process.part else process.address
    if process.problem is not None:
        yield f"{name} is not ready: {process.problem}" if process.part else f"{name} {process.problem}"
    for metric, is_wrong, words in _WRONG:
        for labels, value in process.samples.of(metric):
            if is_wrong(value):
                yield words.format(name=name, value=as_duration(value), **labels)
    for labels, value in process.samples.of("vibes_tls_certificate_expiry_timestamp_seconds"):
        left = value - status.at.timestamp()
        if left < _RENEW_SECONDS:
            yield f"{name}: the certificate of {labels['file_of']} {_ends_in(left)}"


def _ends_in(seconds: float) -> str:
    return f"ends in {as_duration(seconds)}" if seconds > 0 else "has ended"


def _queues(status: Status) -> Iterator[str]:
    for depth in status.queues:
        if depth.messages is None:
            yield f"the queue {depth.queue} is not there; run: vibes-pipeline declare"
        elif depth.messages and not depth.consumers:
            yield f"nobody consumes {depth.queue}; messages that wait: {as_count(depth.messages)}"


def _backlog(status: Status) -> Iterator[str]:
    for row in status.sync_backlog:
        company_key = row["company_key"]
        if row["oldest_pending_seconds"] > _LONG_SECONDS:
            waits = as_duration(row["oldest_pending_seconds"])
            yield f"{company_key}: a sync waits for {waits}; is person-sync running?"
        if row["conflicts"]:
            yield f"{company_key}: conflicts with Vibes: {as_count(row['conflicts'])}; see conflicts list"


def _dead_letters(status: Status) -> Iterator[str]:
    if letters := sum(row["letters"] for row in status.dead_letters):
        yield f"open dead letters: {as_count(letters)}; see dead-letters list --group"
