"""The numbers of the views for analysts, reckoned from the simulator's ledger, and not from any table of ours.

Nothing here knows how the pipeline folds events: it takes the events as they occurred, each once and in order.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from schemas.values import read_timestamp
from simulator.history.delivery import Delivery
from simulator.model import JsonObject

Row = tuple[Any, ...]


class Stay(NamedTuple):
    """A stay, as the simulator's MobileDB has it; the campaign as callbacks told it."""

    person_id: str
    list_id: str
    begin: datetime
    end: datetime | None
    reason: str | None
    campaign: str | None

    @property
    def months(self) -> int | None:
        """How many whole months it lasted."""
        if self.end is None:
            return None
        months = (self.end.year - self.begin.year) * 12 + self.end.month - self.begin.month
        early = (self.end.day, self.end.time()) < (self.begin.day, self.begin.time())
        return months - early


@dataclass(slots=True)
class Told:
    """What was delivered: each event once, with its first receipt, in order of occurrence."""

    events: dict[Row, Delivery] = field(default_factory=dict)
    duplicates: int = 0

    def note(self, delivery: Delivery) -> None:
        """Take in a delivery, whichever comes first."""
        # An id is unique for one type only.
        key = (delivery.event.callback_type, delivery.event.event_id)
        self.duplicates += key in self.events
        self.events.setdefault(key, delivery)

    def of(self, *kinds: str) -> Iterator[tuple[str, datetime, JsonObject]]:
        """Yield the events of these types in order: what each is really about, when it occurred, its body.

        Ids are texts, whatever the body has them as.
        """
        for delivery in sorted(self.events.values(), key=lambda each: each.at):
            fact = str(delivery.event.fact)
            if fact.startswith(kinds):
                yield fact, delivery.at, json.loads(delivery.event.body, parse_int=str)


def stays_of(ledger: Iterable[JsonObject], told: Told) -> list[Stay]:
    """Return the stays of the ledger, in order."""
    campaigns: dict[Row, str] = {}
    for _, _, body in told.of("subscription_added", "subscription_removed"):
        stay = body["subscription"]
        if campaign := stay.get("acquisition_campaign"):
            key = (stay["person"]["id"], stay["subscription_list"]["id"], read_timestamp(stay["opt_in_date"]))
            campaigns[key] = campaign["id"]
    found = []
    for line in ledger:
        if line["kind"] == "stay":
            begin, end = read_timestamp(line["opt_in_date"]), read_timestamp(line["opt_out_date"])
            assert begin is not None
            key = (line["person_id"], line["list_id"], begin)
            found.append(Stay(*key, end, line["opt_out_reason"], campaigns.get(key)))
    return sorted(found, key=lambda stay: (stay.list_id, stay.person_id, stay.begin))


def daily(stays: Iterable[Stay]) -> Counter[Row]:
    """Return opt-ins and opt-outs by day, list, campaign, reason, and which of both."""
    counts: Counter[Row] = Counter()
    for stay in stays:
        counts[stay.begin.date(), stay.list_id, stay.campaign, None, "in"] += 1
        if stay.end is not None:
            counts[stay.end.date(), stay.list_id, stay.campaign, stay.reason, "out"] += 1
    return counts


def growth(stays: Iterable[Stay]) -> dict[tuple[str, date], int]:
    """Return the subscribers of each list at the end of each day on which it changed."""
    changes: defaultdict[str, Counter[date]] = defaultdict(Counter)
    for stay in stays:
        changes[stay.list_id][stay.begin.date()] += 1
        if stay.end is not None:
            changes[stay.list_id][stay.end.date()] -= 1
    subscribers = {}
    for list_id, days in changes.items():
        size = 0
        for day in sorted(days):
            size += days[day]
            subscribers[list_id, day] = size
    return subscribers


