from pathlib import Path

import pytest

from runtime.settings import Settings, environment_names, load_settings
from schemas.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment_names():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


def test_everything_has_a_default_an_example_and_a_description() -> None:
    load_settings()
    for name, info in Settings.model_fields.items():
        assert info.description, name
        assert info.examples, name


def test_a_wrong_value_is_named_with_its_problem_and_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBES_PIPELINE_INGEST_PORT", "eighty")
    monkeypatch.setenv("VIBES_PIPELINE_INGEST_DEADLINE_SECONDS", "2.5")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "VIBES_PIPELINE_INGEST_PORT: Input should be a valid integer" in str(caught.value)
    assert "VIBES_PIPELINE_INGEST_PORT=8080" in str(caught.value)
    assert "VIBES_PIPELINE_INGEST_DEADLINE_SECONDS" in str(caught.value)


def test_a_misspelt_setting_is_refused_with_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBES_PIPELINE_INGST_PORT", "80")
    with pytest.raises(ConfigurationError, match="did you mean VIBES_PIPELINE_INGEST_PORT"):
        load_settings()


def test_passwords_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@db/vibes")
    monkeypatch.setenv("VIBES_PIPELINE_INGEST_PORT", "eighty")
    assert "hunter2" not in repr(Settings(ingest_port=1))
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_a_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://u:hunter2@localhost/vibes\n")
    monkeypatch.setenv("DATABASE_URL_FILE", str(file))
    assert load_settings().database_url.get_secret_value() == "postgresql://u:hunter2@localhost/vibes"
    assert load_settings(database_url="postgresql:///other").database_url.get_secret_value() == "postgresql:///other"


def test_a_secret_in_both_places_is_a_mistake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("amqp://u:hunter2@localhost/")
    monkeypatch.setenv("AMQP_URL", "amqp://u:hunter3@localhost/")
    monkeypatch.setenv("AMQP_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(ConfigurationError, match="AMQP_URL and AMQP_URL_FILE are both set; keep one") as caught:
        load_settings()
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "cannot be read"), (b" \n", "is empty"), (b"\xff", "is not text")]
)
def test_a_file_without_a_secret_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, problem: str
) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("AMQP_URL_FILE", str(file))
    with pytest.raises(ConfigurationError, match=f"AMQP_URL_FILE: {file} {problem}"):
        load_settings()


def test_tls_settings_that_would_have_no_effect_are_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBES_PIPELINE_INGEST_TLS_KEY_FILE", "/tls.key")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert str(caught.value) == (
        "VIBES_PIPELINE_INGEST_TLS_KEY_FILE has no effect without VIBES_PIPELINE_INGEST_TLS_CERTIFICATE_FILE"
    )


def test_nothing_but_ingest_is_reachable_from_elsewhere_unless_told_otherwise() -> None:
    assert load_settings().admin_host == "127.0.0.1"
