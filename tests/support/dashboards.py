"""The dashboards and rules under deploy/, read; and what Grafana makes of their queries before it asks them.

Grafana's own variables and macros are replaced as its documentation tells: `$__rate_interval` (at least four scrape
intervals), `$__interval_ms` (the step of the panel), `$__timeFilter(column)` (BETWEEN two times in quotes) and the
variable `$company`, which is a regular expression in PromQL and a list of quoted values in SQL.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
PROMQL, SQL = "prometheus", "grafana-postgresql-datasource"
"""The datasource types."""

_TIME_FILTER = re.compile(r"\$__timeFilter\((\w+)\)")
_NAME = re.compile(r"(?<![\w:$\"'])[a-zA-Z_:][\w:]*(?![\w:]|\s*\()")
_ASIDE = re.compile(r"\"[^\"]*\"|\{[^}]*\}|\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)|\[[^\]]*\]")
_WORDS = {"and", "or", "unless", "offset", "bool", "by", "on", "without", "ignoring"}


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel (or of a variable, whose panel is called after it)."""

    dashboard: str
    panel: str
    ref: str
    language: str
    """PROMQL or SQL."""
    text: str
    legend: str = ""

    def __str__(self) -> str:
        return f"{self.dashboard}/{self.panel}/{self.ref}"


@cache
def dashboard(path: Path) -> dict[str, Any]:
    """Return a dashboard as it is in its file."""
    return dict(json.loads(path.read_text()))


def panels(path: Path) -> list[dict[str, Any]]:
    """Return the panels of a dashboard, rows left out."""
    return [panel for panel in dashboard(path)["panels"] if panel["type"] != "row"]


def queries(language: str) -> list[Query]:
    """Return the queries of all dashboards in one language, those of variables among them."""
    return [query for path in DASHBOARDS for query in _queries(path) if query.language == language]


def queries_of(path: Path, panel: dict[str, Any]) -> list[Query]:
    """Return the queries of one panel."""
    return [
        Query(
            path.stem,
            panel["title"],
            target["refId"],
            target["datasource"]["type"],
            target.get("expr") or target["rawSql"],
            target.get("legendFormat", ""),
        )
        for target in panel["targets"]
    ]


def _queries(path: Path) -> Iterator[Query]:
    for variable in dashboard(path)["templating"]["list"]:
        yield Query(path.stem, f"${variable['name']}", "", variable["datasource"]["type"], variable["definition"])
    for panel in panels(path):
        yield from queries_of(path, panel)


def as_promql(text: str, rate_interval: str, company: str = ".*") -> str:
    """Return what Grafana would ask Prometheus.

    A variable's `label_values(series, label)` is a question of Grafana's own, answered by the series' labels.
    """
    if values := re.fullmatch(r"label_values\((.+), (\w+)\)", text):
        return f"group by ({values[2]}) ({values[1]})"
    return text.replace("$__rate_interval", rate_interval).replace("$company", company)


def as_sql(text: str, since: datetime, until: datetime, interval_ms: int, companies: Iterable[str]) -> str:
    """Return what Grafana would ask PostgreSQL."""
    between = rf"\1 BETWEEN '{since.isoformat()}' AND '{until.isoformat()}'"
    quoted = ",".join(f"'{company}'" for company in companies)
    return _TIME_FILTER.sub(between, text).replace("$__interval_ms", str(interval_ms)).replace("$company", quoted)


@cache
def rules() -> tuple[dict[str, Any], ...]:
    """Return every rule, recording and alerting."""
    files = (yaml.safe_load(path.read_text()) for path in RULES)
    return tuple(rule for file in files for group in file["groups"] for rule in group["rules"])


def alerts() -> dict[str, dict[str, Any]]:
    """Return the alerting rules by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def recorded() -> set[str]:
    """Return the names that rules record."""
    return {rule["record"] for rule in rules() if "record" in rule}


def names_in(promql: str) -> set[str]:
    """Return the names of all series an expression reads."""
    text = as_promql(promql, "1m")
    return {name for name in _NAME.findall(_ASIDE.sub(" ", text)) if name not in _WORDS and not name.isdigit()}
