from collections.abc import Mapping, Sequence

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import MessageError
from workers.apply.settle import settle_items, sift


@given(st.sets(st.integers(0, 99), max_size=6))
async def test_exactly_the_bad_items_are_refused(bad: set[int]) -> None:
    async def trial(items: Sequence[int]) -> MessageError | None:
        return MessageError("bad") if bad & set(items) else None

    assert set(await sift(range(100), trial)) == bad


async def test_one_bad_item_among_many_is_found_in_few_trials() -> None:
    trials = 0

    async def trial(items: Sequence[int]) -> MessageError | None:
        nonlocal trials
        trials += 1
        return MessageError("bad") if 317 in items else None

    await sift(range(512), trial)
    assert trials <= 20


async def test_what_passes_is_sure_to_pass_together_even_if_items_fail_only_in_company() -> None:
    async def trial(items: Sequence[int]) -> MessageError | None:
        return MessageError("quarrel") if {1, 2} <= set(items) else None

    assert set(await sift(range(4), trial)) == {2}


@pytest.mark.parametrize("trouble", [asyncpg.DeadlockDetectedError, asyncpg.SerializationError, ConnectionResetError])
async def test_trouble_of_the_environment_is_no_items_fault(trouble: type[Exception]) -> None:
    async def apply(refused: Mapping[int, MessageError]) -> None:
        raise trouble

    async def attempt(items: Sequence[int]) -> None:
        raise AssertionError("no item is to be looked at")

    with pytest.raises(trouble):
        await settle_items(range(4), apply, attempt)


async def test_what_is_refused_is_set_aside_and_the_others_are_applied() -> None:
    async def apply(refused: Mapping[int, MessageError]) -> dict[int, str]:
        if 2 not in refused:
            raise asyncpg.DataError
        return {item: problem.reason for item, problem in refused.items()}

    async def attempt(items: Sequence[int]) -> None:
        if 2 in items:
            raise asyncpg.DataError

    assert await settle_items(range(4), apply, attempt) == {2: "refused_by_database"}
