"""A burst of changes of the CRM, and workers that are killed in the middle of it."""

import random
from collections import defaultdict
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from runtime.settings import Settings
from tests.integration.person_sync.vibes_stand_in import VibesStandIn
from tests.integration.person_sync.world import PATIENCE_SECONDS, World, until, worker_process
from workers.person_sync.sweeper import AGAIN_SECONDS

PERSONS = 40
ROUNDS = 15
KILLS = 2


@pytest.mark.long  # up to AGAIN_SECONDS, when a worker is killed between taking a due person and publishing it
@pytest.mark.timeout(180)
async def test_two_workers_killed_in_a_burst_leave_the_newest_state_and_nothing_is_written_out_of_order(
    world: World, vibes: VibesStandIn, settings: Settings, companies_file: Path
) -> None:
    chance = random.Random(11)
    names = [f"ex{number}" for number in range(PERSONS)]
    for name in names:
        vibes.add(f"external/{name}", name, person_key=name, external_person_id=name)
    vibes.seconds = 0.01
    quick = settings.model_copy(update={"person_sync_sweep_seconds": 0.1})

    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(worker_process(quick, companies_file)) for _ in range(3)]
        await world.workers_are(3)
        kill_in = sorted(chance.sample(range(2, ROUNDS - 2), KILLS))
        for round_ in range(ROUNDS):
            for name in chance.sample(names, PERSONS):
                await world.change(name, version=str(round_))
            if round_ in kill_in:
                await until(lambda: vibes.under_way.total() > 0, "a call under way")
                victim = workers.pop()
                victim.kill()
                await victim.wait()
        dues = [await world.crm(name, version=str(ROUNDS - 1)) for name in names]
        for due in dues:
            # What a sweep had taken and not yet published when it was killed is swept again after AGAIN_SECONDS.
            await world.becomes(due, "synced", AGAIN_SECONDS + PATIENCE_SECONDS)

    written: defaultdict[str, list[int]] = defaultdict(list)
    for request in vibes.asked("PUT"):
        assert request.body is not None
        if "version" in request.body.get("custom_fields", {}):
            written[request.person.removeprefix("external/")].append(int(request.body["custom_fields"]["version"]))
    assert written.keys() == set(names)
    for versions in written.values():
        assert versions == sorted(versions)
        assert versions[-1] == ROUNDS - 1
    assert vibes.most_under_way == 1
    assert len(vibes.requests) < PERSONS * ROUNDS
