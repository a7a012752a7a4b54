"""Ports that are in each other's way are found before anything runs."""

import pytest

from cli.processes import Part, _check_ports
from runtime.settings import load_settings
from schemas.errors import ConfigurationError


@pytest.mark.parametrize(
    ("part", "processes", "settings", "problem"),
    [
        ("ingest", 1, {"ingest_port": 9100}, "VIBES_PIPELINE_INGEST_PORT: 9100 is an admin port too"),
        ("ingest", 4, {"ingest_port": 9103}, "9100 to 9103, one for each process"),
        (
            "apply",
            4,
            {"apply_admin_port": 65533},
            "APPLY_ADMIN_PORT: 4 processes take ports from 65533 on",
        ),
    ],
)
def test_conflicting_ports_are_a_wrong_configuration(
    part: Part, processes: int, settings: dict[str, int], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        _check_ports(part, load_settings(**settings), processes)


@pytest.mark.parametrize(
    ("part", "processes", "settings"),
    [
        ("ingest", 64, {}),
        ("ingest", 3, {"ingest_port": 9103}),
        ("ingest", 2, {"ingest_port": 0, "ingest_admin_port": 0}),
        ("ingest", 1, {"ingest_port": 9100, "ingest_host": "192.0.2.1"}),
        ("apply", 4, {"apply_admin_port": 65532}),
    ],
)
def test_other_ports_are_not(part: Part, processes: int, settings: dict[str, int]) -> None:
    _check_ports(part, load_settings(**settings), processes)