def churn(stays: Iterable[Stay], today: datetime) -> dict[Row, tuple[int, int]]:
    """Return size and survivors by list, campaign, month of opt-in and months since."""
    cohorts: defaultdict[Row, list[int | None]] = defaultdict(list)
    for stay in stays:
        cohorts[stay.list_id, stay.campaign, stay.begin.date().replace(day=1)].append(stay.months)
    found = {}
    for cohort, months in cohorts.items():
        over = (today.year - cohort[2].year) * 12 + today.month - cohort[2].month - 1
        for since in range(max(over, 0) + 1):
            found[*cohort, since] = (len(months), sum(1 for each in months if each is None or each >= since))
    return found


def lengths(stays: Iterable[Stay]) -> dict[Row, tuple[int, int, float, int]]:
    """Return how many ended, how many within 30 days, mean and lower median of days, by list and reason."""
    days: defaultdict[Row, list[float]] = defaultdict(list)
    for stay in stays:
        if stay.end is not None:
            days[stay.list_id, stay.reason].append((stay.end - stay.begin) / timedelta(days=1))
    return {
        key: (
            len(each),
            sum(1 for day in each if day < 30),
            round(sum(each) / len(each), 6),
            int(sorted(each)[(len(each) - 1) // 2]),
        )
        for key, each in days.items()
    }


def returns(stays: Iterable[Stay]) -> list[Row]:
    """Return who came back to which list: the number of the return, when and why they had left, when they came."""
    found: list[Row] = []
    before: dict[Row, tuple[Stay, int]] = {}
    for stay in stays:
        key = (stay.list_id, stay.person_id)
        if key in before:
            last, number = before[key]
            found.append((*key, number + 1, last.end, last.reason, stay.begin, stay.end))
            before[key] = (stay, number + 1)
        else:
            before[key] = (stay, 0)
    return found


def sign_ups(told: Told) -> dict[Row, tuple[str, str | None]]:
    """Return status and keyword by person, campaign and date of the sign-up."""
    found: dict[Row, tuple[str, str | None]] = {}
    for _, _, body in told.of("ack_participant", "company_participant"):
        who, campaign = body["participant"]["person"]["id"], body["participant"]["acquisition_campaign"]
        key = (who, campaign["id"], read_timestamp(body["participant"]["participation_date"]))
        status, keyword = body["participant"]["status"], campaign.get("keyword")
        if found.get(key, ("PENDING",))[0] == "PENDING":
            found[key] = (status, keyword)
    return found


def devices(told: Told) -> dict[str, tuple[str, bool]]:
    """Return whose each device is or was last, and whether it is attached."""
    found: dict[str, tuple[str, bool]] = {}
    for fact, _, body in told.of("device_"):
        device, person = body["push_device"]["vibes_device_id"], body["person"]["person_id"]
        if fact != "device_removed":
            found[device] = (person, True)
        elif found.get(device, (person,))[0] == person:
            found[device] = (person, False)
    return found


def passes(told: Told) -> dict[str, bool]:
    """Return whether each pass is installed."""
    return {body["wallet_item"]["uuid"]: fact == "wallet_item_install" for fact, _, body in told.of("wallet_item")}


def volume(told: Told) -> Counter[Row]:
    """Return events by the hour of their first receipt and the type their body tells."""
    return Counter(
        (each.received_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0), each.event.callback_type)
        for each in told.events.values()
    )


def delays(told: Told) -> dict[date, tuple[int, int, float]]:
    """Return by day of receipt how many events came, how many within a minute, and the longest delay in seconds."""
    found: defaultdict[date, list[float]] = defaultdict(list)
    for each in told.events.values():
        occurred = read_timestamp(json.loads(each.event.body)["event_date"])
        assert occurred is not None
        found[each.received_at.date()].append(max((each.received_at - occurred).total_seconds(), 0))
    return {
        day: (len(each), sum(1 for seconds in each if seconds <= 60), round(max(each), 3))
        for day, each in found.items()
    }
