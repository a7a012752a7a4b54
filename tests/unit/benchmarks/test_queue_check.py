"""What a contestant has acknowledged has to be in its queue."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from benchmarks.ingest.closed_loop import check_kept
from deploy.local.errors import ServiceError

if TYPE_CHECKING:
    from benchmarks.ingest.contestants import Contestant
    from benchmarks.ingest.queues import Queues


def check(kept: int, *, messages: int = 10) -> float:
    """Check a queue for 100 callbacks acknowledged and up to 64 under way at the end."""
    queues = SimpleNamespace(wait_until_still=lambda _names: messages)
    contestant = SimpleNamespace(name="ours", queues=("q",), take=lambda _names: kept)
    return check_kept(cast("Queues", queues), cast("Contestant", contestant), at_least=100, at_most=164)


@pytest.mark.parametrize("kept", [100, 130, 164])
def test_what_was_under_way_at_the_end_may_be_there_or_not(kept: int) -> None:
    check(kept)


def test_a_callback_that_is_not_there_was_lost() -> None:
    with pytest.raises(ServiceError, match=r"ours acknowledged 100 callbacks.*there were 99: some were lost"):
        check(99)


def test_more_than_were_sent_are_doubles() -> None:
    with pytest.raises(ServiceError, match=r"there were 165: some were there twice"):
        check(165)


def test_it_tells_how_many_callbacks_share_a_message() -> None:
    assert check(120, messages=10) == 12.0
