"""One company on the simulator: its MobileDB, its registrations, its ledger, and the way its callbacks take."""

import asyncio
from collections.abc import Iterable
from datetime import datetime

import aiohttp

from simulator.announcer import Announcer
from simulator.config import CompanyConfig, DeliveryPolicy
from simulator.delivery import Callback
from simulator.events import Event
from simulator.ledger import Ledger
from simulator.limits import SlidingSecond
from simulator.mobiledb import MobileDB
from simulator.registrations import Registrations
from simulator.router import Router
from simulator.scenario.stage import START
from simulator.seeds import seeded
from simulator.sender import Mailbox, Sender
from simulator.stats import Stats


class Company:
    """The state of one company.

    What is done through its API comes back as callbacks (`echoes` are their figures), as with Vibes. `story_time` is
    when the next story begins: later than the end of the one before.
    """

    def __init__(self, config: CompanyConfig, seed: int, rate_limit: int) -> None:
        self.config = config
        self.db = MobileDB(config.company_key, config.custom_fields)
        for _ in range(config.lists):
            self.db.open_list(START)
        self.ledger = Ledger(config.company_key)
        self.registrations = Registrations()
        self.router = Router(config.callback_url, self.registrations, self.ledger)
        self.announcer = Announcer(config.company_key, seeded(seed, config.company_key, "echoes"))
        self.limit = SlidingSecond(rate_limit)
        self.echoes = Stats()
        self.story_time = START
        self.runs = 0
        self._mailbox = Mailbox()
        self._sender: Sender | None = None

    def tell(self, events: Iterable[Event], now: datetime) -> None:
        """Have these events sent to wherever they are registered for."""
        for event in events:
            self.post(self.router.callbacks(event, now))

    def post(self, callbacks: Iterable[Callback]) -> None:
        """Have these callbacks sent."""
        for callback in callbacks:
            self.echoes.planned += 1
            self._mailbox.put(callback)
        if self._sender is not None:
            self._sender.notify()

    async def send_echoes(self, session: aiohttp.ClientSession, policy: DeliveryPolicy) -> None:
        """Send what is told, until `stop_echoes` and everything is delivered or given up."""
        self._sender = Sender(session, self._mailbox, policy, self.echoes)
        await self._sender.run()

    def stop_echoes(self) -> None:
        """Let `send_echoes` come to its end."""
        self._mailbox.close()
        if self._sender is not None:
            self._sender.notify()


async def finish(task: asyncio.Task[None], seconds: float) -> None:
    """Wait for a task for some time, then cancel it and wait for that."""
    _, late = await asyncio.wait([task], timeout=seconds)
    for each in late:
        each.cancel()
        await asyncio.wait([each])
