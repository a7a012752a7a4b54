"""The oldest callback that is not applied: of batches under way, and of those that were given back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from schemas.broker_message import CallbackMessage
from schemas.errors import ServiceError
from tests.support.applying import message
from workers.apply.unapplied import Unapplied

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def received(minutes: int) -> CallbackMessage:
    told = message([b"{}", b"{}"])
    at = NOON + timedelta(minutes=minutes)
    later = at + timedelta(seconds=1)
    first, second = told.callbacks
    return replace(told, callbacks=(first._replace(received_at=at), second._replace(received_at=later)))


def test_it_is_that_of_the_oldest_batch_until_that_is_applied() -> None:
    unapplied = Unapplied()
    with unapplied.batch([received(2), received(1)]):
        with unapplied.batch([received(3)]):
            assert unapplied.oldest == NOON + timedelta(minutes=1)
        assert unapplied.oldest == NOON + timedelta(minutes=1)
    assert unapplied.oldest is None


def test_messages_without_callbacks_do_not_count() -> None:
    unapplied = Unapplied()
    with unapplied.batch([message([])]):
        assert unapplied.oldest is None


def test_what_is_given_back_counts_until_messages_are_taken_again() -> None:
    unapplied = Unapplied()
    with pytest.raises(ServiceError), unapplied.batch([received(1)]):
        raise ServiceError
    assert unapplied.oldest == NOON + timedelta(minutes=1)
    unapplied.take_again()
    assert unapplied.oldest is None


def test_what_is_lost_with_the_connection_is_somebody_elses() -> None:
    unapplied = Unapplied()
    with pytest.raises(ConnectionError), unapplied.batch([received(1)]):
        raise ConnectionError
    assert unapplied.oldest is None
