"""What goes wrong at Vibes, in Postgres or in a message ends in the outbox or is waited for; nothing is lost."""

import asyncio
import sys
from typing import Any

import aio_pika
import pytest
from aiormq.exceptions import ChannelNotFoundEntity

from runtime.companies import Companies
from runtime.settings import Settings
from schemas.facts import Profile
from tests.integration.person_sync.vibes_stand_in import VibesStandIn
from tests.integration.person_sync.world import COMPANY, World, until, worker
from vibes_api import Person
from workers.person_sync import accounts, outbox, sweeper
from workers.person_sync.answers import profile_of_answer


def sweeping(settings: Settings) -> Settings:
    return settings.model_copy(update={"person_sync_sweep_seconds": 0.1})


async def queue_is_there(settings: Settings) -> bool:
    async with await aio_pika.connect(settings.amqp_url.get_secret_value()) as broker:
        channel = await broker.channel()
        try:
            await channel.declare_queue(settings.topology.person_sync.name, passive=True)
        except ChannelNotFoundEntity:
            return False
        return True


class TestVibes:
    @pytest.mark.parametrize("status", [429, 500, 503])
    async def test_a_call_that_fails_for_a_moment_is_tried_again(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies, status: int
    ) -> None:
        vibes.add("K1", person_key="K1")
        vibes.refusals = [status]
        due = await world.subscribe_and_publish("K1")

        async with worker(settings, companies):
            row = await world.becomes(due, "synced")

        assert len(vibes.requests) == 2
        assert row["attempts"] == 0

    async def test_a_long_outage_waits_in_the_outbox_and_the_sweep_ends_it(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        vibes.add("K1", person_key="K1")
        vibes.refuse = lambda _request: 503
        due = await world.subscribe_and_publish("K1")

        async with worker(sweeping(settings), companies):
            row = await world.becomes(due, "postponed")
            assert (row["attempts"], row["last_status"], row["synced_version"]) == (1, 503, 0)
            assert 0 < row["due_in"] <= 10
            assert await world.waiting_messages() == 0

            await world.make_due(due)
            await until(lambda: len(vibes.requests) == 4, "the second attempt")
            row = await world.becomes(due, "postponed")
            assert row["attempts"] == 2
            assert 5 < row["due_in"] <= 20

            vibes.refuse = lambda _request: None
            await world.make_due(due)
            row = await world.becomes(due, "synced")

        assert (row["attempts"], row["last_error"]) == (0, None)

    async def test_a_call_without_an_answer_is_given_up_in_time(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        vibes.add("K1", person_key="K1")
        vibes.open.clear()
        due = await world.subscribe_and_publish("K1")

        async with worker(settings.model_copy(update={"person_api_timeout_seconds": 0.2}), companies):
            row = await world.becomes(due, "postponed")

        assert "no complete answer within 0.2 s" in row["last_error"]
        assert row["last_status"] is None

    @pytest.mark.parametrize("status", [401, 403])
    async def test_refused_credentials_rest_the_company_and_no_other(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies, status: int
    ) -> None:
        vibes.refuse = lambda request: status if request.company_key == COMPANY else None
        vibes.add("K1", person_key="K1")
        vibes.add("K2", person_key="K2")
        first = await world.subscribe_and_publish("K1")

        async with worker(settings, companies):
            row = await world.becomes(first, "postponed")
            second = await world.subscribe_and_publish("K2")
            resting = await world.becomes(second, "postponed")
            other = await world.subscribe_and_publish("K1", company="other")
            await world.becomes(other, "synced")

        assert (row["last_status"], row["attempts"]) == (status, 1)
        assert 55 < row["due_in"] <= 60
        assert (resting["last_status"], resting["attempts"]) == (None, 0)
        assert 50 < resting["due_in"] <= 60
        assert [request.company_key for request in vibes.requests] == [COMPANY, "other"]

    async def test_the_rate_of_a_company_is_kept(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        slow = companies.model_copy(
            update={
                "companies": tuple(
                    company.model_copy(update={"api_requests_per_second": 20.0}) for company in companies.companies
                )
            }
        )
        for number in range(20):
            vibes.add(f"K{number}", person_key=f"K{number}")
        dues = [await world.subscribe_and_publish(f"K{number}") for number in range(20)]
        started = asyncio.get_running_loop().time()

        async with worker(settings, slow):
            for due in dues:
                await world.becomes(due, "synced")

        # 2 at once, then one each 50 ms.
        assert asyncio.get_running_loop().time() - started > 0.85


class TestMessages:
    async def test_a_message_that_is_none_of_ours_is_set_aside_once_and_the_others_go_on(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        vibes.add("K1", person_key="K1")
        await world.publish(b"{not ours}", times=2)
        due = await world.subscribe_and_publish("K1")

        async with worker(settings, companies):
            await world.becomes(due, "synced")
            await world.messages_are(0)

        assert await world.waiting_messages() == 0
        (letter,) = await world.pool.fetch("SELECT * FROM dead_letters")
        assert (letter["kind"], letter["stage"]) == ("dead_lettered", "person-sync")
        assert (letter["reason"], letter["body"]) == ("unreadable_person_due", b"{not ours}")

    async def test_a_message_about_nobody_in_the_outbox_is_done(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        await world.subscribe_and_publish("K1")
        await world.pool.execute("DELETE FROM person_sync")

        async with worker(settings, companies):
            await world.workers_are(1)
            await world.messages_are(0)

        assert await world.waiting_messages() == 0
        assert vibes.requests == []


class TestOurselves:
    async def test_a_person_that_trips_over_a_bug_of_ours_does_not_stop_the_others(
        self,
        world: World,
        vibes: VibesStandIn,
        settings: Settings,
        companies: Companies,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        def stumble(answered: Person, *rest: Any) -> Profile | None:
            if answered.person_key == "K1":
                raise KeyError("+13125550100")
            return profile_of_answer(answered, *rest)

        monkeypatch.setattr(accounts, "profile_of_answer", stumble)
        vibes.add("K1", person_key="K1")
        vibes.add("K2", person_key="K2")
        bad = await world.subscribe_and_publish("K1")
        good = await world.subscribe_and_publish("K2")

        async with worker(settings, companies):
            row = await world.becomes(bad, "postponed")
            await world.becomes(good, "synced")

        assert (row["last_error"], row["attempts"]) == ("internal error: KeyError", 1)
        logged = "".join(capfd.readouterr())
        assert "test_trouble.py" in logged
        assert "5550100" not in logged

    @pytest.mark.skipif(
        sys.version_info >= (3, 13), reason="Python 3.13 reads JSON that nests this deep: there is nothing to survive"
    )
    async def test_a_crm_record_too_deep_to_be_read_does_not_stop_the_others(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        vibes.add("K2", person_key="K2")
        bad = await world.change("ex1")
        deep = '{"deep": ' + "[" * 2000 + "]" * 2000 + "}"
        await world.pool.execute("UPDATE crm_persons SET custom_fields = $1", deep)
        await world.publish(bad)
        good = await world.subscribe_and_publish("K2")

        async with worker(settings, companies):
            await world.becomes(good, "synced")
            await world.fails(bad, "internal error: RecursionError")

    async def test_a_queue_that_was_deleted_is_made_again(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        vibes.add("K1", person_key="K1")

        async with worker(settings, companies):
            await world.workers_are(1)
            await world.channel.queue_delete(settings.topology.person_sync.name)
            await until(lambda: queue_is_there(settings), "the queue made again")
            due = await world.subscribe_and_publish("K1")
            await world.becomes(due, "synced")


class TestSweep:
    async def test_who_was_forgotten_is_found(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        vibes.add("K1", person_key="K1")
        due = await world.subscribe("K1")
        await world.make_due(due)

        async with worker(settings, companies):
            await world.becomes(due, "synced")

    async def test_no_two_sweeps_take_the_same_person(self, world: World) -> None:
        for number in range(40):
            await world.make_due(await world.subscribe(f"K{number}"))

        taken = await asyncio.gather(*(outbox.take_due(world.pool, 15, 60, bulk=False) for _ in range(4)))

        everybody = [due for part in taken for due in part]
        assert len(everybody) == len(set(everybody)) == 40
        assert await outbox.take_due(world.pool, 15, 60, bulk=False) == []

    async def test_a_sweep_fills_the_queue_so_far_and_no_further(
        self, world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sweeper, "ENOUGH_MESSAGES", 5)
        for number in range(20):
            await world.make_due(await world.subscribe(f"K{number}"))
        await world.publish(b"waits already", times=3)

        stop = asyncio.Event()
        async with await aio_pika.connect(settings.amqp_url.get_secret_value()) as broker:
            sweeping = asyncio.create_task(sweeper.Sweeper(settings, world.pool).run(broker, stop))
            await world.messages_are(5)
            stop.set()
            await sweeping

        assert await world.waiting_messages() == 5
        assert await world.pool.fetchval("SELECT count(*) FROM person_sync WHERE next_attempt_at > now()") == 2
