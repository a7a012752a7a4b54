"""What was seen in the rows so far."""

from collections import Counter
from collections.abc import Callable

from cli.persons.importing.duplicates import Duplicates, Repeated
from cli.persons.importing.judging import Refusal
from schemas.crm_change import CUSTOM_FIELD, CrmChange

_EXAMPLES = 10
_MOST_NAMES = 1000


class Tally:
    """Counts rows. `on_refusal` is given each refused one."""

    def __init__(self, duplicates: Duplicates, on_refusal: Callable[[Refusal], None]) -> None:
        self.rows = 0
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        """Rows by reason."""
        self.examples: list[Refusal] = []
        """The first ten refusals."""
        self.custom_fields: Counter[str] = Counter()
        """Accepted rows by custom field they tell; of the first thousand names, for a file may have any number."""
        self._duplicates = duplicates
        self._on_refusal = on_refusal

    def add(self, outcome: CrmChange | Refusal) -> None:
        """Count one row."""
        self.rows += 1
        if isinstance(outcome, Refusal):
            self.refused[outcome.reason] += 1
            if len(self.examples) < _EXAMPLES:
                self.examples.append(outcome)
            self._on_refusal(outcome)
            return
        self.accepted += 1
        self._duplicates.add(outcome.external_person_id, self.rows)
        for name in outcome.fields:
            if name.startswith(CUSTOM_FIELD):
                self._count_field(name.removeprefix(CUSTOM_FIELD))

    def repeated(self) -> Repeated:
        """Return the accepted rows whose external id an earlier one has."""
        return self._duplicates.find()

    def _count_field(self, name: str) -> None:
        if name in self.custom_fields or len(self.custom_fields) < _MOST_NAMES:
            self.custom_fields[name] += 1
