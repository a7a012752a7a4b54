"""Publishes groups of callbacks and waits for the broker's confirms."""

import asyncio
from functools import cache

import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import PublishError
from prometheus_client import Counter

from ingest.answers import CONNECTION_LOST, DEADLINE, DRAINING, UNEXPECTED, UNROUTABLE, Refusal
from ingest.broker_health import BrokerHealth
from ingest.deadlines import Deadlines
from ingest.exchange import CallbackExchange, Terms
from ingest.groups import Answer, Group, Groups, Waiting
from ingest.ids import uuid7
from ingest.session import until_first_ends, watch_blocked
from ingest.wake import Wake
from runtime import metrics, tracing
from runtime.amqp import BROKER_ERRORS, keep_connected
from runtime.lifecycle import wait_or_stop
from runtime.settings import Settings
from schemas.broker_message import ReceivedCallback

log = structlog.get_logger()

_REPORT_TICK_SECONDS = 0.25
_QUIET_SECONDS = 1.0
_WORTH_A_MESSAGE = 32
"""Callbacks. A message costs ingest, and the broker, about as much CPU as so many callbacks in one."""


@cache
def _accepted(company_key: str) -> Counter:
    return metrics.INGEST_ANSWERS.labels(company_key, "202", "accepted")


class Publisher:
    """Takes callbacks (`submit`), publishes them in groups, and answers with receipts once they are confirmed.

    `ingest_publishes_in_flight` publishes are under way at a time; what arrives meanwhile forms the next groups. Each
    message tells how many callbacks of its company were acknowledged before it; a company whose last ones no message
    has told gets an empty one a second after.
    """

    def __init__(self, settings: Settings, company_keys: list[str]) -> None:
        self.ingest_id = str(uuid7())
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._groups = Groups(settings.ingest_group_max_callbacks, settings.ingest_group_max_bytes, _WORTH_A_MESSAGE)
        self._deadlines = Deadlines(self._loop, self._expire)
        self._home = self._groups.lane(company_keys[0])
        self._health = BrokerHealth(
            settings.ingest_deadline_seconds, settings.ingest_publishes_in_flight, self._loop.time()
        )
        self._terms = Terms(self.ingest_id, settings.topology, settings.amqp_heartbeat_seconds)
        self._work = Wake(self._loop)
        self._unblocked = asyncio.Event()
        self._draining = asyncio.Event()
        self._finished = asyncio.Event()

    async def run(self) -> None:
        """Publish until `finish` was called and everything is reported. Never raises for the broker's sake."""
        await keep_connected(
            self._settings.amqp_url.get_secret_value(),
            "publish",
            self._session,
            self._finished,
            self._settings.amqp_heartbeat_seconds,
        )

    def problem(self) -> str | None:
        """Return what keeps a callback from being confirmed now, or None."""
        if self._draining.is_set():
            return DRAINING.reason
        problem = self._health.problem(self._loop.time())
        return problem.reason if problem else None

    def submit(self, company_key: str, callback: ReceivedCallback, deadline: float) -> Refusal | asyncio.Future[Answer]:
        """Return the future of the answer, or a refusal where there is nothing to wait for.

        The answer is the receipt, once the broker has confirmed the callback, or why there is none. It comes by
        `deadline` (in the event loop's time). A callback refused for its deadline may still get into the queue; its
        redelivery is then recognised as a duplicate.
        """
        if self._draining.is_set():
            return DRAINING
        if hopeless := self._health.hopeless(self._loop.time()):
            return hopeless
        answer: asyncio.Future[Answer] = self._loop.create_future()
        waiting = Waiting(callback, answer, company_key, deadline)
        if self._groups.add(company_key, waiting):
            self._work.wake_one()
        self._deadlines.watch(waiting)
        return answer

    def finish(self) -> None:
        """Take no more callbacks; let `run` end once every acknowledged callback is reported."""
        self._draining.set()
        self._groups.refuse_all(DRAINING)
        if not self.unreported():
            self._finished.set()

    def unreported(self) -> dict[str, int]:
        """Return, by company, how many acknowledged callbacks no confirmed message has told of yet."""
        return {
            lane.company_key: lane.acknowledged - lane.reported
            for lane in self._groups.lanes
            if lane.acknowledged > lane.reported
        }

    def _expire(self, waiting: Waiting) -> None:
        waiting.settle(self._health.problem(self._loop.time()) or DEADLINE)
        self._groups.forget_answered(waiting.company_key)

    async def _session(self, connection: AbstractConnection) -> None:
        self._unblocked.set()
        exchange = await CallbackExchange.open(connection, self._terms, self._health)
        # Only a confirm proves that the broker takes publishes: when it is short of memory or disk it lets a new
        # connection declare, and says that it is blocked after the first publish. An empty message does.
        with tracing.current().untraced():
            await exchange.publish(self._home, ())
        self._health.connected()
        await until_first_ends(
            self._health,
            self._finished.wait(),
            watch_blocked(connection, "publish", self._health, self._unblocked),
            self._report_acknowledged(exchange),
            *(self._publish_groups(exchange) for _ in range(self._settings.ingest_publishes_in_flight)),
        )

    async def _report_acknowledged(self, exchange: CallbackExchange) -> None:
        """Tell the final number of acknowledged callbacks of each company that has fallen quiet."""
        while True:
            draining = await wait_or_stop(self._draining, _REPORT_TICK_SECONDS)
            await self._unblocked.wait()
            for lane in self._groups.lanes:
                quiet = draining or self._loop.time() - lane.acknowledged_at >= _QUIET_SECONDS
                if quiet and lane.acknowledged > lane.reported:
                    with tracing.current().untraced():
                        await exchange.publish(lane, ())
            if draining and not self.unreported():
                self._finished.set()
                return

    async def _publish_groups(self, exchange: CallbackExchange) -> None:
        """Publish group after group. Several of these run at a time."""
        while True:
            await self._unblocked.wait()
            group = self._groups.take()
            if group is None:
                await self._work.wait()
                continue
            if self._groups.may_one_leave():
                self._work.wake_one()
            metrics.INGEST_GROUP_CALLBACKS.observe(len(group.waiting))
            try:
                await self._publish_group(exchange, group)
            finally:
                group.refuse(CONNECTION_LOST)
                self._groups.settled(group)
                self._deadlines.forget_answered()

    async def _publish_group(self, exchange: CallbackExchange, group: Group) -> None:
        callbacks = tuple(waiting.callback for waiting in group.waiting)
        carriers = (callback.headers for callback in callbacks)
        try:
            with tracing.current().caused_by("publish callbacks", carriers, callbacks=len(callbacks)):
                result = await exchange.publish(group.lane, callbacks)
        except PublishError:
            group.refuse(UNROUTABLE)
            raise
        except BROKER_ERRORS:
            raise
        except Exception:
            log.exception("ingest.publish_failed", callbacks=len(group.waiting))
            result = UNEXPECTED
        if isinstance(result, Refusal):
            group.refuse(result)
        else:
            given = group.confirm(result, self._loop.time())
            _accepted(group.lane.company_key).inc(given)
