"""An error of a service is told with what to do about it, and without what a statement held."""

import asyncpg
import pytest
from aiormq import exceptions as amqp

from runtime.amqp import describe
from runtime.broker_trouble import broker_remedy
from runtime.postgres_trouble import in_a_line, postgres_trouble
from runtime.schema import NotMigratedError


@pytest.mark.parametrize(
    ("error", "detail", "remedy"),
    [
        (
            asyncpg.InvalidPasswordError('password authentication failed for user "u"'),
            'password authentication failed for user "u"',
            "check the user and the password in DATABASE_URL",
        ),
        (asyncpg.InvalidCatalogNameError('database "v" does not exist'), 'database "v" does not exist', "create"),
        (asyncpg.InsufficientPrivilegeError("permission denied for table t"), "permission denied", "vibes_worker"),
        (asyncpg.UndefinedColumnError('column "x" does not exist'), 'column "x"', "run: vibes-pipeline migrate"),
        (ConnectionRefusedError(111, "Connect call failed"), "[Errno 111]", "whether DATABASE_URL leads to it"),
        (TimeoutError(), "TimeoutError", "see whether it runs"),
    ],
)
def test_an_error_of_postgresql_comes_with_a_remedy(error: Exception, detail: str, remedy: str) -> None:
    told = postgres_trouble(error)
    assert told["error"] == type(error).__name__
    assert told["detail"].startswith(detail)
    assert remedy in told["remedy"]
    assert in_a_line(told) == f"{told['detail']}; {told['remedy']}"


def test_what_may_quote_a_row_is_told_by_its_class_only() -> None:
    error = asyncpg.UniqueViolationError("Key (mdn)=(+15551230001) already exists")
    assert postgres_trouble(error) == {"error": "UniqueViolationError"}
    assert in_a_line(postgres_trouble(error)) == "UniqueViolationError"


def test_the_detail_and_hint_of_the_server_are_left_out() -> None:
    error = asyncpg.UndefinedTableError("relation does not exist\nDETAIL:  Key +15551230001")
    assert "+1555" not in in_a_line(postgres_trouble(error))


def test_a_database_that_is_not_migrated_says_what_to_run() -> None:
    error = NotMigratedError("the database lacks 0099-x; run: vibes-pipeline migrate")
    assert in_a_line(postgres_trouble(error)) == str(error)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (amqp.ProbableAuthenticationError("ACCESS_REFUSED - Login was refused"), "the password in AMQP_URL"),
        (amqp.ConnectionNotAllowed("NOT_ALLOWED - vhost v not found"), "virtual host"),
        (amqp.ChannelAccessRefused("ACCESS_REFUSED - read access to queue 'q' refused"), "deploy/rabbitmq/users.sh"),
        (amqp.ChannelPreconditionFailed("inequivalent arg"), "VIBES_PIPELINE_QUEUE_PREFIX"),
        (ConnectionRefusedError(111, "refused"), "see whether it runs"),
        (TimeoutError("the broker did not answer"), "see whether it runs"),
    ],
)
def test_an_error_of_rabbitmq_comes_with_a_remedy(error: Exception, remedy: str) -> None:
    assert remedy in (broker_remedy(error) or "")
    consequence = ConnectionError("the broker connection closed")
    consequence.__cause__ = error
    assert remedy in describe(consequence)["remedy"]


def test_an_end_that_is_nobodys_fault_has_none() -> None:
    assert "remedy" not in describe(amqp.ConnectionClosed(320, "CONNECTION_FORCED - broker forced connection closure"))
