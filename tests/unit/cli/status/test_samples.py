"""Figures from what a process told, and from what changed between two tellings."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from cli.status.figures import part_of
from cli.status.samples import Change, Samples, read_samples
from runtime.metrics import Part, exposition


class Told:
    """A process with a counter and a histogram."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answers = Counter("answers_total", "Answers.", ["status"], registry=self.registry)
        self.seconds = Histogram("seconds", "How long.", ["route"], buckets=(1, 2, 4), registry=self.registry)

    def tells(self) -> Samples:
        return read_samples(generate_latest(self.registry).decode())


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_rate_is_of_the_time_between_two_tellings(told: Told) -> None:
    told.answers.labels("200").inc(10)
    before = told.tells()
    told.answers.labels("200").inc(30)
    told.answers.labels("503").inc(10)
    change = Change(told.tells(), before, 2.0)
    assert change.rate("answers_total") == 20.0
    assert change.rate("answers_total", status="503") == 5.0
    assert change.rate("answers_total", status="404") == 0.0


def test_there_is_no_rate_without_a_telling_before_nor_of_what_is_not_told(told: Told) -> None:
    assert Change(told.tells()).rate("answers_total") is None
    assert Change(told.tells(), told.tells(), 2.0).rate("other_total") is None


def test_a_process_that_began_anew_counts_from_its_start(told: Told) -> None:
    told.answers.labels("200").inc(100)
    again = Told()
    again.answers.labels("200").inc(4)
    assert Change(again.tells(), told.tells(), 2.0).rate("answers_total") == 2.0


def test_quantiles_are_reckoned_as_prometheus_does_over_all_labels(told: Told) -> None:
    for seconds, route in ((0.5, "a"), (1.5, "a"), (1.5, "b"), (3.0, "b")):
        told.seconds.labels(route).observe(seconds)
    change = Change(told.tells())
    assert change.quantile("seconds", 0.5) == 1.5
    assert change.quantile("seconds", 1.0) == 4.0
    assert change.mean("seconds") == 1.625


def test_quantiles_are_of_what_was_observed_meanwhile(told: Told) -> None:
    told.seconds.labels("a").observe(0.5)
    before = told.tells()
    assert Change(told.tells(), before, 1.0).quantile("seconds", 0.5) is None
    assert Change(told.tells(), before, 1.0).mean("seconds") is None
    told.seconds.labels("a").observe(3.0)
    assert Change(told.tells(), before, 1.0).quantile("seconds", 0.5) == 3.0


def test_of_what_is_beyond_the_last_bound_only_that_is_told(told: Told) -> None:
    told.seconds.labels("a").observe(100)
    assert Change(told.tells()).quantile("seconds", 0.99) == 4.0


@pytest.mark.parametrize("part", ["ingest", "apply", "person-sync"])
def test_a_part_is_known_by_what_it_tells(part: Part) -> None:
    assert part_of(read_samples(exposition(part, "")[0].decode())) == part


def test_others_are_no_part() -> None:
    assert part_of(read_samples("# TYPE node_cpu_seconds_total counter\nnode_cpu_seconds_total 1\n")) is None
    assert part_of(read_samples("")) is None


def test_what_is_no_exposition_is_an_error() -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_samples("<html>not found</html>")
