from prometheus_client import CollectorRegistry, Histogram, generate_latest

from runtime.durations import Durations

BUCKETS = (0.001, 0.25, 1.0, 10.0)


def test_it_shows_what_a_histogram_of_the_library_shows() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    durations = Durations("answer_seconds", "From request to answer.", buckets=BUCKETS, registry=ours)
    histogram = Histogram("answer_seconds", "From request to answer.", buckets=BUCKETS, registry=theirs)
    for seconds in (0.0, 0.001, 0.0011, 0.25, 0.9, 5.0, 10.0, 11.0):
        durations.observe(seconds)
        histogram.observe(seconds)
    assert shown(ours) == shown(theirs)


def test_it_shows_its_buckets_before_anything_was_observed() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    Durations("answer_seconds", "From request to answer.", buckets=BUCKETS, registry=ours)
    Histogram("answer_seconds", "From request to answer.", buckets=BUCKETS, registry=theirs)
    assert shown(ours) == shown(theirs)


def shown(registry: CollectorRegistry) -> list[str]:
    # The library's own histogram also tells when it was made.
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]
