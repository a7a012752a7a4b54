"""What the operations of a scenario share: the MobileDB, the clock, the people, the choices."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import exp, log
from typing import Final

from simulator.announcer import Announcer
from simulator.mobiledb import MobileDB
from simulator.model import Participation, Person, PersonPatch
from simulator.scenario import population
from simulator.times import MILLISECOND, MINUTE, SECOND, ceil_to

START: Final = datetime(2025, 3, 3, 8, 0, tzinfo=UTC)
"""When the first story of a company begins."""

_FLATTEN: Final = 9.0  # with 5,000 people the most active one has 1.5 % of the choices


class Stage:
    """The state of a story.

    `now` is the story's time. It moves with `tick` and strictly increases, so that the times of two operations
    on one person always tell which came first.
    """

    def __init__(self, db: MobileDB, rng: random.Random, start: datetime) -> None:
        self.db = db
        self.rng = rng
        self.announcer = Announcer(db.company_key, rng)
        self.now = start
        self.pool: list[Person] = list(db.persons)
        self.pending: list[Participation] = []
        self.devices: list[tuple[str, Person]] = []
        self.wallet_items: list[tuple[str, datetime]] = []
        self.usual_lists = 0
        self._newcomers = len(self.pool)

    def populate(self, persons: int, lists: int) -> None:
        """Have at least so many people and open lists. They were there before, so no event tells of them."""
        self.usual_lists = lists
        for _ in range(lists - len(self.db.stays.open_lists())):
            self.db.open_list(self.now)
        while len(self.pool) < persons:
            self.add_person(self.now - timedelta(minutes=self.rng.randrange(1, 500_000)))
        self.rng.shuffle(self.pool)

    def add_person(self, when: datetime | None = None) -> Person:
        """Make up a new person."""
        patch = self.free(lambda index: population.newcomer(index, self.rng))
        person = self.db.persons.create(patch, when or self.now, "scenario")
        self.pool.append(person)
        return person

    def free(self, make: Callable[[int], PersonPatch]) -> PersonPatch:
        """Return the next patch of a series whose identifiers nobody has."""
        while True:
            self._newcomers += 1
            patch = make(self._newcomers)
            if self.db.persons.is_free(patch):
                return patch

    def tick(self) -> datetime:
        """Let some time pass, and give the new time: often at a whole second, at times at a whole minute."""
        later = self.now + timedelta(milliseconds=self.rng.randrange(1, 3000))
        draw = self.rng.random()
        resolution = SECOND if draw < 0.6 else MINUTE if draw < 0.65 else MILLISECOND
        self.now = ceil_to(later, resolution)
        return self.now

    def tick_past(self, moment: datetime | None) -> datetime:
        """As `tick`, and until a moment, if at most a minute away, is past.

        A person may have been changed through the API, whose clock is the real one: the story does not follow it.
        """
        if moment is not None and self.now <= moment < self.now + MINUTE:
            self.now = moment
        return self.tick()

    def somebody(self) -> Person:
        """Choose a person by the Zipf-Mandelbrot law: a few are chosen very often, most hardly ever."""
        ratio = (len(self.pool) + _FLATTEN + 1) / (_FLATTEN + 1)
        rank = int((_FLATTEN + 1) * exp(self.rng.random() * log(ratio)) - (_FLATTEN + 1))
        return self.pool[min(rank, len(self.pool) - 1)]
