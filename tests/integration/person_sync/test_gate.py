"""A company's calls rest while Vibes does not answer or refuses the credentials, and go on by themselves."""

import asyncio
from uuid import uuid4

import pytest
from prometheus_client.core import CollectorRegistry
from structlog.testing import capture_logs

from runtime import metrics
from runtime.companies import Companies
from runtime.settings import Settings
from tests.integration.person_sync.vibes_stand_in import VibesStandIn
from tests.integration.person_sync.world import COMPANY, World, worker
from vibes_api import AccessDenied, NotFound, RateLimited, RetryPolicy, ServerError, VibesClient
from workers.person_sync import gate as gate_module
from workers.person_sync.breaker import PROBE_SECONDS
from workers.person_sync.gate import (
    COOL_DOWN_SECONDS,
    FAILURES,
    PAUSE_SECONDS,
    SUBJECT,
    CompanyPausedError,
    Gate,
    Subject,
)
from workers.person_sync.rate import FleetRate


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def gate(world: World, clock: Clock) -> Gate:
    SUBJECT.set(Subject(uuid4(), None))
    return Gate(COMPANY, FleetRate(world.pool, COMPANY, requests_per_second=1000), clock)


def shown(name: str, registry: CollectorRegistry = metrics.REGISTRY) -> float | None:
    return registry.get_sample_value(name, {"company_key": COMPANY})


async def attempt(gate: Gate, error: Exception | None = None) -> None:
    """Pass the gate for an attempt that ends so."""
    try:
        async with gate:
            if error is not None:
                raise error
    except (ServerError, RateLimited, AccessDenied, NotFound):
        return


async def open_it(gate: Gate) -> None:
    for _ in range(FAILURES):
        await attempt(gate, ServerError("GET /persons", status=503))


