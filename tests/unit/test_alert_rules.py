"""The rules of Prometheus: checked and tried by its own promtool, and held against the code and the runbook."""

import re
import shutil
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.metrics import REGISTRY
from tests.support.dashboards import PROMETHEUS, ROOT, RULES, alerts, names_in, recorded, rules
from tests.support.prometheus import MISSING, installed
from tests.unit.test_readme import anchors, metric_names

TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
OF_PROMETHEUS = {"up", "ALERTS"}
SEVERITIES = {"critical", "warning", "none"}
ALWAYS = "VibesWatchdog"

needs_promtool = pytest.mark.skipif(not installed(), reason=MISSING)


def promtool(*arguments: object) -> str:
    result = subprocess.run(
        [shutil.which("promtool") or "promtool", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROMETHEUS,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def checks(*files: Path) -> list[tuple[str, list[dict[str, Any]]]]:
    """Each expression that promtool evaluates, with the samples it has to have."""
    return [
        (check["expr"], check["exp_samples"])
        for path in files
        for test in yaml.safe_load(path.read_text())["tests"]
        for check in test["promql_expr_test"]
    ]


@cache
def samples_of() -> dict[str, list[list[dict[str, Any]]]]:
    """What each alert is expected to show, once for each time it is looked at."""
    found = defaultdict(list)
    for expression, samples in checks(*TESTS):
        if named := re.search(r'ALERTS\{alertname="(\w+)"', expression):
            found[named[1]].append(samples)
    return found


@needs_promtool
def test_promtool_accepts_the_configuration_and_every_rule() -> None:
    promtool("check", "config", "prometheus.yml")
    # A lint is fatal: two rules that would give the same series.
    promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)


@needs_promtool
@pytest.mark.parametrize("file", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_have_to_and_only_then(file: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", file)


@pytest.mark.parametrize("name", alerts())
def test_each_alert_is_tried_firing_and_quiet(name: str) -> None:
    looks = samples_of()[name]
    assert any(looks), "it never fires"
    assert name == ALWAYS or [] in looks, "it is never quiet"


def test_without_data_all_that_fires_is_named() -> None:
    # In absent.yml every rule is loaded, and an expectation is the list of all alerts that fire.
    absent = PROMETHEUS / "tests" / "absent.yml"
    assert yaml.safe_load(absent.read_text())["rule_files"] == ["../rules/*.yml"]
    assert {expression for expression, _ in checks(absent)} == {'group by (alertname) (ALERTS{alertstate="firing"})'}


@pytest.mark.parametrize("name", alerts())
def test_each_alert_says_what_is_wrong_and_where_to_read_what_to_do(name: str) -> None:
    alert = alerts()[name]
    assert re.fullmatch(r"Vibes[A-Z]\w+", name)
    assert alert["labels"]["severity"] in SEVERITIES
    assert set(alert["annotations"]) == {"summary", "description", "runbook"}
    document, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert anchor in anchors(ROOT / document)


@pytest.mark.parametrize("name", alerts())
def test_the_words_of_an_alert_only_use_labels_it_has(name: str) -> None:
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(alerts()[name]["annotations"].values())))
    shown = [sample["labels"] for look in samples_of()[name] for sample in look]
    for labels in shown:
        assert used <= set(re.findall(r"(\w+)=", labels)), labels


def test_rules_read_what_processes_show_or_other_rules_record() -> None:
    shown = {name for metric in REGISTRY.collect() for name in metric_names(metric)} | OF_PROMETHEUS | recorded()
    for rule in rules():
        assert names_in(rule["expr"]) <= shown, rule


def test_the_tests_of_rules_use_metrics_that_exist() -> None:
    shown = {name for metric in REGISTRY.collect() for name in metric_names(metric)} | OF_PROMETHEUS
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for series in test["input_series"]:
                assert names_in(series["series"]) <= shown, series
