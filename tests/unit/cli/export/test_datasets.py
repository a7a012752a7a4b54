"""What can be exported agrees with what is promised to analysts."""

import json
from pathlib import Path

import pytest

from cli.export.columns import Column, arrow_schema
from cli.export.datasets import DATASETS, DAY, EVENTS, choose_datasets
from schemas.errors import ConfigurationError, ServiceError

CONTRACT = json.loads((Path(__file__).parents[4] / "schemas" / "analytics" / "contract.json").read_text())["views"]
TIMES = ("date", "timestamp with time zone")


def test_every_view_of_the_contract_can_be_exported_and_nothing_else_but_the_log() -> None:
    assert set(DATASETS) == {EVENTS, *CONTRACT}


@pytest.mark.parametrize("view", CONTRACT)
def test_a_view_is_divided_by_a_time_of_its_own(view: str) -> None:
    column = DATASETS[view].day_column
    assert column is None or CONTRACT[view][column] in TIMES


@pytest.mark.parametrize("view", [view for view in CONTRACT if DAY in CONTRACT[view]])
def test_a_column_called_day_is_what_the_view_is_divided_by(view: str) -> None:
    # Readers take the day from the directory's name, so it must be the same one.
    assert DATASETS[view].day_column == DAY


def test_datasets_are_chosen_by_name_and_keep_their_order() -> None:
    assert [dataset.name for dataset in choose_datasets(["list_growth", "events"])] == ["events", "list_growth"]
    assert len(choose_datasets([])) == len(DATASETS)


def test_an_unknown_dataset_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        ConfigurationError, match="--only subscription_stay: no such dataset; did you mean subscription_stays"
    ):
        choose_datasets(["subscription_stay"])
    with pytest.raises(ConfigurationError, match="there are events, current_subscribers"):
        choose_datasets(["xyz"])


def test_a_type_that_is_not_known_is_told_with_its_column() -> None:
    with pytest.raises(ServiceError, match="column where: its type, point, cannot be exported"):
        arrow_schema([Column("where", "point")])


def test_names_are_quoted_in_statements() -> None:
    assert Column('a"b', "text").expression == '"a""b" AS "a""b"'
