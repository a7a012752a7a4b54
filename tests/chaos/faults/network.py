"""The network between each pair: cut, half-open, slow, reset."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.chaos.fault import Fault, Link, Needs
from tests.chaos.faults.crm import tell_changes
from tests.chaos.world import World
from tests.support.tcp_proxy import CUT, HALF_OPEN, PASS, RESET, Counts, Mode, slow

LINKS: tuple[Link, ...] = (
    ("ingest", "broker"),
    ("apply", "broker"),
    ("apply", "postgres"),
    ("person-sync", "postgres"),
    ("person-sync", "broker"),
    ("person-sync", "vibes"),
)


@dataclass(frozen=True)
class Trouble:
    """What a network does for between so many seconds, and whether the proxy's counts show that it did."""

    mode: Mode
    seconds: tuple[float, float]
    shown_by: Callable[[Counts], bool]


_TROUBLES = (
    Trouble(CUT, (0.3, 3.0), lambda counts: counts.broken > 0),
    # Beyond three of the heartbeats below, so that broker connections are given up for dead before it is over.
    Trouble(HALF_OPEN, (3.0, 8.0), lambda counts: counts.swallowed_bytes > 0),
    Trouble(slow(bytes_per_second=50_000, delay=0.05), (2.0, 5.0), lambda counts: counts.slowed_bytes > 0),
    Trouble(RESET, (0.3, 3.0), lambda counts: counts.broken > 0),
)

LINKED = Needs(
    proxies=frozenset(LINKS),
    settings={"VIBES_PIPELINE_AMQP_HEARTBEAT_SECONDS": "2"},
    part_settings={"person-sync": {"VIBES_PIPELINE_PERSON_API_TIMEOUT_SECONDS": "2"}},
)
"""All links through proxies, and what notices silence does so soon enough for a test."""


@dataclass
class Network(Fault):
    """One link is in trouble, for a while."""

    link: Link
    trouble: Trouble

    def __post_init__(self) -> None:
        self.name = f"network_{'_'.join(self.link).replace('-', '_')}_{self.trouble.mode.name}"

    def needs(self) -> Needs:
        return LINKED

    async def inject(self, world: World, random: Random) -> None:
        proxy = world.proxies[self.link]
        await world.until(lambda: proxy.open_connections > 0, f"{self.link[0]} is connected")
        before = proxy.counts
        await asyncio.to_thread(proxy.set, self.trouble.mode)
        try:
            if "person-sync" in self.link:
                await tell_changes(world, random)
            await world.last(random.uniform(*self.trouble.seconds))
            await world.until(
                lambda: self.trouble.shown_by(proxy.counts.since(before)), f"{self.name} hits a connection"
            )
        finally:
            await asyncio.to_thread(proxy.set, PASS)


FAULTS = tuple(Network(link, trouble) for link in LINKS for trouble in _TROUBLES)
