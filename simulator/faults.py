"""Faults on demand: what goes wrong with the next call of the platform API. Pure, and seeded."""

import random
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from simulator.config import FaultSettings


class Fault(Enum):
    """One thing that can go wrong with a call."""

    ERROR = auto()
    TOO_MANY_REQUESTS = auto()
    HANG = auto()
    RESET = auto()
    WRONG_BODY = auto()


WRONG_BODIES: Final = (
    b"",
    b"<html><body><h1>Please wait</h1></body></html>",
    b'{"person_key": "half of it',
    b'{"person_key": "\xff\xfe"}',
    b'"OK"',
    b"[[]]",
    b"[" * 100_000,
    b'{"errors": null}',
    b'{"person_key": [], "person_id": {}, "mobile_phone": "none", "custom_fields": ["first_name"]}',
)
"""What proxies, maintenance pages and mistakes answer in the place of a record; some of it is JSON."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """What happens to one call: a delay in seconds, and at most one fault.

    `status` is that of an error, `body` a wrong one.
    """

    delay: float
    fault: Fault | None
    status: int
    body: bytes


class Faults:
    """Draws a mishap for each call, by settings that can be replaced at any time."""

    def __init__(self, settings: FaultSettings, rng: random.Random) -> None:
        self.settings = settings
        self._rng = rng

    def draw(self) -> Mishap:
        """Draw the fate of the next call. Faults exclude each other; a delay may come on top."""
        settings = self.settings
        delay = settings.latency_seconds if self._rng.random() < settings.latency_rate else 0.0
        status = 500 if self._rng.random() < 0.5 else 503
        body = WRONG_BODIES[int(self._rng.random() * len(WRONG_BODIES))]
        chance = self._rng.random()
        for fault, rate in (
            (Fault.ERROR, settings.error_rate),
            (Fault.TOO_MANY_REQUESTS, settings.too_many_requests_rate),
            (Fault.HANG, settings.hang_rate),
            (Fault.RESET, settings.reset_rate),
            (Fault.WRONG_BODY, settings.wrong_body_rate),
        ):
            if chance < rate:
                return Mishap(delay, fault, status, body)
            chance -= rate
        return Mishap(delay, None, status, body)
