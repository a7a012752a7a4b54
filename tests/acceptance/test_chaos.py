"""`make chaos QUICK=1`, as everybody runs it. A whole run also proves that its checks can fail."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.chaos.matrix import MATRIX, Faults

_MOST_SECONDS = 600


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `python -m tests.chaos --quick` writes."""
    file = tmp_path_factory.mktemp("chaos") / "chaos.json"
    command = [sys.executable, "-m", "tests.chaos", "--quick", "--output", str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_MOST_SECONDS)
    assert file.exists(), ran.stdout + ran.stderr
    return dict(json.loads(file.read_text())) | {"shown": ran.stdout, "code": ran.returncode}


@pytest.mark.timeout(_MOST_SECONDS)
def test_the_quick_faults_cost_nothing(report: dict[str, Any]) -> None:
    wrong = {fault["name"]: fault["problems"] for fault in report["faults"] if not fault["ok"]}
    assert wrong == {}, report["shown"]
    assert (report["ok"], report["code"]) == (True, 0)


def test_the_report_says_for_each_fault_what_it_cost(report: dict[str, Any]) -> None:
    for fault in report["faults"]:
        assert fault["injections"] >= 1
        assert fault["acknowledged"] > 0
        assert (fault["lost"], fault["double"], fault["diverged"], fault["bad_answers"]) == (0, 0, 0, 0)
        assert fault["max_answer_ms"] > 0
    assert report["acknowledged"] == sum(fault["acknowledged"] for fault in report["faults"])
    assert str(report["seed"]) in report["shown"]


def test_every_fault_of_the_matrix_is_there_once_and_injected_three_times_or_more() -> None:
    faults = Faults()
    assert faults.missing == []
    assert {fault.name for fault in faults} == {name for names in MATRIX.values() for name in names}
    assert [fault.name for fault in faults if fault.injections < 3] == []
