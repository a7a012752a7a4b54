"""What is shown first at 3 a.m.: all that somebody has to look at, and nothing else."""

from datetime import timedelta
from typing import Any

import pytest

from cli.accounts import Account
from cli.status.attention import attention
from cli.status.processes import Process
from runtime.queues import QueueDepth
from tests.unit.cli.status.told import NOW, apply_tells, process, well

MISSING = [Account("acme", acknowledged=12, applied=10, missing=2)]


def backlog(**changed: Any) -> list[dict[str, Any]]:
    return [{**well().sync_backlog[0], **changed}]


def metric(line: str) -> list[Process]:
    return [process(apply_tells(line))]


def certificate(left: timedelta) -> list[Process]:
    ends = (NOW + left).timestamp()
    return metric(f'vibes_tls_certificate_expiry_timestamp_seconds{{file_of="rabbitmq"}} {ends}')


def test_a_pipeline_that_is_well_needs_none() -> None:
    assert attention(well()) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"problems": ["AMQP_URL: RabbitMQ cannot be reached (x)"]}, "AMQP_URL: RabbitMQ cannot be reached (x)"),
        ({"accounts": MISSING}, "acme: missing acknowledged callbacks: 2; see audit"),
        ({"queues": [QueueDepth("q", 1200, 0)]}, "nobody consumes q; messages that wait: 1,200"),
        ({"queues": [QueueDepth("q", None, None)]}, "the queue q is not there; run: vibes-pipeline declare"),
        ({"dead_letters": [{"letters": 2}, {"letters": 1}]}, "open dead letters: 3; see dead-letters list --group"),
        ({"sync_backlog": backlog(conflicts=4)}, "acme: conflicts with Vibes: 4; see conflicts list"),
        (
            {"sync_backlog": backlog(pending=9, oldest_pending_seconds=1800.0)},
            "acme: a sync waits for 30 min; is person-sync running?",
        ),
        (
            {"processes": [process(apply_tells(), ready=False, problem="draining")]},
            "apply at http://127.0.0.1:9200 is not ready: draining",
        ),
        (
            {"processes": [Process("http://x:1", problem="cannot be asked (TimeoutError)")]},
            "http://x:1 cannot be asked (TimeoutError)",
        ),
        (
            {"processes": metric('vibes_apply_poison_storm{what="callbacks"} 1')},
            "apply at http://127.0.0.1:9200: a poison storm of callbacks; see dead-letters list",
        ),
        (
            {"processes": metric('vibes_broker_connected{use="publish"} 0')},
            "apply at http://127.0.0.1:9200: no connection to RabbitMQ (publish)",
        ),
        (
            {"processes": metric("vibes_postgres_connected 0")},
            "apply at http://127.0.0.1:9200: Postgres did not answer",
        ),
        (
            {"processes": [process("vibes_apply_oldest_unapplied_seconds 61.5\n")]},
            "apply at http://127.0.0.1:9200: its oldest callback waits for 62 s",
        ),
        (
            {"processes": metric('vibes_person_api_paused{company_key="acme"} 1')},
            "acme: Vibes refuses the credentials; calls rest",
        ),
        (
            {"processes": metric('vibes_person_api_circuit_open{company_key="acme"} 1')},
            "acme: the Person API fails; apply at http://127.0.0.1:9200 rests its calls",
        ),
        (
            {"processes": certificate(timedelta(days=3))},
            "apply at http://127.0.0.1:9200: the certificate of rabbitmq ends in 3 d",
        ),
        (
            {"processes": certificate(timedelta(hours=-1))},
            "apply at http://127.0.0.1:9200: the certificate of rabbitmq has ended",
        ),
    ],
)
def test_each_trouble_is_told_in_a_line(changed: dict[str, Any], said: str) -> None:
    assert attention(well(**changed)) == [said]


@pytest.mark.parametrize(
    "changed",
    [
        {"queues": [QueueDepth("q", 1200, 1)]},
        {"accounts": MISSING, "queues": [QueueDepth("q", 1, 1)]},
        {"accounts": MISSING, "last_applied_at": NOW - timedelta(seconds=2)},
        {"accounts": MISSING, "queues": []},
        {"sync_backlog": backlog(pending=100_000, oldest_pending_seconds=20.0)},
        {"processes": certificate(timedelta(days=30))},
        {"processes": metric('vibes_tls_certificate_expiry_timestamp_seconds{file_of="postgres"} NaN')},
        {"processes": metric('vibes_broker_connected{use="publish"} 1')},
    ],
    ids=["consumed", "on their way", "just now", "queues unknown", "a backlog", "valid", "unreadable", "connected"],
)
def test_what_goes_its_way_is_no_trouble(changed: dict[str, Any]) -> None:
    assert attention(well(**changed)) == []
