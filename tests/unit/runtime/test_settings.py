import pytest

from runtime.settings import Settings, environment_names, load_settings
from schemas.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment_names():
        monkeypatch.delenv(name, raising=False)


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
