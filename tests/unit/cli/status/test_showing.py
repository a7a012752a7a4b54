"""How a status is shown: tables on a terminal, a line or an object elsewhere."""

import json
from datetime import timedelta
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest
from rich.console import Console

from cli.accounts import Account
from cli.status.figures import as_bytes, as_duration, as_rate
from cli.status.gather import Status
from cli.status.plain import as_json, as_line
from cli.status.view import Looks, show
from runtime.queues import QueueDepth
from tests.unit.cli.status.told import NOW, apply_tells, process, well


def drawn(looks: Looks, width: int = 120) -> str:
    console = Console(width=width, file=StringIO(), color_system=None)
    with console.capture() as captured:
        console.print(show(looks))
    return captured.get()


@pytest.fixture
def looks() -> Looks:
    """Two looks with 100 callbacks in the two seconds between."""
    before = well(processes=[process(apply_tells('vibes_apply_callbacks_total{outcome="applied"} 10'))])
    before.at = NOW - timedelta(seconds=2)
    now = well(
        accounts=[Account("acme", acknowledged=111, applied=108, duplicates=2, missing=1)],
        queues=[QueueDepth("vibes.apply.0", 1234, 2), QueueDepth("vibes.crm", None, None)],
        dead_letters=[{"company_key": "acme", "stage": "decode", "reason": "not_json", "letters": 3}],
        person_api=[{"company_key": "acme", "calls": 7, "succeeded": 5, "rate_limited": 1, "failed": 2}],
        processes=[process(apply_tells('vibes_apply_callbacks_total{outcome="applied"} 110'))],
    )
    return Looks(now, before)


def test_people_see_what_needs_attention_before_all_tables(looks: Looks) -> None:
    lines = drawn(looks).splitlines()
    assert lines[0].startswith("vibes-pipeline status  2026-01-31 12:00:00 UTC")
    assert lines[1] == "! the queue vibes.crm is not there; run: vibes-pipeline declare"
    assert lines[2] == "! open dead letters: 3; see dead-letters list --group"
    tables = [line.split()[0] for before, line in pairwise(lines) if not before.strip()]
    assert tables == ["Callbacks", "Queues", "Person", "apply"]


def test_people_see_how_fast_things_go_when_there_was_a_look_before(looks: Looks) -> None:
    rows = {line.split()[0]: line.split() for line in drawn(looks).splitlines() if line.strip()}
    assert rows["vibes.apply.0"][1:] == ["1,234", "2"]
    assert rows["127.0.0.1:9200"][1] == "50"
    assert drawn(looks).count(" 50") == 2  # of the company, and of the process
    assert drawn(Looks(looks.now)).count(" 50") == 0


@pytest.mark.parametrize("width", [80, 100])
def test_nothing_is_lost_on_a_narrow_terminal(looks: Looks, width: int) -> None:
    text = drawn(looks, width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "1,234" in text


def test_a_pipeline_that_is_well_says_so() -> None:
    assert "nothing needs attention" in drawn(Looks(well()))


def test_a_line_has_the_most_telling_figures_and_what_needs_attention(looks: Looks) -> None:
    assert as_line(looks) == (
        "2026-01-31T12:00:00Z acknowledged=111 applied=108 applied_per_second=50 missing=1 messages=1234 "
        "dead_letters_open=3 syncs_pending=0 conflicts=0 attention=the queue vibes.crm is not there; "
        "run: vibes-pipeline declare; open dead letters: 3; see dead-letters list --group"
    )


def test_a_line_says_what_could_not_be_asked() -> None:
    blind = Status(NOW, problems=["DATABASE_URL: Postgres cannot be reached", "AMQP_URL: RabbitMQ cannot be reached"])
    figures = dict(each.split("=") for each in as_line(Looks(blind)).split(" attention=")[0].split()[1:])
    assert set(figures.values()) == {"-"}


def test_programs_get_all_of_it_with_the_names_of_old(looks: Looks) -> None:
    text = as_json(looks, indent=False)
    told: dict[str, Any] = json.loads(text)
    assert "\n" not in text
    assert told["accounts"][0]["applied"] == 108
    assert told["queues"][0] == {"queue": "vibes.apply.0", "messages": 1234, "consumers": 2}
    assert told["person_api"][0]["rate_limited"] == 1
    assert told.keys() >= {"last_received_at", "last_applied_at", "person_syncs", "dead_letters", "problems"}
    (about,) = told["processes"]
    assert (about["part"], about["version"], about["ready"]) == ("apply", "1.2.3", True)
    assert about["figures"]["callbacks_per_second"] == 50.0
    assert about["figures"]["transaction_p99_seconds"] is None
    assert told["attention"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 ms"),
        (0.00123, "1.2 ms"),
        (0.25, "250 ms"),
        (3.21, "3.2 s"),
        (75, "75 s"),
        (600, "10 min"),
        (5400, "90 min"),
        (86400, "24 h"),
        (864000, "10 d"),
    ],
)
def test_times_are_told_in_the_unit_that_suits_them(seconds: float, shown: str) -> None:
    assert as_duration(seconds) == shown


def test_few_a_second_have_a_decimal() -> None:
    assert (as_rate(0), as_rate(0.25), as_rate(1234.5), as_bytes(2**27)) == ("0", "0.2", "1,234", "128 MiB")
