import pytest

from ingest.answers import BLOCKED, NOT_CONNECTED, STALLED
from ingest.broker_health import REFUSED_SECONDS, BrokerHealth

PATIENCE = 1.5


@pytest.fixture
def health() -> BrokerHealth:
    """The health of a process that started at time 100 and has just connected; two publishes at a time."""
    health = BrokerHealth(PATIENCE, 2, now=100.0)
    health.connected()
    return health


def test_at_first_the_broker_is_not_connected_but_worth_waiting_for() -> None:
    health = BrokerHealth(PATIENCE, 2, now=100.0)
    assert health.problem(100.0) is NOT_CONNECTED
    assert health.hopeless(101.0) is None
    assert health.hopeless(101.6) is NOT_CONNECTED


def test_a_connected_broker_has_no_problem(health: BrokerHealth) -> None:
    assert health.problem(200.0) is None
    assert health.hopeless(200.0) is None


def test_a_broker_that_has_just_gone_is_worth_waiting_for_and_one_long_gone_is_not(health: BrokerHealth) -> None:
    health.disconnected(200.0)
    assert health.problem(200.0) is NOT_CONNECTED
    assert health.hopeless(201.0) is None
    assert health.hopeless(201.6) is NOT_CONNECTED


def test_a_blocked_broker_is_waited_for_likewise(health: BrokerHealth) -> None:
    health.blocked(200.0)
    assert health.problem(200.0) is BLOCKED
    assert health.hopeless(201.6) is BLOCKED
    health.unblocked()
    assert health.problem(201.7) is None


def test_a_broker_that_stays_away_does_not_become_worth_waiting_for_with_each_failed_attempt(
    health: BrokerHealth,
) -> None:
    health.disconnected(200.0)
    health.disconnected(210.0)
    assert health.hopeless(210.0) is NOT_CONNECTED


def test_a_broker_gone_while_blocked_has_been_of_no_use_since_it_was_blocked(health: BrokerHealth) -> None:
    health.blocked(200.0)
    health.disconnected(210.0)
    assert health.hopeless(210.0) is NOT_CONNECTED


def test_the_end_of_a_block_does_not_hide_a_lost_connection(health: BrokerHealth) -> None:
    health.blocked(200.0)
    health.disconnected(201.0)
    health.unblocked()
    assert health.problem(202.0) is NOT_CONNECTED


def test_the_broker_has_stalled_when_no_publish_can_start_and_none_ends(health: BrokerHealth) -> None:
    with health.publishing(200.0):
        assert health.problem(300.0) is None
        with health.publishing(200.5):
            assert health.problem(201.4) is None
            assert health.problem(201.6) is STALLED
            assert health.hopeless(201.6) is STALLED
        assert health.problem(201.7) is None


def test_a_connection_on_which_a_queue_takes_nothing_for_long_is_given_up(health: BrokerHealth) -> None:
    health.refused("0", 200.0)
    health.refused("0", 200.0 + REFUSED_SECONDS - 0.1)
    with pytest.raises(ConnectionError, match="refused every message"):
        health.refused("0", 200.0 + REFUSED_SECONDS)


def test_what_one_queue_takes_says_nothing_of_another(health: BrokerHealth) -> None:
    health.refused("0", 200.0)
    health.refused("1", 200.0)
    health.taken("1")
    health.refused("1", 200.0 + REFUSED_SECONDS)
    with pytest.raises(ConnectionError):
        health.refused("0", 200.0 + REFUSED_SECONDS)


def test_refusals_of_an_earlier_connection_do_not_count(health: BrokerHealth) -> None:
    health.refused("0", 200.0)
    health.disconnected(201.0)
    health.refused("0", 200.0 + REFUSED_SECONDS)
