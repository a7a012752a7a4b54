"""The report of refused rows, on disk."""

import stat
from pathlib import Path

import pytest

from cli.persons.importing.judging import Refusal
from cli.persons.importing.refusals import open_report
from schemas.errors import ConfigurationError, ServiceError

REFUSAL = Refusal(1, 2, "c1", "invalid_mdn", "not a phone number")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "refused.csv"


def test_it_holds_each_refusal_and_nobody_else_may_read_it(path: Path) -> None:
    with open_report(path) as report:
        report.begin()
        report.add(REFUSAL)
        report.add(Refusal(3, 9, 'semi;"colon"\n', "invalid_mdn", "x, y"))
    assert path.read_text() == (
        "row,line,external_person_id,reason,detail\n"
        "1,2,c1,invalid_mdn,not a phone number\n"
        '3,9,"semi;""colon""\n",invalid_mdn,"x, y"\n'
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_refusal_there_is_none_in_the_end_not_even_that_of_before(path: Path) -> None:
    for refusals in ([REFUSAL], []):
        with open_report(path) as report:
            report.begin()
            for refusal in refusals:
                report.add(refusal)
    assert not path.exists()


def test_until_it_is_begun_the_one_of_before_stays(path: Path) -> None:
    with open_report(path) as report:
        report.begin()
        report.add(REFUSAL)
    before = path.read_text()
    with open_report(path):
        pass
    assert path.read_text() == before


def test_no_other_file_is_overwritten(path: Path) -> None:
    path.write_text("something of mine")
    with pytest.raises(ConfigurationError, match="is no report of refused rows"), open_report(path):
        pass
    assert path.read_text() == "something of mine"


def test_two_imports_do_not_write_one_report(path: Path) -> None:
    with open_report(path) as first:
        first.begin()
        first.add(REFUSAL)
        with pytest.raises(ServiceError, match="another import is writing it"), open_report(path):
            pass
    assert "c1" in path.read_text()


def test_a_device_is_no_place_for_it() -> None:
    with pytest.raises(ConfigurationError, match="no regular file"), open_report(Path("/dev/null")):
        pass
