"""Operations about subscriptions. Each gives at most `room` events, none if it cannot be done in that room."""

from itertools import islice
from typing import Final

from simulator.events import Event
from simulator.scenario.stage import Stage
from simulator.times import SECOND

_REASONS: Final = {
    "keyword_opt_out": 50,
    "user_opt_out": 14,
    "button_opt_out": 5,
    "platform_opt_out": 5,
    "api_opt_out": 5,
    "bulk_opt_out": 8,
    "failed_at_carrier": 5,
    "obsolete_carrier": 2,
    "a_reason_added_in_future": 2,
}


def toggle(stage: Stage, room: int) -> list[Event]:
    """Somebody joins a list or leaves it; the active ones do so many times."""
    open_lists = stage.db.stays.open_lists()
    if room < 1 or not open_lists:
        return []
    person, list_id = stage.somebody(), stage.rng.choice(open_lists).list_id
    stay = stage.db.stays.active(person, list_id)
    if stay is None:
        now = stage.tick_past(stage.db.stays.free_since(person, list_id))
        return [stage.announcer.opt_in(stage.db.stays.opt_in(person, list_id, now), now)]
    now = stage.tick_past(stay.opt_in_date + SECOND)
    (reason,) = stage.rng.choices(list(_REASONS), list(_REASONS.values()))
    return [stage.announcer.opt_out(stage.db.stays.opt_out(person, list_id, now, reason), now)]


def stop_burst(stage: Stage, room: int) -> list[Event]:
    """Send a broadcast on the largest list, which many answer STOP within moments."""
    open_lists = stage.db.stays.open_lists()
    if not open_lists:
        return []
    list_id = max(open_lists, key=lambda each: len(stage.db.stays.subscribers(each.list_id))).list_id
    now = stage.tick()
    stopping = [stay.person for stay in islice(stage.db.stays.subscribers(list_id).values(), room)]
    stays = [stage.db.stays.opt_out(person, list_id, now, "keyword_opt_out") for person in stopping]
    return [stage.announcer.opt_out(stay, now) for stay in stays]


def archive_list(stage: Stage, room: int) -> list[Event]:
    """Archive the fullest list there is room for: one removal for each subscriber, and no other sign of it."""
    list_ids = [each.list_id for each in stage.db.stays.open_lists()]
    fitting = [list_id for list_id in list_ids if len(stage.db.stays.subscribers(list_id)) <= room]
    if len(list_ids) < 2 or not fitting:
        return []
    fullest = max(fitting, key=lambda list_id: len(stage.db.stays.subscribers(list_id)))
    now = stage.tick()
    return [stage.announcer.opt_out(stay, now) for stay in stage.db.stays.archive(fullest, now)]


def disconnect(stage: Stage, room: int) -> list[Event]:
    """Disconnect a number: its person leaves every list, then loses the number."""
    person = stage.somebody()
    stays = stage.db.stays.of_person(person, active_only=True)
    if person.mdn is None or not stays or len(stays) + 1 > room:
        return []
    now = stage.tick_past(max(stay.opt_in_date for stay in stays) + SECOND)
    events = []
    for stay in stays:
        stage.db.stays.opt_out(person, stay.list_id, now, "disconnect")
        events.append(stage.announcer.opt_out(stay, now))
    now = stage.tick()
    stage.db.persons.change(person, {"mdn": None, "carrier_code": None}, now)
    return [*events, stage.announcer.person("person_updated", person, now)]
