"""Tells a history, day by day, as events in order of time."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate
from typing import Final, NamedTuple

from simulator.history import others, subscribers
from simulator.history.announcing import Told
from simulator.history.calendar import PROGRAMMES, Broadcast, Programme, broadcasts_of_day, closing, opening
from simulator.history.campaigns import open_campaigns
from simulator.history.seasons import busyness, time_of_day
from simulator.history.stage import HistoryStage
from simulator.scenario.others import rename_list, unmatched_message

_DAY: Final = timedelta(days=1)
_RENAMING_DAYS: Final = 40
_SIGN_UPS: Final = 0.62
"""Of what a day has room for beside what follows from the days before."""
_EVENTS_OF_SIGN_UP: Final = 4.8
_EVENTS_OF_OTHER: Final = 1.35


class Sent(NamedTuple):
    """A broadcast that was sent: no callback tells of it, only what people answer."""

    at: datetime
    list_id: str
    subscribers: int
    stopping: int


class Story:
    """A MobileDB that lives through a history. `stage` holds what it has come to, `sent` its broadcasts."""

    def __init__(self, stage: HistoryStage) -> None:
        self.stage = stage
        self.sent: list[Sent] = []
        self._told = 0
        for programme in PROGRAMMES:
            stage.plan(opening(programme, stage.spec), partial(self._open, programme))
            closes = closing(programme, stage.spec)
            if closes is not None:
                stage.plan(closes, partial(self._archive, programme))
        for number in range(1, stage.spec.days // _RENAMING_DAYS + 1):
            stage.plan(stage.spec.begin + _DAY * (_RENAMING_DAYS * number), self._rename)

    def tell(self) -> Iterator[Told]:
        """Yield exactly as many events as were asked for, in order of time; the MobileDB changes as they are taken."""
        spec = self.stage.spec
        days = [spec.begin + _DAY * number for number in range(spec.days)]
        so_far = list(accumulate(busyness(day, number / len(days)) for number, day in enumerate(days)))
        for day, share in zip(days, so_far, strict=True):
            self._plan_day(day, round(spec.events * share / so_far[-1]))
            while (act := self.stage.next_act(day + _DAY)) is not None:
                act()
                yield from self._take()
        yield from self._fill_up()

    def _plan_day(self, day: datetime, told_by_its_end: int) -> None:
        stage = self.stage
        for broadcast in broadcasts_of_day(day, stage.rng):
            stage.plan(broadcast.at, partial(self._broadcast, broadcast))
        room = max(0, told_by_its_end - self._told - stage.planned_before(day + _DAY))
        for act, share, cost in (
            (subscribers.sign_up, _SIGN_UPS, _EVENTS_OF_SIGN_UP),
            (others.happen, 1 - _SIGN_UPS, _EVENTS_OF_OTHER),
        ):
            for _ in range(int(room * share / cost + stage.rng.random())):
                stage.plan(time_of_day(day, stage.rng), partial(act, stage))

    def _take(self) -> list[Told]:
        told = self.stage.announcer.take()
        self._told += len(told)
        self.stage.room -= len(told)
        return told

    def _fill_up(self) -> Iterator[Told]:
        """Tell what is missing to the number asked for: messages of the last hours."""
        while self.stage.room:
            unmatched_message(self.stage, self.stage.room)
            yield from self._take()

    def _open(self, programme: Programme) -> None:
        stage = self.stage
        if stage.room < 1:
            return
        number, now = len(stage.list_ids), stage.tick()
        list_id = (str(1234 + number), f"ABC{12345 + number}", str(2**53 + 1 + 2 * number))[number % 3]
        which = stage.db.stays.add_list(list_id, programme.name)
        stage.list_ids[programme] = list_id
        stage.ways[list_id] = open_campaigns(stage.db, list_id, number, now)
        stage.announcer.subscription_list("subscription_list_added", which, now)

    def _rename(self) -> None:
        rename_list(self.stage, self.stage.room)

    def _archive(self, programme: Programme) -> None:
        stage = self.stage
        list_id = stage.list_ids.get(programme)
        if list_id is None or len(stage.db.stays.subscribers(list_id)) > stage.room:
            return
        now = stage.tick()
        for stay in stage.db.stays.archive(list_id, now):
            stage.announcer.opt_out(stay, now)

    def _broadcast(self, broadcast: Broadcast) -> None:
        list_id = self.stage.list_ids.get(broadcast.programme)
        if list_id is None or self.stage.db.stays.lists[list_id].archived:
            return
        subscribed = len(self.stage.db.stays.subscribers(list_id))
        self.sent.append(Sent(self.stage.now, list_id, subscribed, subscribers.broadcast(self.stage, broadcast)))
