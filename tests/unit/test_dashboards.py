"""The dashboards of Grafana, held against the code; asked for real they are in tests/acceptance/test_prometheus.py."""

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.metrics import REGISTRY
from tests.support.dashboards import (
    DASHBOARDS,
    GRAFANA,
    PROMQL,
    SQL,
    Query,
    dashboard,
    names_in,
    panels,
    queries,
    recorded,
    rules,
)
from tests.unit.test_readme import metric_names

COLUMNS = 24
PERSONAL = {"mdn", "mdn_e164", "custom_fields", "payload", "body", "headers", "last_message", "detail", "source_ip"}
"""Columns that hold personal data, beside ids."""
IDS = {"person_uid", "person_id", "person_key", "external_person_id", "event_id"}
GRAFANAS = {"__rate_interval", "__interval_ms", "__timeFilter"}

each_dashboard = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


def test_there_is_one_for_operators_and_one_for_the_database() -> None:
    assert [path.stem for path in DASHBOARDS] == ["database", "operators"]


@each_dashboard
def test_panels_have_a_title_a_description_and_a_unit(path: Path) -> None:
    for panel in panels(path):
        assert panel["title"]
        assert panel["description"].endswith((".", "?")), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]


@each_dashboard
def test_panels_have_numbers_of_their_own_and_do_not_overlap(path: Path) -> None:
    every = dashboard(path)["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    for panel in every:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= COLUMNS
    for one, other in combinations(every, 2):
        assert not overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "w"), ("y", "h"))
    )


@each_dashboard
def test_everything_is_asked_of_a_datasource_that_is_provisioned(path: Path) -> None:
    provisioned = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "vibes.yml").read_text())["datasources"]
    known = {(source["type"], source["uid"]) for source in provisioned}
    whole = dashboard(path)
    named = [
        *whole["templating"]["list"],
        *panels(path),
        *(target for panel in panels(path) for target in panel["targets"]),
    ]
    assert {(each["datasource"]["type"], each["datasource"]["uid"]) for each in named} <= known


@each_dashboard
def test_variables_are_defined(path: Path) -> None:
    defined = {variable["name"] for variable in dashboard(path)["templating"]["list"]} | GRAFANAS
    for query in [*queries(PROMQL), *queries(SQL)]:
        if query.dashboard == path.stem and not query.panel.startswith("$"):
            assert set(re.findall(r"\$\{?(\w+)", query.text)) <= defined, query


@pytest.mark.parametrize("query", queries(PROMQL), ids=str)
def test_each_promql_reads_what_processes_show_or_rules_record(query: Query) -> None:
    shown = {name for metric in REGISTRY.collect() for name in metric_names(metric)}
    text = re.sub(r"^label_values\((\w+), \w+\)$", r"\1", query.text)
    names = names_in(text)
    assert names
    assert names <= shown | recorded() | {"up", "ALERTS"}


def test_what_rules_record_is_used_by_another_rule_or_a_dashboard() -> None:
    texts = [query.text for query in queries(PROMQL)] + [rule["expr"] for rule in rules()]
    assert recorded() - set().union(*map(names_in, texts)) == set()


@pytest.mark.parametrize("query", queries(SQL), ids=str)
def test_no_sql_shows_personal_data(query: Query) -> None:
    words = set(re.findall(r"\w+", re.sub(r"'[^']*'", "", query.text)))
    assert not words & (PERSONAL | IDS)


@pytest.mark.parametrize("query", queries(SQL), ids=str)
def test_sql_about_a_large_table_is_bound_to_the_range(query: Query) -> None:
    if re.search(r"FROM (callback_events|callback_messages|person_api_calls)\b", query.text):
        assert "$__timeFilter(" in query.text


def test_grafana_is_provisioned_with_the_dashboards_and_cannot_change_them() -> None:
    (provider,) = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "vibes.yml").read_text())["providers"]
    assert provider["type"] == "file"
    assert provider["allowUiUpdates"] is False


def test_the_database_is_read_by_the_login_that_may_only_read() -> None:
    sources: list[dict[str, Any]] = yaml.safe_load(
        (GRAFANA / "provisioning" / "datasources" / "vibes.yml").read_text()
    )["datasources"]
    (postgres,) = (source for source in sources if source["type"] == SQL)
    script = (GRAFANA / "login.sql").read_text()
    assert f"GRANT vibes_analyst TO {postgres['user']};" in script
    assert postgres["secureJsonData"]["password"] == "$GRAFANA_DATABASE_PASSWORD"
