"""Requests are sent at their times whatever the answers do, and wait on the server's account."""

from array import array
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from benchmarks.load import sender as sender_module
from benchmarks.load.open_loop import _milliseconds, _result
from benchmarks.load.sender import Sender

if TYPE_CHECKING:
    from benchmarks.load.client import Connection

URL = "http://127.0.0.1:1/callbacks/key"
RATE = 10.0


class Clock:
    """Stands in for the module `time`: it goes on when told."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_000_000 + self.now


class FakeConnection:
    """Keeps what it is asked to send."""

    usable = True

    def __init__(self) -> None:
        self.number: int | None = None
        self.requests: list[bytes] = []

    def send(self, number: int, request: bytes) -> None:
        self.number = number
        self.requests.append(request)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(sender_module, "time", clock)
    return clock


def connected(bodies: int, connections: int) -> tuple[Sender, list[FakeConnection]]:
    """A sender whose schedule begins at 0, ten requests a second."""
    sender = Sender(URL, [b"%d" % number for number in range(bodies)], rate=RATE, connections=connections)
    fakes = [FakeConnection() for _ in range(connections)]
    sender._free.extend(cast("Connection", fake) for fake in fakes)
    return sender, fakes


def answer(sender: Sender, fake: FakeConnection, status: int = 202) -> None:
    sender._answered(cast("Connection", fake), status)


async def test_nothing_is_sent_before_its_time(clock: Clock) -> None:
    sender, fakes = connected(bodies=10, connections=5)
    clock.now = 0.25
    sender._send_due()
    assert sender.sent == 3
    assert [fake.number for fake in fakes] == [0, 1, 2, None, None]


async def test_a_request_carries_its_body(clock: Clock) -> None:
    sender, (fake,) = connected(bodies=1, connections=1)
    sender._send_due()
    assert fake.requests[0].startswith(b"POST /callbacks/key HTTP/1.1\r\nHost: 127.0.0.1:1\r\n")
    assert fake.requests[0].endswith(b"Content-Length: 1\r\n\r\n0")


async def test_a_request_without_a_free_connection_waits_and_its_latency_counts_from_its_time(clock: Clock) -> None:
    sender, (fake,) = connected(bodies=3, connections=1)
    sender._send_due()  # request 0, at 0.0
    clock.now = 0.5
    sender._send_due()  # 1 and 2 are due and wait
    assert (sender.sent, sender._due) == (1, 3)
    answer(sender, fake)
    clock.now = 0.6
    answer(sender, fake)
    clock.now = 0.7
    answer(sender, fake)
    assert list(sender.latencies) == pytest.approx([0.5, 0.5, 0.5])
    assert sender._finished.is_set()


async def test_only_2xx_are_acknowledged(clock: Clock) -> None:
    sender, (fake,) = connected(bodies=2, connections=1)
    sender._send_due()
    clock.now = 0.1
    answer(sender, fake, 503)
    answer(sender, fake, 202)
    assert sender.statuses == {503: 1, 202: 1}
    assert sender.acknowledged == [(1, 1_000_000.1)]


async def test_what_this_process_notices_late_is_told_apart(clock: Clock) -> None:
    sender, _ = connected(bodies=2, connections=2)
    clock.now = 0.15
    sender._send_due()
    assert list(sender.lateness) == pytest.approx([0.15, 0.05])


@pytest.mark.parametrize(("late_ms", "kept"), [(9.0, True), (11.0, False)])
def test_a_sender_that_was_late_says_that_it_did_not_keep_its_schedule(late_ms: float, kept: bool) -> None:
    sender = SimpleNamespace(
        latencies=array("d", [0.001, 0.002]),
        lateness=array("d", [late_ms / 1000] * 2),
        statuses={202: 2},
        acknowledged=[(0, 0.0), (1, 0.0)],
        sent=2,
        broken=0,
        sending_seconds=0.2,
    )
    result = _result(cast("Sender", sender), due=2, rate=RATE, seconds=0.2)
    assert (result.kept_schedule, result.achieved_rate, result.unanswered) == (kept, 10.0, 0)


def test_a_percentile_is_a_latency_that_was_measured() -> None:
    ordered = [number / 1000 for number in range(1, 101)]
    assert [_milliseconds(ordered, share) for share in (0.5, 0.99, 0.999, 1.0)] == [50.0, 99.0, 100.0, 100.0]
    assert _milliseconds([], 0.5) == 0.0
