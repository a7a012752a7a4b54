"""Who makes room, and what unfinished headers may hold."""

import asyncio
import resource
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from ingest import connections
from ingest.connections import Connections, affordable
from runtime import metrics


@dataclass(eq=False)
class Caller:
    """A connection; `in_use` while somebody waits for an answer on it."""

    opened_at: float = 0.0
    answered: bool = False
    in_use: bool = False
    bounds: Connections | None = None
    is_cut: bool = field(default=False, init=False)

    @property
    def is_spare(self) -> bool:
        return not self.in_use

    @property
    def worth(self) -> tuple[bool, float]:
        return (self.answered, self.opened_at)

    def cut(self) -> None:
        self.is_cut = True
        if self.bounds:
            self.bounds.closed(self)


def opened(bounds: Connections, *callers: Caller) -> list[Caller]:
    """Open a connection for each, and return them."""
    for caller in callers:
        caller.bounds = bounds
        bounds.opened(caller)
    return list(callers)


class TestRoom:
    def test_up_to_the_limit_nobody_is_cut(self) -> None:
        callers = opened(Connections(3), *(Caller(n) for n in range(3)))
        assert not any(caller.is_cut for caller in callers)

    def test_of_those_never_answered_the_oldest_makes_room(self) -> None:
        old, young, newest = opened(Connections(2), Caller(1.0), Caller(2.0), Caller(3.0))
        assert (old.is_cut, young.is_cut, newest.is_cut) == (True, False, False)

    def test_who_was_answered_before_stays_longer_than_who_never_asked(self) -> None:
        known, silent, _ = opened(Connections(2), Caller(1.0, answered=True), Caller(2.0), Caller(3.0))
        assert (known.is_cut, silent.is_cut) == (False, True)

    def test_of_those_answered_before_the_one_quiet_for_longest_makes_room(self) -> None:
        recent, quiet, _ = opened(Connections(2), Caller(5.0, answered=True), Caller(1.0, answered=True), Caller(6.0))
        assert (recent.is_cut, quiet.is_cut) == (False, True)

    def test_nobody_who_waits_for_an_answer_is_cut(self) -> None:
        first, second, newest = opened(Connections(2), Caller(1.0, in_use=True), Caller(2.0, in_use=True), Caller(3.0))
        assert (first.is_cut, second.is_cut, newest.is_cut) == (False, False, True)

    def test_who_began_a_request_after_it_was_picked_stays(self) -> None:
        bounds = Connections(40)  # so that two are picked at a time
        callers = opened(bounds, *(Caller(float(n)) for n in range(41)))
        assert callers[0].is_cut
        callers[1].in_use = True
        opened(bounds, Caller(99.0))
        assert (callers[1].is_cut, callers[2].is_cut) == (False, True)

    def test_who_has_left_makes_room_by_that(self) -> None:
        bounds = Connections(2)
        first, second = opened(bounds, Caller(1.0), Caller(2.0))
        bounds.closed(first)
        opened(bounds, Caller(3.0))
        assert not second.is_cut

    def test_a_storm_of_new_connections_never_holds_more_than_the_limit(self) -> None:
        bounds = Connections(50)
        callers = opened(bounds, *(Caller(float(n)) for n in range(500)))
        assert sum(not caller.is_cut for caller in callers) == 50
        assert not any(caller.is_cut for caller in callers[-50:]), "the newest are those that may be about to ask"

    def test_cuts_are_counted(self) -> None:
        counter = metrics.INGEST_CONNECTIONS_CUT.labels("no_room")
        before = counter._value.get()
        opened(Connections(1), Caller(1.0), Caller(2.0))
        assert counter._value.get() == before + 1


class TestUnfinishedHeaders:
    async def test_they_hold_so_many_bytes_at_most_and_the_oldest_go(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connections, "_MOST_UNFINISHED_BYTES", 100)
        bounds = Connections(9)
        old, young = opened(bounds, Caller(1.0), Caller(2.0))
        bounds.unfinished(old, 60)
        bounds.unfinished(young, 40)
        assert not old.is_cut
        bounds.unfinished(young, 1)
        assert (old.is_cut, young.is_cut) == (True, False)

    async def test_what_was_finished_counts_no_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connections, "_MOST_UNFINISHED_BYTES", 100)
        bounds = Connections(9)
        first, second = opened(bounds, Caller(1.0), Caller(2.0))
        for caller in (first, second, first, second):
            bounds.unfinished(caller, 90)
            bounds.finished(caller)
        assert not first.is_cut
        assert not second.is_cut

    async def test_who_takes_too_long_is_cut_and_who_only_just_began_is_not(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "_HEADER_SECONDS", 0.15)
        monkeypatch.setattr(connections, "_TICK_SECONDS", 0.01)
        bounds = Connections(9)
        slow, begun = opened(bounds, Caller(1.0), Caller(2.0))
        bounds.unfinished(slow, 1)
        async with asyncio.timeout(10):
            while not slow.is_cut:
                bounds.finished(begun)
                bounds.unfinished(begun, 1)
                bounds.unfinished(slow, 1)  # one byte after the other does not help
                await asyncio.sleep(0.01)
        assert not begun.is_cut


class TestOpenFiles:
    @pytest.fixture
    def limits(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
        """The process's limits on open files, soft and hard; the last one counts."""
        limits = [(1_024, 20_000)]
        monkeypatch.setattr(resource, "getrlimit", lambda _kind: limits[-1])
        monkeypatch.setattr(resource, "setrlimit", lambda _kind, limit: limits.append(limit))
        return limits

    def test_the_limit_is_raised_as_far_as_needed(self, limits: list[tuple[int, int]]) -> None:
        assert affordable(10_000) == 10_000
        assert limits[-1] == (10_100, 20_000)

    def test_a_limit_that_is_high_enough_stays(self, limits: list[tuple[int, int]]) -> None:
        assert affordable(500) == 500
        assert len(limits) == 1

    def test_where_the_system_allows_fewer_somebody_is_told(self, limits: list[tuple[int, int]]) -> None:
        limits.append((1_024, 4_096))
        with capture_logs() as lines:
            assert affordable(10_000) == 3_996
        assert [line["event"] for line in lines] == ["ingest.fewer_connections"]

    def test_no_limit_is_left_alone(self, limits: list[tuple[int, int]]) -> None:
        limits.append((resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert affordable(10_000) == 10_000
        assert len(limits) == 2
