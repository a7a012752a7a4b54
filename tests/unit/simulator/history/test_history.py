"""A history is plausible, complete, and the same every time it is told."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from schemas.broker_message import CallbackMessage, encode
from simulator.errors import UnprocessableError
from simulator.events import CALLBACK_TYPES
from simulator.history.delivery import Delivery
from simulator.history.history import History
from simulator.history.spec import HistorySpec

UNTIL = datetime(2025, 3, 1, tzinfo=UTC)
BEGIN = UNTIL - timedelta(days=120)


def spec(**changes: object) -> HistorySpec:
    return HistorySpec(**({"company_key": "acme", "begin": BEGIN, "until": UNTIL, "events": 4000} | changes))  # type: ignore[arg-type] # the fields' own types are checked where they are named


class Lived:
    """A history that was told to its end."""

    def __init__(self, of: HistorySpec) -> None:
        self.deliveries: list[Delivery] = []
        self.history = History(of, self.deliveries.append)
        self.messages: list[CallbackMessage] = list(self.history.messages())

    @property
    def first(self) -> list[Delivery]:
        return [delivery for delivery in self.deliveries if not delivery.again]


@pytest.fixture(scope="module")
def lived() -> Lived:
    return Lived(spec())


def encoded(of: HistorySpec) -> Iterator[bytes]:
    return map(encode, History(of).messages())


def test_the_same_spec_tells_the_same_messages_byte_for_byte() -> None:
    assert list(encoded(spec(events=500))) == list(encoded(spec(events=500)))


@pytest.mark.parametrize("change", [{"seed": 2}, {"until": UNTIL - timedelta(days=1)}, {"events": 501}])
def test_another_spec_shares_no_message_with_it(change: dict[str, object]) -> None:
    ids = {message.message_id for message in History(spec(events=500)).messages()}
    others = {message.message_id for message in History(spec(**{"events": 500, **change})).messages()}
    assert not ids & others
    assert spec(events=500).ingest_id != spec(**{"events": 500, **change}).ingest_id


def test_it_has_exactly_as_many_events_as_were_asked_for(lived: Lived) -> None:
    assert len(lived.first) == 4000
    assert len({delivery.event.event_id for delivery in lived.deliveries}) == 4000
    assert lived.history.tally.events.total() == 4000


@pytest.mark.parametrize(("events", "days"), [(1, 1), (3, 400), (50, 1), (3000, 2)])
def test_even_a_strange_one_has(events: int, days: int) -> None:
    lived = Lived(spec(events=events, begin=UNTIL - timedelta(days=days)))
    assert len(lived.first) == events


def test_every_callback_type_occurs(lived: Lived) -> None:
    assert {delivery.event.fact for delivery in lived.deliveries} == set(CALLBACK_TYPES)


def test_some_callbacks_come_twice_and_the_bodies_of_the_old_style_count_that(lived: Lived) -> None:
    again = [delivery for delivery in lived.deliveries if delivery.again]
    assert len(again) == lived.history.tally.duplicates
    assert 0.01 < len(again) / 4000 < 0.03
    assert any(b'"delivery_attempt":"2"' in delivery.body for delivery in again)


def test_callbacks_come_after_their_events_and_before_the_end_and_some_are_very_late(lived: Lived) -> None:
    delays = [delivery.received_at - delivery.at for delivery in lived.deliveries]
    assert all(timedelta() <= delay <= timedelta(days=6) for delay in delays)
    assert all(BEGIN <= delivery.received_at < UNTIL for delivery in lived.deliveries)
    assert sum(delay > timedelta(minutes=4) for delay in delays) > 100
    assert any(delay > timedelta(hours=1) for delay in delays)


def test_they_come_in_order_of_receipt_which_is_not_the_order_of_their_events(lived: Lived) -> None:
    assert all(one.received_at <= next_.received_at for one, next_ in pairwise(lived.deliveries))
    assert any(one.at > next_.at for one, next_ in pairwise(lived.deliveries))


def test_messages_hold_every_delivery_and_tell_how_many_were_acknowledged_before(lived: Lived) -> None:
    acknowledged = 0
    for message in lived.messages:
        assert message.acknowledged == acknowledged
        acknowledged += len(message.callbacks)
    assert acknowledged == len(lived.deliveries)
    assert lived.messages[-1].callbacks == ()


def test_a_message_and_its_id_belong_to_one_hour(lived: Lived) -> None:
    def hour(moment: datetime) -> datetime:
        return moment.replace(minute=0, second=0, microsecond=0)

    for message in lived.messages:
        told = datetime.fromtimestamp((message.message_id.int >> 80) / 1000, UTC)
        assert {hour(callback.received_at) for callback in message.callbacks} <= {hour(told)}


def test_people_join_leave_and_come_back_and_lists_open_and_are_archived(lived: Lived) -> None:
    stays = list(lived.history.db.stays)
    of_pair = Counter((stay.person.person_id, stay.list_id) for stay in stays)
    assert any(count > 1 for count in of_pair.values())
    assert {"list_archived", "keyword_opt_out", "disconnect"} <= {stay.opt_out_reason for stay in stays}
    lists = lived.history.db.stays.lists.values()
    assert {which.archived for which in lists} == {True, False}
    assert len(lists) > 5


def test_stays_of_one_person_on_one_list_follow_each_other(lived: Lived) -> None:
    ends: dict[tuple[str, str], datetime | None] = {}
    for stay in sorted(lived.history.db.stays, key=lambda stay: stay.opt_in_date):
        key = (stay.person.person_id, stay.list_id)
        before = ends.get(key, BEGIN)
        assert before is not None
        assert before <= stay.opt_in_date
        ends[key] = stay.opt_out_date


def test_every_person_and_every_stay_is_told_of(lived: Lived) -> None:
    event_ids = {delivery.event.event_id for delivery in lived.deliveries}
    assert all(person.announced_by in event_ids for person in lived.history.db.persons)
    for stay in lived.history.db.stays:
        assert stay.added_by in event_ids
        assert (stay.removed_by in event_ids) == (stay.opt_out_date is not None)


def test_a_broadcast_drives_some_subscribers_away(lived: Lived) -> None:
    broadcasts = [line for line in lived.history.ledger() if line["kind"] == "broadcast"]
    assert sum(line["stopping"] for line in broadcasts) > 0
    assert all(line["stopping"] <= line["subscribers"] for line in broadcasts)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"begin": UNTIL}, "from 1 to 3660 days"),
        ({"begin": BEGIN + timedelta(hours=1)}, "midnight"),
        ({"until": UNTIL.replace(tzinfo=None)}, "midnight"),
        ({"events": 0}, "events"),
        ({"duplicate_ratio": 1.1}, "duplicate_ratio"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(UnprocessableError, match=told):
        spec(**changes)
