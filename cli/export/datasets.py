"""What can be exported: the log of events, and the analysts' views."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from schemas.errors import ConfigurationError

EVENTS = "events"
VIEWS_SCHEMA = "analytics"


DAY = "day"
"""The column that the directories of days give to whoever reads them. So it is in no file, whatever the view says."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """One table of the export."""

    name: str
    day_column: str | None
    """The date or time whose day (UTC) a row lies in; None: the rows are about no day."""
    by_day: bool = False
    """Whether it is as long as the log, and best read a day at a time."""

    @property
    def is_log(self) -> bool:
        """Whether it is the log of events."""
        return self.name == EVENTS


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(EVENTS, "received_at", by_day=True),
        Dataset("current_subscribers", "opt_in_date"),
        Dataset("subscription_stays", "opt_in_date"),
        Dataset("opt_ins_and_opt_outs_daily", "day"),
        Dataset("list_growth", "day"),
        Dataset("list_churn", "cohort_month"),
        Dataset("opt_out_reasons", "month"),
        Dataset("time_to_opt_out", None),
        Dataset("resubscribers", "returned_at"),
        Dataset("persons_current", "created_at"),
        Dataset("person_history", "received_at", by_day=True),
        Dataset("participations", "participation_date"),
        Dataset("participation_funnel", "day"),
        Dataset("push_devices", "event_date"),
        Dataset("wallet_items", "event_date"),
        Dataset("subscription_lists", None),
        Dataset("inbound_messages", "event_date"),
        Dataset("event_outcomes", "first_step_date"),
        Dataset("callback_volume", "day"),
        Dataset("delivery_delay", "day"),
        Dataset("person_api_outcomes", "day"),
        Dataset("data_freshness", None),
    )
}


def choose_datasets(names: Sequence[str] | None) -> list[Dataset]:
    """Return the datasets of these names, in their usual order; all if none is named. Raises ConfigurationError."""
    for name in names or ():
        if name not in DATASETS:
            close = get_close_matches(name, DATASETS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(DATASETS)}"
            raise ConfigurationError(f"--only {name}: no such dataset; {hint}")
    return [dataset for name, dataset in DATASETS.items() if not names or name in names]
