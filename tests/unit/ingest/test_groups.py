import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.answers import DEADLINE, DRAINING, NACKED, Receipt
from ingest.groups import Group, Groups, Waiting
from schemas.broker_message import ReceivedCallback


def waiting(body: bytes = b"{}") -> Waiting:
    callback = ReceivedCallback(body, datetime(2026, 1, 1, tzinfo=UTC), "192.0.2.1", "POST", "main")
    return Waiting(callback, asyncio.get_running_loop().create_future(), "acme", deadline=0.0)


def bodies(group: Group | None) -> list[bytes]:
    assert group is not None
    return [item.callback.body for item in group.waiting]


async def test_nothing_waits_at_first() -> None:
    assert Groups(10, 1000).take() is None


async def test_everything_that_waits_for_one_company_leaves_together_in_order() -> None:
    groups = Groups(10, 1000)
    for body in (b"1", b"2", b"3"):
        groups.add("acme", waiting(body))
    assert bodies(groups.take()) == [b"1", b"2", b"3"]
    assert groups.take() is None


async def test_a_group_holds_so_many_callbacks_at_most() -> None:
    groups = Groups(2, 1000)
    for body in (b"1", b"2", b"3"):
        groups.add("acme", waiting(body))
    assert [bodies(groups.take()), bodies(groups.take())] == [[b"1", b"2"], [b"3"]]


async def test_a_group_holds_so_many_bytes_at_most_and_a_larger_body_goes_alone() -> None:
    groups = Groups(10, 10)
    for body in (b"x" * 6, b"y" * 4, b"z", b"l" * 50, b"a"):
        groups.add("acme", waiting(body))
    taken = [bodies(groups.take()) for _ in range(4)]
    assert taken == [[b"x" * 6, b"y" * 4], [b"z"], [b"l" * 50], [b"a"]]


async def test_a_group_belongs_to_one_company_and_companies_take_turns() -> None:
    groups = Groups(2, 1000)
    for number in range(6):
        groups.add("busy", waiting(b"%d" % number))
    groups.add("quiet", waiting(b"q"))
    taken = [groups.take() for _ in range(4)]
    assert [group.lane.company_key for group in taken if group] == ["busy", "quiet", "busy", "busy"]


async def test_what_was_answered_meanwhile_is_left_out() -> None:
    groups = Groups(10, 1000)
    late, fresh = waiting(b"late"), waiting(b"fresh")
    groups.add("acme", late)
    groups.add("acme", fresh)
    late.settle(DEADLINE)
    assert bodies(groups.take()) == [b"fresh"]


async def test_when_all_were_answered_there_is_no_group() -> None:
    groups = Groups(10, 1000)
    late = waiting()
    groups.add("acme", late)
    late.settle(DEADLINE)
    assert groups.take() is None


async def test_answered_callbacks_do_not_pile_up_while_nothing_is_published() -> None:
    groups = Groups(10, 1000)
    for _ in range(100):
        late = waiting()
        groups.add("acme", late)
        late.settle(DEADLINE)
        groups.forget_answered("acme")
    assert len(groups.lane("acme").waiting) == 0
    groups.add("acme", waiting(b"next"))
    assert bodies(groups.take()) == [b"next"]
    assert groups.take() is None


async def test_a_confirmed_group_gives_receipts_and_counts_them() -> None:
    groups = Groups(10, 1000)
    first, second = waiting(), waiting()
    groups.add("acme", first)
    groups.add("acme", second)
    group = groups.take()
    assert group is not None
    group.confirm([Receipt("m", 0), Receipt("m", 1)], now=7.0)
    assert [str(item.answer.result()) for item in (first, second)] == ["m/0", "m/1"]
    assert (group.lane.acknowledged, group.lane.acknowledged_at) == (2, 7.0)


async def test_a_callback_whose_deadline_came_first_is_not_counted_as_acknowledged() -> None:
    groups = Groups(10, 1000)
    late, fresh = waiting(), waiting()
    groups.add("acme", late)
    groups.add("acme", fresh)
    group = groups.take()
    assert group is not None
    late.settle(DEADLINE)
    group.confirm([Receipt("m", 0), Receipt("m", 1)], now=7.0)
    assert (late.answer.result(), fresh.answer.result()) == (DEADLINE, Receipt("m", 1))
    assert group.lane.acknowledged == 1


async def test_a_group_nobody_waits_for_any_more_acknowledges_nothing() -> None:
    groups = Groups(10, 1000)
    late = waiting()
    groups.add("acme", late)
    group = groups.take()
    assert group is not None
    late.settle(DEADLINE)
    group.confirm([Receipt("m", 0)], now=7.0)
    assert (group.lane.acknowledged, group.lane.acknowledged_at) == (0, 0.0)


async def test_refusing_a_group_leaves_given_answers_alone() -> None:
    groups = Groups(10, 1000)
    item = waiting()
    groups.add("acme", item)
    group = groups.take()
    assert group is not None
    group.confirm([Receipt("m", 0)], now=7.0)
    group.refuse(NACKED)
    assert item.answer.result() == Receipt("m", 0)


async def test_all_can_be_refused_at_once() -> None:
    groups = Groups(2, 1000)
    items = [waiting() for _ in range(5)]
    for number, item in enumerate(items):
        groups.add(f"company-{number % 2}", item)
    groups.refuse_all(DRAINING)
    assert [item.answer.result() for item in items] == [DRAINING] * 5


