"""A real Prometheus of a test's own, with the configuration and the rules that are shipped."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import yaml

from deploy.local.errors import ServiceError
from deploy.local.processes import wait_until_ready
from deploy.local.workspace import Workspace
from tests.support.dashboards import PROMETHEUS, RULES

SCRAPE_SECONDS = 1
RATE_INTERVAL = f"{4 * SCRAPE_SECONDS}s"
"""What Grafana makes of `$__rate_interval` at this pace."""
MISSING = "prometheus is not installed here: apt-get install prometheus (deploy/local/setup.sh does it where it may)"

_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer."""

    labels: dict[str, str]
    points: list[tuple[float, float]]
    """Unix time in seconds, and value. One of an instant question."""


def installed() -> bool:
    """Tell whether Prometheus and promtool are on this machine."""
    return all(shutil.which(program) for program in ("prometheus", "promtool"))


class LocalPrometheus:
    """Prometheus with deploy/prometheus/prometheus.yml, but for the pace and for where the processes are.

    `targets` are the metrics URLs of the processes, by the name of the job. It ends with its workspace.
    """

    def __init__(self, workspace: Workspace, targets: Mapping[str, Sequence[str]]) -> None:
        self._workspace = workspace
        self._url = f"http://127.0.0.1:{workspace.port()}"
        self._log = workspace.path / "prometheus.log"
        (workspace.path / "prometheus.yml").write_text(yaml.safe_dump(self._configuration(targets)))

    def start(self) -> None:
        """Start it, and wait until it answers. Raises ServiceError with the log's end."""
        process = self._workspace.spawn(
            [
                "prometheus",
                f"--config.file={self._workspace.path}/prometheus.yml",
                f"--storage.tsdb.path={self._workspace.path}/prometheus",
                f"--web.listen-address={urlsplit(self._url).netloc}",
                "--log.level=warn",
            ],
            log=self._log,
            environment={},
        )
        wait_until_ready(process, self._is_ready, what="Prometheus", log=self._log, timeout=_START_SECONDS)

    def query(self, promql: str) -> list[Series]:
        """Ask for the value now. Raises ServiceError when the expression is refused."""
        found = self._get("query", query=promql)["result"]
        return [Series(each["metric"], [_point(each["value"])]) for each in found]

    def query_range(self, promql: str, start: float, end: float, step: float) -> list[Series]:
        """Ask for the values of a span, in Unix time. Raises ServiceError when the expression is refused."""
        found = self._get("query_range", query=promql, start=start, end=end, step=step)["result"]
        return [Series(each["metric"], [_point(point) for point in each["values"]]) for each in found]

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules, with how they fare and the alerts they have raised."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def targets(self) -> dict[str, list[dict[str, Any]]]:
        """Return what is scraped, by job."""
        found: dict[str, list[dict[str, Any]]] = {}
        for target in self._get("targets", state="active")["activeTargets"]:
            found.setdefault(target["labels"]["job"], []).append(target)
        return found

    def _configuration(self, targets: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        shipped: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
        places = {"prometheus": [self._url], **targets}
        return {
            "global": dict.fromkeys(shipped["global"], f"{SCRAPE_SECONDS}s"),
            "rule_files": [str(path) for path in RULES],
            "scrape_configs": [
                {
                    "job_name": job["job_name"],
                    "static_configs": [{"targets": [urlsplit(url).netloc for url in places[job["job_name"]]]}],
                }
                for job in shipped["scrape_configs"]
            ],
        }

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"{self._url}/-/ready", timeout=2) as response:  # noqa: S310 - our own, on loopback
                return bool(response.status == 200)
        except (URLError, OSError):
            return False

    def _get(self, what: str, **parameters: object) -> Any:
        try:
            with urlopen(f"{self._url}/api/v1/{what}?{urlencode(parameters)}", timeout=30) as response:  # noqa: S310
                return json.load(response)["data"]
        except HTTPError as error:
            raise ServiceError(f"Prometheus refused {parameters}: {error.read().decode()}") from error


def _point(pair: Sequence[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
