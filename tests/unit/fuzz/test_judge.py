"""The judge of the abuse finds what breaks a promise, and nothing else."""

import pytest

from tests.chaos.abuse.attempts import CLOSED, STORED, Attempt
from tests.chaos.abuse.judge import Verdicts
from tests.chaos.abuse.wire import Answer, Reply

STORABLE = Attempt("plain", (b"x",), STORED, (b"{}",))
UNREADABLE = Attempt("no_http", (b"x",), frozenset({503, CLOSED}), patience=1.0)


def judged(attempt: Attempt, *answers: Answer) -> Verdicts:
    verdicts = Verdicts()
    verdicts.judge(0, attempt, Reply(list(answers)))
    verdicts.conclude()
    return verdicts


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 502, 301, CLOSED, None])
def test_whatever_keeps_what_could_be_stored_from_being_stored_is_found(status: int | None) -> None:
    assert judged(STORABLE, Answer(status)).found == 1


@pytest.mark.parametrize("status", [400, 411, 431, 500, 505])
def test_a_refusal_for_good_of_what_cannot_be_read_is_found(status: int) -> None:
    assert judged(UNREADABLE, Answer(status)).found == 1


@pytest.mark.parametrize(
    ("attempt", "answer"),
    [
        (STORABLE, Answer(202, "m/0")),
        (STORABLE, Answer(503)),
        (UNREADABLE, Answer(503)),
        (UNREADABLE, Answer(CLOSED)),
        (UNREADABLE, Answer(None)),
    ],
)
def test_what_was_promised_is_not_found(attempt: Attempt, answer: Answer) -> None:
    assert judged(attempt, answer).findings == []


def test_a_receipt_that_is_given_twice_is_found() -> None:
    two = Attempt("pipelined", (b"x",), STORED, (b"1", b"2"), answers=2)
    assert judged(two, Answer(202, "m/0"), Answer(202, "m/0")).findings
    assert not judged(two, Answer(202, "m/0"), Answer(202, "m/1")).findings


def test_an_acknowledgement_without_a_receipt_is_found() -> None:
    assert judged(STORABLE, Answer(202)).found == 1


def test_too_many_requests_to_come_again_are_found() -> None:
    verdicts = Verdicts()
    for number in range(100):
        verdicts.judge(number, STORABLE, Reply([Answer(503)]))
    assert verdicts.findings == []
    verdicts.conclude()
    assert len(verdicts.findings) == 1


def test_only_the_first_findings_are_kept_and_all_are_counted() -> None:
    verdicts = Verdicts()
    for _ in range(1000):
        verdicts.note("a problem")
    assert verdicts.found == 1000
    assert len(verdicts.findings) < 100