@pytest.mark.parametrize("limit", [1, 3])
@given(arrivals=st.lists(st.tuples(st.sampled_from("abc"), st.binary(max_size=8), st.booleans()), max_size=40))
def test_each_unanswered_callback_leaves_once_in_its_companys_order(
    limit: int, arrivals: list[tuple[str, bytes, bool]]
) -> None:
    async def scenario() -> None:
        groups = Groups(limit, 10)
        expected: dict[str, list[bytes]] = {}
        for company, body, answered in arrivals:
            item = waiting(body)
            groups.add(company, item)
            if answered:
                item.settle(DEADLINE)
                groups.forget_answered(company)
            else:
                expected.setdefault(company, []).append(body)
        left: dict[str, list[bytes]] = {}
        while group := groups.take():
            assert 1 <= len(group.waiting) <= limit
            left.setdefault(group.lane.company_key, []).extend(bodies(group))
        assert left == expected

    asyncio.run(scenario())


async def test_the_first_callback_of_a_company_leaves_at_once() -> None:
    groups = Groups(10, 1000, worth_a_message=3)
    assert groups.add("acme", waiting(b"1"))
    assert groups.may_one_leave()
    assert bodies(groups.take()) == [b"1"]


async def test_while_a_group_is_in_flight_the_next_leaves_only_when_it_is_worth_a_message() -> None:
    groups = Groups(10, 1000, worth_a_message=3)
    groups.add("acme", waiting(b"1"))
    groups.take()
    assert [groups.add("acme", waiting(body)) for body in (b"2", b"3")] == [False, False]
    assert (groups.may_one_leave(), groups.take()) == (False, None)
    assert groups.add("acme", waiting(b"4"))
    assert groups.may_one_leave()
    assert bodies(groups.take()) == [b"2", b"3", b"4"]


async def test_what_waited_for_a_group_in_flight_leaves_when_that_is_settled_however_little_it_is() -> None:
    groups = Groups(10, 1000, worth_a_message=3)
    groups.add("acme", waiting(b"1"))
    group = groups.take()
    groups.add("acme", waiting(b"2"))
    assert group is not None
    groups.settled(group)
    assert groups.may_one_leave()
    assert bodies(groups.take()) == [b"2"]


async def test_all_groups_in_flight_must_be_settled_before_little_may_leave() -> None:
    groups = Groups(1, 1000, worth_a_message=2)
    for body in (b"1", b"2", b"3"):
        groups.add("acme", waiting(body))
    first, second = groups.take(), groups.take()
    assert (bodies(first), bodies(second)) == ([b"1"], [b"2"])
    assert first is not None
    assert second is not None
    groups.settled(first)
    assert groups.take() is None
    groups.settled(second)
    assert bodies(groups.take()) == [b"3"]


async def test_a_group_in_flight_holds_up_no_other_company() -> None:
    groups = Groups(10, 1000, worth_a_message=3)
    groups.add("busy", waiting(b"1"))
    groups.take()
    groups.add("busy", waiting(b"2"))
    assert not groups.may_one_leave()
    assert groups.add("quiet", waiting(b"q"))
    assert groups.may_one_leave()
    assert bodies(groups.take()) == [b"q"]
    assert not groups.may_one_leave()


async def test_a_company_that_has_to_wait_keeps_its_turn() -> None:
    groups = Groups(10, 1000, worth_a_message=3)
    groups.add("busy", waiting(b"1"))
    group = groups.take()
    groups.add("busy", waiting(b"2"))
    assert groups.take() is None
    groups.add("quiet", waiting(b"q"))
    assert group is not None
    groups.settled(group)
    assert [bodies(groups.take()), bodies(groups.take())] == [[b"2"], [b"q"]]


async def test_when_all_that_waited_was_answered_the_next_callback_leaves_at_once_again() -> None:
    groups = Groups(10, 1000, worth_a_message=3)
    late = waiting()
    groups.add("acme", late)
    late.settle(DEADLINE)
    assert groups.take() is None
    assert groups.add("acme", waiting(b"next"))
    assert bodies(groups.take()) == [b"next"]


@pytest.mark.parametrize("worth_a_message", [1, 2, 5])
@given(steps=st.lists(st.sampled_from(["add a", "add b", "settle", "take"]), max_size=60))
def test_whether_one_may_leave_is_whether_take_finds_something(worth_a_message: int, steps: list[str]) -> None:
    async def scenario() -> None:
        groups = Groups(3, 1000, worth_a_message)
        in_flight: list[Group] = []
        left = []
        added = 0
        for step in steps:
            if step == "settle" and in_flight:
                groups.settled(in_flight.pop(0))
            elif step == "take":
                promised = groups.may_one_leave()
                group = groups.take()
                assert (group is not None) == promised
                if group is not None:
                    in_flight.append(group)
                    left += bodies(group)
            elif step.startswith("add"):
                groups.add(step[-1], waiting(b"%d" % added))
                added += 1
        for group in in_flight:
            groups.settled(group)
        while (group := groups.take()) is not None:
            groups.settled(group)
            left += bodies(group)
        assert sorted(left) == sorted(b"%d" % number for number in range(added))

    asyncio.run(scenario())
