"""What is planned for the lists: when each opens, what is sent to it, and when it is archived. Pure."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from simulator.history.spec import HistorySpec


@dataclass(frozen=True, slots=True)
class Programme:
    """One list's year: it opens and closes when these shares of the history are over (None: it stays).

    `popularity` is beside the other lists; `weekdays` (0 is Monday) are those of its broadcasts, and `annoyance` the
    share of subscribers whom one makes leave.
    """

    name: str
    popularity: float
    annoyance: float
    weekdays: tuple[int, ...]
    opens: float = 0.0
    closes: float | None = None


PROGRAMMES: Final = (
    Programme("Sales & Offers", 1.00, 0.0040, (1, 4)),
    Programme("Store Openings", 0.25, 0.0015, (2,), closes=0.62),
    Programme("Événements d'été", 0.40, 0.0030, (3,)),
    Programme("Flash Deals 📣", 0.70, 0.0110, (0, 3, 5), opens=0.18),
    Programme("毎週のお知らせ", 0.20, 0.0008, (4,), opens=0.35),
    Programme("Back to School", 0.45, 0.0060, (1, 3), opens=0.42, closes=0.85),
    Programme("VIP Club", 0.35, 0.0012, (2,), opens=0.68),
)


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A message to everybody on a list, and how its programme's annoyance is exceeded or not reached this time."""

    at: datetime
    programme: Programme
    annoyance: float


def opening(programme: Programme, spec: HistorySpec) -> datetime:
    """Return when its list opens: at nine in the morning of New York, but for those that are there from the start."""
    return spec.begin + timedelta(days=int(spec.days * programme.opens), hours=14 if programme.opens else 0)


def closing(programme: Programme, spec: HistorySpec) -> datetime | None:
    """Return when its list is archived, at noon UTC."""
    if programme.closes is None:
        return None
    return spec.begin + timedelta(days=int(spec.days * programme.closes), hours=12)


def broadcasts_of_day(day: datetime, rng: random.Random) -> list[Broadcast]:
    """Return what is sent on a day, to lists that may not be open: more before Christmas, and some of it a nuisance."""
    sent = []
    for programme in PROGRAMMES:
        every_day = (day.month, day.day) >= (11, 20) and (day.month, day.day) < (12, 24) and rng.random() < 0.3
        if day.weekday() in programme.weekdays or every_day:
            factor = rng.lognormvariate(0, 0.4) * (4 if rng.random() < 0.04 else 1)
            at = day + timedelta(hours=rng.choice((15, 16, 17, 18, 22)), minutes=rng.choice((0, 0, 0, 30)))
            sent.append(Broadcast(at, programme, min(0.25, programme.annoyance * factor)))
    return sent
