"""What `persons import` says when it is asked for what it cannot do: one line, before anything is published."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from schemas.errors import ConfigurationError

CONTENT = "external_person_id,mdn\nc1,+13125550123\n"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    companies = tmp_path / "companies.toml"
    companies.write_text(
        f'[[companies]]\ncompany_key = "acme"\nregion = "US"\n'
        f'endpoints = [{{ name = "main", key_sha256 = "{"0" * 64}" }}]\n'
    )
    (tmp_path / "good.csv").write_text(CONTENT)
    (tmp_path / "bad.toml").write_text("columns = 1")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    monkeypatch.setenv("VIBES_PIPELINE_COMPANIES_FILE", str(companies))
    monkeypatch.setenv("AMQP_URL", "amqp://127.0.0.1:1/")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def wrong_use(*arguments: str) -> str:
    """Return what a person is told; exit code 2 comes with it (`cli.main`)."""
    result = CliRunner().invoke(app, ["persons", "import", *arguments])
    assert isinstance(result.exception, ConfigurationError), result.output
    assert result.output == ""
    [line] = str(result.exception).splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("missing.csv",), "missing.csv: cannot be read (No such file or directory)"),
        (("loop.csv",), "loop.csv: cannot be read (Too many levels of symbolic links)"),
        ((".",), ".: a directory, not a file"),
        (("good.csv", "--encoding", "klingon"), "--encoding klingon: no such encoding"),
        (("good.csv", "--encoding", "hex"), "--encoding hex: no such encoding"),
        (("good.csv", "--delimiter", "ab"), "--delimiter ab: must be one character"),
        (("good.csv", "--delimiter", '"'), "must be one character"),
        (("good.csv", "--format", "ndjson", "--delimiter", ";"), "--delimiter and --empty are for CSV"),
        (("good.csv", "--format", "ndjson", "--empty", "remove"), "--delimiter and --empty are for CSV"),
        (("good.csv", "--map", "mdn"), "--map mdn: must be COLUMN=FIELD"),
        (("good.csv", "--map", "mdn=phone"), "the field must be external_person_id, mdn"),
        (("good.csv", "--map", "Fax=mdn"), "good.csv: mapped, but not in the header: Fax"),
        (("good.csv", "--map", "mdn=external_person_id"), "two columns are mapped to external_person_id"),
        (("good.csv", "--mapping", "bad.toml"), "--mapping bad.toml: must hold one table [columns]"),
        (("good.csv", "--mapping", "missing.toml"), "--mapping missing.toml: cannot be read"),
        (("good.csv", "--mapping", "good.csv"), "--mapping good.csv: is not TOML"),
        (("good.csv", "--ignore-unmapped", "--unmapped-as-custom-fields"), "give one of them"),
        (("good.csv", "--company", "globex"), "--company globex: not in the companies file"),
        (("good.csv", "--report", "nowhere/r.csv"), "nowhere/r.csv: the report of refused rows cannot be written"),
        (("good.csv", "--report", "."), ".: the report of refused rows cannot be written"),
        (("good.csv", "--report", "good.csv"), "good.csv: exists and is no report of refused rows"),
        (("good.csv", "--state", "nowhere/state.json"), "nowhere/state.json: cannot be written"),
        (("good.csv", "--state", "good.csv"), "good.csv: is no state of an import"),
        (("-", "--restart"), "standard input cannot be resumed"),
        (("-", "--state", "state.json"), "standard input cannot be resumed"),
    ],
)
def test_wrong_use_is_told_with_what_is_wrong(directory: Path, arguments: tuple[str, ...], problem: str) -> None:
    assert problem in wrong_use(*arguments)
    assert (directory / "good.csv").read_text() == CONTENT
    assert not list(directory.glob("*refused*"))


def test_a_wrong_broker_address_is_told_without_its_password(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("amqp://user:hunter2@host:port/", "hunter2", "http://user:hunter2@host/"):
        monkeypatch.setenv("AMQP_URL", url)
        told = wrong_use("good.csv")
        assert told.startswith("AMQP_URL: ")
        assert "Example: amqp://user:password@mq.example:5672/" in told
        assert "hunter2" not in told
