"""What people do with lists in a history: join, confirm, leave, come back. Each act tells what fits into the room."""

from datetime import timedelta
from functools import partial
from typing import Final

from simulator.history.calendar import Broadcast
from simulator.history.campaigns import SHARES, Asked, Way, lifetime
from simulator.history.stage import HistoryStage
from simulator.model import Campaign, Person, Stay
from simulator.times import SECOND

_NEWCOMERS: Final = 0.72
"""Of those who sign up; the others are on another list already, or were."""
_RETURN: Final = 0.16
"""Of those who left of their own accord."""
_OWN_ACCORD: Final = {
    "keyword_opt_out": 52,
    "user_opt_out": 20,
    "api_opt_out": 8,
    "button_opt_out": 5,
    "platform_opt_out": 4,
    "bulk_opt_out": 3,
    "failed_at_carrier": 4,
    "obsolete_carrier": 1,
    "disconnect": 3,
}
_STOP_MINUTES: Final = 25.0
"""How long those who answer STOP to a broadcast take, on average."""


def sign_up(stage: HistoryStage) -> None:
    """Somebody, new or not, wants to be on an open list."""
    programmes = [each for each, list_id in stage.list_ids.items() if not stage.db.stays.lists[list_id].archived]
    if not programmes or stage.room < 4:
        return
    (programme,) = stage.rng.choices(programmes, [each.popularity for each in programmes])
    join(stage, stage.list_ids[programme])


def join(stage: HistoryStage, list_id: str, who: Person | None = None) -> None:
    """Somebody signs up for a list by one of its campaigns."""
    if stage.room < 4 or stage.db.stays.lists[list_id].archived:
        return
    if who is None:
        who = _somebody(stage)
    way, campaign = _choose_way(stage, list_id)
    if stage.db.stays.active(who, list_id) or stage.db.campaigns.pending(campaign, who, stage.now):
        return
    now = stage.tick_past(stage.db.stays.free_since(who, list_id))
    participation = stage.db.campaigns.join(campaign, who, now, by_keyword=way.keyword is not None)
    stage.announcer.participation(participation, now)
    if way.confirms is None:
        _begin(stage, way, who, list_id, campaign)
        return
    draw = stage.rng.random()
    if draw < way.confirms + way.declines:
        answer = partial(_answer, stage, Asked(way, participation), accepted=draw < way.confirms)
        stage.plan(now + timedelta(seconds=15 + min(stage.rng.expovariate(1 / 400), 80_000.0)), answer)


def leave(stage: HistoryStage, stay: Stay, reason: str | None = None) -> None:
    """Somebody leaves a list, unless they have left; by a reason of their own if none is given."""
    if stay.opt_out_date is not None or stage.room < 1:
        return
    if reason is None:
        (reason,) = stage.rng.choices(list(_OWN_ACCORD), list(_OWN_ACCORD.values()))
    if reason == "disconnect":
        _disconnect(stage, stay.person)
        return
    now = stage.tick_past(stay.opt_in_date + SECOND)
    stage.db.stays.opt_out(stay.person, stay.list_id, now, reason)
    stage.announcer.opt_out(stay, now)
    if stage.rng.random() < _RETURN:
        days = stage.rng.lognormvariate(3.4, 0.9)
        stage.plan(now + timedelta(days=min(days, 3000.0)), partial(join, stage, stay.list_id, stay.person))


def broadcast(stage: HistoryStage, sent: Broadcast) -> int:
    """Send a message to a list: some answer STOP, most of them soon. Return how many will."""
    list_id = stage.list_ids.get(sent.programme)
    if list_id is None or stage.db.stays.lists[list_id].archived:
        return 0
    subscribers = list(stage.db.stays.subscribers(list_id).values())
    stopping = min(len(subscribers), int(len(subscribers) * sent.annoyance + stage.rng.random()))
    for stay in stage.rng.sample(subscribers, stopping):
        after = timedelta(minutes=0.2 + stage.rng.expovariate(1 / _STOP_MINUTES))
        stage.plan(stage.now + after, partial(leave, stage, stay, "keyword_opt_out"))
    return stopping


def _somebody(stage: HistoryStage) -> Person:
    if not stage.pool or stage.rng.random() < _NEWCOMERS:
        person, now = stage.add_person(), stage.tick()
        stage.announcer.person("person_added", person, now)
        return person
    return stage.somebody()


def _choose_way(stage: HistoryStage, list_id: str) -> tuple[Way, Campaign]:
    ways = stage.ways[list_id]
    (chosen,) = stage.rng.choices(ways, cum_weights=SHARES)
    return chosen


def _answer(stage: HistoryStage, asked: Asked, *, accepted: bool) -> None:
    """Let somebody answer the question whether they really want to join."""
    campaign = asked.participation.campaign
    if stage.room < 3 or stage.db.stays.lists[campaign.list_id].archived:
        return
    stage.db.campaigns.answer(asked.participation, accepted=accepted)
    now = stage.tick_past(stage.db.stays.free_since(asked.person, campaign.list_id))
    stage.announcer.participation(asked.participation, now)
    if accepted and not stage.db.stays.active(asked.person, campaign.list_id):
        _begin(stage, asked.way, asked.person, campaign.list_id, campaign)


def _begin(stage: HistoryStage, way: Way, who: Person, list_id: str, campaign: Campaign) -> None:
    now = stage.tick()
    stay = stage.db.stays.opt_in(who, list_id, now, campaign.acquisition_id)
    stage.announcer.opt_in(stay, now)
    stage.plan(now + lifetime(way, stage.rng), partial(leave, stage, stay))


def _disconnect(stage: HistoryStage, who: Person) -> None:
    """Somebody gives up their number: they leave every list, and have no number any more."""
    stays = stage.db.stays.of_person(who, active_only=True)
    if len(stays) + 1 > stage.room:
        return
    now = stage.tick_past(max(stay.opt_in_date for stay in stays) + SECOND)
    for stay in stays:
        stage.db.stays.opt_out(who, stay.list_id, now, "disconnect")
        stage.announcer.opt_out(stay, now)
    if who.mdn is None:
        return
    now = stage.tick()
    stage.db.persons.change(who, {"mdn": None, "carrier_code": None}, now)
    stage.announcer.person("person_updated", who, now)
