"""The report of a run, as `make bench` wrote it."""

import json
from pathlib import Path
from typing import Any

from benchmarks.figures import PARTS
from deploy.local.errors import ServiceError


def read_report(path: Path) -> dict[str, Any]:
    """Return a report fit for the documents. Raises ServiceError when it is not there, broken, rough or has gaps."""
    try:
        report = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ServiceError(f"there is no {path}: run `make bench` first") from error
    except ValueError as error:
        raise ServiceError(f"{path} is no JSON ({error}): run `make bench` again") from error
    if not isinstance(report, dict) or not isinstance(report.get("machine"), dict):
        raise ServiceError(f"{path} is no report of `make bench`: run it again")
    if report.get("quick") is not False:
        raise ServiceError(f"{path} is of a quick run, whose figures are rough: run `make bench` without QUICK")
    if missing := [name for name in PARTS if name not in report]:
        raise ServiceError(f"{path} has no figures of {', '.join(missing)}: run `make bench`, which measures all")
    return report
