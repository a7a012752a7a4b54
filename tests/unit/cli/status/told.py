"""What parts tell on /metrics, and a status, for specifications."""

from datetime import UTC, datetime
from typing import Any

from cli.accounts import Account
from cli.status.gather import Status
from cli.status.processes import Process
from cli.status.samples import read_samples
from runtime.metrics import Part
from runtime.queues import QueueDepth

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def apply_tells(more: str = "") -> str:
    """A part of what an apply process tells, and more."""
    return f"""\
# TYPE vibes_apply_callbacks_total counter
# TYPE vibes_apply_oldest_unapplied_seconds gauge
vibes_apply_oldest_unapplied_seconds 0.0
# TYPE vibes_build_info gauge
vibes_build_info{{version="1.2.3"}} 1.0
{more}
"""


def process(told: str, part: Part = "apply", **more: Any) -> Process:
    return Process("http://127.0.0.1:9200", part, "1.2.3", **{"ready": True, "samples": read_samples(told), **more})


def well(**changed: Any) -> Status:
    """A status of a pipeline that has nothing to do."""
    healthy: dict[str, Any] = {
        "accounts": [Account("acme", acknowledged=10, applied=10)],
        "queues": [QueueDepth("vibes.apply.0", 0, 2)],
        "last_applied_at": NOW.replace(hour=11),
        "sync_backlog": [
            {"company_key": "acme", "pending": 0, "oldest_pending_seconds": 0.0, "conflicts": 0}
            | {"rate": 80.0, "budget_left": 80.0}
        ],
        "processes": [process(apply_tells())],
    }
    return Status(NOW, **{**healthy, **changed})
