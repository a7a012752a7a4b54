"""What a history told, so that whatever was made of it can be checked."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from simulator.history.delivery import Delivery
from simulator.history.spec import HistorySpec
from simulator.history.stage import HistoryStage
from simulator.history.story import Sent
from simulator.mobiledb import MobileDB
from simulator.model import Campaign, JsonObject
from simulator.times import plain
from simulator.truth import truth


@dataclass(slots=True)
class Tally:
    """How many callbacks came, how many were not the first about their event, and of which types the others were.

    Types are those that a receiver reads in the bodies: a changed participant sometimes says it was added.
    """

    deliveries: int = 0
    duplicates: int = 0
    events: Counter[str] = field(default_factory=Counter)

    def note(self, delivery: Delivery) -> None:
        """Count a delivery."""
        self.deliveries += 1
        self.duplicates += delivery.again
        if not delivery.again and delivery.event.callback_type is not None:
            self.events[delivery.event.callback_type] += 1


@dataclass(frozen=True, slots=True)
class Totals:
    """What a history came to."""

    deliveries: int
    duplicates: int
    events: dict[str, int]
    """Events by callback_type."""
    persons: int
    stays: dict[str, int]
    """Stays by list and why they ended; "subscribed" if they have not."""


def totals(tally: Tally, db: MobileDB) -> Totals:
    """Return what a history came to, from what was told and what Vibes knows at its end."""
    stays = Counter(f"{stay.list_id} {stay.opt_out_reason or 'subscribed'}" for stay in db.stays)
    return Totals(tally.deliveries, tally.duplicates, dict(tally.events), len(db.persons), dict(stays))


def delivery_line(delivery: Delivery) -> JsonObject:
    """Return a delivery as the ledger's export has it."""
    event = delivery.event
    return {
        "kind": "delivery",
        "callback_type": event.callback_type,
        "fact": event.fact,
        "event_id": event.event_id,
        "event_date": plain(delivery.at),
        "received_at": delivery.received_at.isoformat(),
        "again": delivery.again,
        "parameter": event.parameter,
    }


def closing_lines(spec: HistorySpec, stage: HistoryStage, sent: list[Sent]) -> Iterator[JsonObject]:
    """Yield the rest of the ledger's export: lists, campaigns, broadcasts, then persons and stays, as of the end."""
    yield {"kind": "history", "company_key": spec.company_key, "ingest_id": spec.ingest_id, "seed": spec.seed}
    for which in stage.db.stays.lists.values():
        yield {"kind": "list", "list_id": which.list_id, "name": which.name, "archived": which.archived}
    yield from (_campaign(campaign) for campaign in stage.db.campaigns.campaigns.values())
    for broadcast in sent:
        yield {"kind": "broadcast", **broadcast._asdict(), "at": plain(broadcast.at)}
    yield from truth(stage.db, _Everything())


def _campaign(campaign: Campaign) -> JsonObject:
    return {
        "kind": "campaign",
        "acquisition_id": campaign.acquisition_id,
        "campaign_id": campaign.campaign_id,
        "keyword": campaign.keyword,
        "description": campaign.description,
        "list_id": campaign.list_id,
        "double_opt_in": campaign.double_opt_in,
    }


class _Everything(frozenset[str]):
    """The event_ids that were sent: all there are."""

    def __contains__(self, _event_id: object) -> bool:
        return True