class TestVibesDoesNotAnswer:
    async def test_after_so_many_failures_in_a_row_no_attempt_is_made(self, gate: Gate) -> None:
        await open_it(gate)
        with pytest.raises(CompanyPausedError, match=r"Vibes fails again and again \(server_error, status 503\)") as e:
            gate.check()
        assert e.value.seconds == COOL_DOWN_SECONDS
        with pytest.raises(CompanyPausedError):
            await attempt(gate)

    @pytest.mark.parametrize("answer", [None, NotFound("GET /persons", status=404)])
    async def test_any_answer_in_between_shows_that_vibes_is_there(self, gate: Gate, answer: Exception | None) -> None:
        for _ in range(3):
            for _ in range(FAILURES - 1):
                await attempt(gate, ServerError("GET /persons", status=503))
            await attempt(gate, answer)
        gate.check()

    async def test_too_many_requests_is_no_failure(self, gate: Gate) -> None:
        for _ in range(2 * FAILURES):
            await attempt(gate, RateLimited("GET /persons", status=429))
        gate.check()

    async def test_after_the_cool_down_exactly_one_attempt_is_made_and_its_success_lets_all_pass(
        self, gate: Gate, clock: Clock
    ) -> None:
        await open_it(gate)
        clock.now += COOL_DOWN_SECONDS
        gate.check()
        refused = []
        async with gate:
            for _ in range(5):
                with pytest.raises(CompanyPausedError) as e:
                    await attempt(gate)
                refused.append(e.value.seconds)
        assert refused == [PROBE_SECONDS] * 5
        await asyncio.gather(*(attempt(gate) for _ in range(5)))

    async def test_of_many_that_wait_for_their_slot_only_one_is_let_through(self, gate: Gate, clock: Clock) -> None:
        await open_it(gate)
        clock.now += COOL_DOWN_SECONDS
        held = asyncio.Event()

        async def one() -> None:
            async with gate:
                await held.wait()

        tasks = [asyncio.create_task(one()) for _ in range(5)]
        done, (probe,) = await asyncio.wait(tasks, timeout=1)
        assert [type(task.exception()) for task in done] == [CompanyPausedError] * 4
        held.set()
        await probe
        gate.check()

    async def test_a_failed_probe_doubles_the_cool_down(self, gate: Gate, clock: Clock) -> None:
        await open_it(gate)
        clock.now += COOL_DOWN_SECONDS
        await attempt(gate, ServerError("GET /persons", status=503))
        with pytest.raises(CompanyPausedError) as e:
            gate.check()
        assert e.value.seconds == 2 * COOL_DOWN_SECONDS

    async def test_a_probe_that_is_cancelled_makes_room_for_another(self, gate: Gate, clock: Clock) -> None:
        await open_it(gate)
        clock.now += COOL_DOWN_SECONDS

        async def cancelled() -> None:
            async with gate:
                raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await cancelled()
        await attempt(gate)
        gate.check()

    async def test_operators_see_it_and_each_change_is_logged_once(self, gate: Gate, clock: Clock) -> None:
        assert shown("vibes_person_api_circuit_open") == 0
        with capture_logs() as logs:
            await open_it(gate)
            assert shown("vibes_person_api_circuit_open") == 1
            for _ in range(5):
                with pytest.raises(CompanyPausedError):
                    await attempt(gate)
            clock.now += COOL_DOWN_SECONDS
            await attempt(gate)
            await attempt(gate)
        assert shown("vibes_person_api_circuit_open") == 0
        assert [entry["event"] for entry in logs] == ["person_api.circuit_opened", "person_api.circuit_closed"]

    async def test_a_call_ends_when_the_gate_closes_between_its_attempts(self, gate: Gate, vibes: VibesStandIn) -> None:
        vibes.refuse = lambda _request: 503
        retry = RetryPolicy(attempts=FAILURES + 5, first_wait=0.001, max_wait=0.001)
        async with VibesClient(vibes.url, COMPANY, "user", "secret", retry=retry, limiter=gate) as client:
            with pytest.raises(CompanyPausedError):
                await client.persons.get("K1")
        assert len(vibes.requests) == FAILURES

    async def test_syncs_are_put_off_without_counting_as_failed_and_done_when_vibes_is_back(
        self,
        world: World,
        vibes: VibesStandIn,
        settings: Settings,
        companies: Companies,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(gate_module, "FAILURES", 2)
        monkeypatch.setattr(gate_module, "COOL_DOWN_SECONDS", 0.5)
        vibes.refuse = lambda _request: 503
        for name in ("K1", "K2"):
            vibes.add(name, person_key=name)
        first = await world.subscribe_and_publish("K1")
        async with worker(settings.model_copy(update={"person_sync_sweep_seconds": 0.1}), companies):
            assert (await world.becomes(first, "postponed"))["attempts"] == 1
            second = await world.subscribe_and_publish("K2")
            row = await world.becomes(second, "postponed")
            assert (row["attempts"], row["last_status"]) == (0, None)
            assert "Vibes fails again and again" in row["last_error"]
            vibes.refuse = lambda _request: None
            await world.becomes(second, "synced")


class TestVibesRefusesTheCredentials:
    async def test_the_calls_rest_then_one_tries_again_and_its_success_lets_all_pass(
        self, gate: Gate, clock: Clock
    ) -> None:
        with capture_logs() as logs:
            under_way = asyncio.Barrier(3)

            async def denied() -> None:
                async with gate:
                    await under_way.wait()
                    raise AccessDenied("GET /persons", status=401)

            endings = await asyncio.gather(*(denied() for _ in range(3)), return_exceptions=True)
            assert [type(ending) for ending in endings] == [AccessDenied] * 3
            with pytest.raises(CompanyPausedError, match="credentials") as e:
                gate.check()
            assert e.value.seconds == PAUSE_SECONDS
            assert shown("vibes_person_api_paused") == 1
            clock.now += PAUSE_SECONDS
            async with gate:
                with pytest.raises(CompanyPausedError):
                    gate.check()
        gate.check()
        assert shown("vibes_person_api_paused") == 0
        assert [entry["event"] for entry in logs] == ["person_api.access_denied", "person_api.access_restored"]

    async def test_an_outage_meanwhile_does_not_keep_the_credentials_from_being_tried(
        self, gate: Gate, clock: Clock
    ) -> None:
        await attempt(gate, AccessDenied("GET /persons", status=403))
        clock.now += PAUSE_SECONDS
        await attempt(gate, ServerError("GET /persons", status=503))
        await attempt(gate)
        gate.check()


class TestBulk:
    async def test_a_bulk_call_that_waits_too_long_for_live_ones_is_put_off(
        self, gate: Gate, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gate_module, "BULK_PATIENCE_SECONDS", 0.5)
        await attempt(gate)
        await world.pool.execute("UPDATE api_rates SET next_slot = clock_timestamp() + interval '1 minute'")
        SUBJECT.set(Subject(uuid4(), None, bulk=True))
        with pytest.raises(CompanyPausedError, match="other calls of this company come first") as e:
            await attempt(gate)
        assert 0.25 <= e.value.seconds <= 0.75

    async def test_the_rate_is_shown(self, gate: Gate) -> None:
        await attempt(gate)
        assert shown("vibes_person_api_rate") == pytest.approx(1000)
