"""Operations about persons. Each gives at most `room` events, none if it cannot be done in that room."""

from simulator import mdn as numbers
from simulator.errors import ConflictError
from simulator.events import Event
from simulator.model import Person, PersonPatch
from simulator.scenario import population
from simulator.scenario.stage import Stage


def join(stage: Stage, room: int) -> list[Event]:
    """Add a new person; now and then with a number that somebody else had with another carrier."""
    if room < 1:
        return []
    now = stage.tick()
    person = _recycled(stage) if stage.rng.random() < 0.05 else stage.add_person()
    return [stage.announcer.person("person_added", person, now)]


def change(stage: Stage, room: int) -> list[Event]:
    """Somebody's record changes, or an add request matches it and it stays as it is: both fire person_updated."""
    if room < 1:
        return []
    person, now = stage.somebody(), stage.tick()
    if stage.rng.random() > 0.07:
        stage.db.persons.change(person, _patch(stage, person), now)
    return [stage.announcer.person("person_updated", person, now)]


def _patch(stage: Stage, person: Person) -> PersonPatch:
    draw = stage.rng.random()
    if draw < 0.05:
        return {"timezone": stage.rng.choice(("US/Eastern", "US/Pacific", "Europe/London"))}
    if draw < 0.12:
        return stage.free(lambda index: {"external_person_id": population.external_id(index, stage.rng)})
    if draw < 0.14 and person.mdn:
        return {"external_person_id": None}
    if draw < 0.20 and person.mdn is None:
        return stage.free(lambda index: {"mdn": population.number(index)})
    if draw < 0.22 and person.external_person_id:
        return {"mdn": None}
    return {"custom_fields": population.custom_fields(stage.rng)}


def _recycled(stage: Stage) -> Person:
    former = stage.somebody()
    patch: PersonPatch = {"custom_fields": population.custom_fields(stage.rng)}
    if former.mdn is None:
        return stage.add_person()
    patch |= {"mdn": former.mdn, "carrier_code": f"9{numbers.carrier_of(former.mdn)}"}
    try:
        person = stage.db.persons.create(patch, stage.now, "scenario")
    except ConflictError:  # this number has changed hands before
        return stage.add_person()
    stage.pool.append(person)
    return person
