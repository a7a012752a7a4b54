"""Whether a run was clean."""

import json

from benchmarks.load.wrk import WrkResult
from deploy.local.errors import ServiceError
from deploy.local.processes import log_tail
from deploy.local.stack import Stack


def require_running(stack: Stack) -> None:
    """Raise ServiceError when a part of the stack has ended."""
    for part in stack.parts.values():
        if part.process.poll() is not None:
            raise ServiceError(f"{part.name} ended ({part.process.returncode}): {log_tail(part.log_file)}")


def require_acknowledged(result: WrkResult) -> None:
    """Raise ServiceError when a request had another answer than a 2xx, or none."""
    errors = {kind: count for kind, count in result.errors.items() if count}
    if errors or result.acknowledged != sum(result.statuses.values()):
        raise ServiceError(f"ingest did not acknowledge everything: answers {result.statuses}, errors {errors}")


def require_accounted(stack: Stack, at_least: int) -> None:
    """Raise ServiceError unless every callback was acknowledged, and applied or a duplicate, and none of them twice."""
    report = json.loads(stack.command("audit", "--json", check=False))
    for account in report["accounts"]:
        settled = account["applied"] + account["duplicates"]
        if account["missing"] or account["unreported"] or settled != account["acknowledged"] or settled < at_least:
            raise ServiceError(f"the audit found {account}, of at least {at_least} callbacks: see {stack.directory}")
