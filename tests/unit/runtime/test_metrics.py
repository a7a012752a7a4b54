"""A part shows the metrics it has to do with, and no others."""

from importlib.metadata import version

import pytest

from runtime.metrics import Part, exposition


def shown(part: Part) -> str:
    return exposition(part, "")[0].decode()


@pytest.mark.parametrize(
    ("part", "own", "foreign"),
    [
        ("ingest", "vibes_ingest_answer_seconds", "vibes_audit_last_run_timestamp_seconds"),
        ("ingest", "vibes_ingest_connections", "vibes_postgres_connected"),
        ("apply", "vibes_apply_lag_seconds", "vibes_ingest_in_flight_requests"),
        ("apply", "vibes_audit_last_run_timestamp_seconds", "vibes_person_sync_pending"),
        ("person-sync", "vibes_postgres_connected", "vibes_apply_last_applied_timestamp_seconds"),
        ("person-sync", "vibes_person_api_seconds", "vibes_audit_last_run_timestamp_seconds"),
        ("person-sync", "vibes_dead_letters_total", "vibes_dead_letters_open"),
    ],
)
def test_what_a_part_knows_nothing_of_is_absent_rather_than_0(part: Part, own: str, foreign: str) -> None:
    assert own in shown(part)
    assert foreign not in shown(part)


@pytest.mark.parametrize("part", ["ingest", "apply", "person-sync"])
def test_every_part_tells_its_release_and_what_it_takes_of_the_machine(part: Part) -> None:
    assert f'vibes_build_info{{version="{version("vibes-pipeline")}"}} 1.0' in shown(part)
    assert "process_resident_memory_bytes" in shown(part)


def test_a_scraper_of_openmetrics_gets_that() -> None:
    text, content_type = exposition("apply", "application/openmetrics-text; version=1.0.0")

    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")


def test_no_series_tells_when_another_was_created() -> None:
    assert "_created" not in shown("apply")
