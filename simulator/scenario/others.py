"""Operations about everything else. Each gives at most `room` events, none if it cannot be done in that room."""

from typing import Final

from simulator import bodies
from simulator import mdn as numbers
from simulator.events import Event
from simulator.scenario import population
from simulator.scenario.stage import Stage
from simulator.seeds import new_uuid

_TEXTS: Final = ("Hello, this is my message!", "please stop texting me", "où êtes-vous ? 🙂", 'a "quoted" \\ line\n')
_EVENT_TYPES: Final = ("day_of_delivery", "order_shipped")
_MOST_PENDING: Final = 50  # answers then come before a participation lapses, after a day
_STEPS: Final = (
    {"type": "routing", "status": "processing", "status_reason": "accepted_by_event_triggered_message"},
    {"type": "processing", "status": "queued", "status_reason": "queued_to_be_sent_to_carrier"},
    {"type": "carrier_dlr", "status": "delivered", "status_reason": None},
    {"type": "handset_dlr", "status": "delivered", "status_reason": None},
)


def start_participation(stage: Stage, room: int) -> list[Event]:
    """Somebody texts the keyword of a double opt-in campaign, and has not confirmed yet."""
    open_lists = stage.db.stays.open_lists()
    if room < 2 or not open_lists or len(stage.pending) > _MOST_PENDING:
        return []
    person, now = stage.somebody(), stage.tick()
    campaign = stage.db.campaigns.of_list(stage.rng.choice(open_lists).list_id)[0]
    if stage.db.stays.active(person, campaign.list_id) or stage.db.campaigns.pending(campaign, person, now):
        return []
    participation = stage.db.campaigns.join(campaign, person, now, by_keyword=True)
    stage.pending.append(participation)
    return stage.announcer.participation(participation, now)


def answer_participation(stage: Stage, room: int) -> list[Event]:
    """Let the one asked longest ago to confirm answer: Y begins a stay, anything else ends the flow."""
    if room < 3 or not stage.pending:
        return []
    participation = stage.pending.pop(0)
    list_id = participation.campaign.list_id
    now = stage.tick_past(stage.db.stays.free_since(participation.person, list_id))
    stay = stage.db.reply(participation, now, accepted=stage.rng.random() < 0.7)
    events = stage.announcer.participation(participation, now)
    return events if stay is None else [*events, stage.announcer.opt_in(stay, now)]


def attach_device(stage: Stage, room: int) -> list[Event]:
    """Somebody installs the app."""
    if room < 1:
        return []
    person, device_id, now = stage.somebody(), new_uuid(stage.rng), stage.tick()
    stage.devices.append((device_id, person))
    return [stage.announcer.device("device_added", person, _device(stage, device_id), now)]


def update_device(stage: Stage, room: int) -> list[Event]:
    """Give a device another push token."""
    if room < 1 or not stage.devices:
        return []
    device_id, person = stage.rng.choice(stage.devices)
    return [stage.announcer.device("device_updated", person, _device(stage, device_id), stage.tick())]


def remove_device(stage: Stage, room: int) -> list[Event]:
    """Detach a device from its person."""
    if room < 1 or not stage.devices:
        return []
    device_id, person = stage.devices.pop(stage.rng.randrange(len(stage.devices)))
    return [stage.announcer.device("device_removed", person, _device(stage, device_id), stage.tick())]


def move_device(stage: Stage, room: int) -> list[Event]:
    """Move a device to another person, which fires a removal and an addition."""
    if room < 2 or not stage.devices:
        return []
    at, now = stage.rng.randrange(len(stage.devices)), stage.tick()
    device_id, former = stage.devices[at]
    owner, device = stage.somebody(), _device(stage, device_id)
    if owner is former:
        return []
    stage.devices[at] = (device_id, owner)
    return [
        stage.announcer.device("device_removed", former, device, now),
        stage.announcer.device("device_added", owner, device, now),
    ]


def open_list(stage: Stage, room: int) -> list[Event]:
    """Open a new list, as long as there are not many more than there were."""
    if room < 1 or len(stage.db.stays.open_lists()) > stage.usual_lists + 1:
        return []
    now = stage.tick()
    which = stage.db.stays.lists[stage.db.open_list(now)]
    return [stage.announcer.subscription_list("subscription_list_added", which, now)]


def rename_list(stage: Stage, room: int) -> list[Event]:
    """Give a list another name."""
    open_lists = stage.db.stays.open_lists()
    if room < 1 or not open_lists:
        return []
    which, now = stage.rng.choice(open_lists), stage.tick()
    which.name = f"{which.name.rsplit(' / ', 1)[0]} / {now.date()}"
    return [stage.announcer.subscription_list("subscription_list_updated", which, now)]


def unmatched_message(stage: Stage, room: int) -> list[Event]:
    """Somebody, known or not, texts what no keyword matches."""
    if room < 1:
        return []
    mdn = stage.somebody().mdn or population.number(stage.rng.randrange(10**6))
    text, now = stage.rng.choice(_TEXTS), stage.tick()
    return [stage.announcer.unmatched(mdn, numbers.carrier_of(mdn), text, now)]


def install_pass(stage: Stage, room: int) -> list[Event]:
    """Install a wallet pass."""
    if room < 1:
        return []
    now, item = stage.tick(), f"item-{stage.rng.getrandbits(48)}"
    stage.wallet_items.append((item, now))
    return [stage.announcer.wallet("wallet_item_install", item, now, now)]


def remove_pass(stage: Stage, room: int) -> list[Event]:
    """Remove a wallet pass."""
    if room < 1 or not stage.wallet_items:
        return []
    item, installed = stage.wallet_items.pop(0)
    return [stage.announcer.wallet("wallet_item_remove", item, installed, stage.tick())]


def process_event(stage: Stage, room: int) -> list[Event]:
    """Let a message the customer asked for go its way: one callback a step, all with one inner event_id."""
    person, inner_id = stage.somebody(), new_uuid(stage.rng)
    event_type = stage.rng.choice(_EVENT_TYPES)
    data = {"first_name": "Bob", "external_person_id": person.external_person_id, "delivery_time": "5:00 PM"}
    steps = _STEPS[: min(room, stage.rng.randrange(1, 5))]
    return [stage.announcer.processed(inner_id, event_type, data, dict(step), stage.tick()) for step in steps]


def _device(stage: Stage, device_id: str) -> dict[str, str]:
    token = f"{stage.rng.getrandbits(256):064X}" if stage.rng.random() < 0.9 else None
    device_os = "ANDROID" if device_id[-1] in "01234567" else "IOS"
    return bodies.push_device(device_id, token, device_os)
