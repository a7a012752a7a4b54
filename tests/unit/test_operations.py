"""What docs/operations.md says of costs is what was measured."""

import re
from pathlib import Path

from tests.support.cost_table import cost_table

OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


def test_the_cost_table_is_that_of_the_last_measurement() -> None:
    found = re.search(r"<!-- cost:.*?-->\n(.*?)\n<!-- /cost -->", OPERATIONS, re.DOTALL)
    assert found is not None
    assert found[1] == cost_table(), "put in: python -m tests.support.cost_table"
