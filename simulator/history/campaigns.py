"""The ways onto a list, and how long those stay who came by each. Pure."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from math import log
from typing import Final

from simulator.mobiledb import MobileDB
from simulator.model import Campaign, Participation, Person


@dataclass(frozen=True, slots=True)
class Way:
    """A kind of acquisition campaign. Half of those who come by it leave within `half_days` of their own accord.

    `share` is of all sign-ups; `confirms` and `declines` are the shares of answers to a double opt-in, the rest never
    answers. Without a `keyword` people join through an API.
    """

    keyword: str | None
    description: str
    share: float
    half_days: float
    confirms: float | None = None
    declines: float = 0.0

    @property
    def double_opt_in(self) -> bool:
        """Whether people have to confirm."""
        return self.confirms is not None


WAYS: Final = (
    Way("JOIN", "Text to join, in store", 0.34, 420.0, 0.86, 0.04),
    Way("SAVE10", "Ten percent off, social media", 0.30, 75.0),
    Way("RADIO", "Radio spot", 0.12, 190.0, 0.62, 0.10),
    Way(None, "Web form", 0.18, 300.0, 0.74, 0.06),
    Way("VIP", "Loyalty card at the till", 0.06, 900.0),
)
SHARES: Final = tuple(accumulate(way.share for way in WAYS))
"""Of the sign-ups, in the order of the ways, added up."""
_SHAPE: Final = 0.7
"""Of the Weibull distribution: below 1, because the longer somebody has stayed the less likely they are to leave."""


def open_campaigns(db: MobileDB, list_id: str, number: int, now: datetime) -> list[tuple[Way, Campaign]]:
    """Open the campaigns of the number-th list; keywords of later lists carry its number."""
    opened = []
    for place, way in enumerate(WAYS):
        serial = number * len(WAYS) + place
        keyword = f"{way.keyword or 'WEB'}{number + 1 if number else ''}"
        campaign = Campaign(
            acquisition_id=f"ACQ{1000 + serial}",
            campaign_id=f"C{1323542 + serial}",
            description=f"{way.description} ({db.stays.lists[list_id].name})",
            keyword=keyword,
            list_id=list_id,
            double_opt_in=way.double_opt_in,
            start_date=now,
        )
        db.campaigns.add(campaign)
        opened.append((way, campaign))
    return opened


def lifetime(way: Way, rng: random.Random) -> timedelta:
    """Draw how long somebody who came this way stays, if nothing drives them away before: a minute at least."""
    scale = way.half_days / log(2) ** (1 / _SHAPE)
    return timedelta(minutes=1) + timedelta(days=min(scale * (-log(1 - rng.random())) ** (1 / _SHAPE), 36_500.0))


@dataclass(frozen=True, slots=True)
class Asked:
    """A participation, and the way it came about."""

    way: Way
    participation: Participation

    @property
    def person(self) -> Person:
        """Whose it is."""
        return self.participation.person
