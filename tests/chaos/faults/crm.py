"""Changes of the CRM, so that there is something to write to Vibes while a fault lasts."""

from random import Random

import orjson

from tests.chaos.world import World

_CHANGES = 40


async def tell_changes(world: World, random: Random) -> None:
    """Have the CRM change some of the persons that Vibes holds; returns when ingest has taken the changes."""
    known = [person.external_person_id for person in world.simulator.company(world.company_key).db.persons]
    chosen = random.sample([external for external in known if external], _CHANGES)
    changes = [
        {"external_person_id": external, "custom_fields": {"first_name": f"Name {random.randrange(10**6)}"}}
        for external in chosen
    ]
    token = world.stack.companies[world.company_key].crm_token

    async def are_taken() -> bool:
        async with world.simulator.session.post(
            world.stack.crm_url,
            data=orjson.dumps(changes),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        ) as answer:
            return answer.status // 100 == 2

    await world.until(are_taken, "ingest takes the changes of the CRM")
    world.crm_changes[world.company_key] += changes
