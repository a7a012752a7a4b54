from pathlib import Path

import pytest

from runtime.companies import hash_endpoint_key, load_companies
from schemas.errors import ConfigurationError

HASH = hash_endpoint_key("key")
GOOD = f'[[companies]]\ncompany_key = "acme"\nregion = "EU"\nendpoints = [{{ name = "main", key_sha256 = "{HASH}" }}]\n'


def load(tmp_path: Path, text: str) -> object:
    path = tmp_path / "companies.toml"
    path.write_text(text)
    return load_companies(path)


def test_a_company_may_call_from_its_regions_addresses_and_its_own_ranges(tmp_path: Path) -> None:
    path = tmp_path / "companies.toml"
    path.write_text(GOOD + 'extra_source_ranges = ["10.0.0.0/8"]\n')
    (company,) = load_companies(path).companies
    assert {"34.243.232.57/32", "10.0.0.0/8"} <= {str(network) for network in company.source_ranges}
    assert company.base_url == "https://public-api.eu.vibes.com"
    assert not company.has_api


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "companies: Field required"),
        ("not toml", "is not TOML"),
        (GOOD.replace("EU", "MARS"), "companies.0.region"),
        (GOOD.replace(HASH, "short"), "key_sha256"),
        (GOOD + GOOD, "company_key acme is there twice"),
        (GOOD + GOOD.replace("acme", "other"), "key_sha256"),
        (GOOD + 'api_username = "u"\n', "api_password_env or api_password_file"),
        (GOOD + 'extra_source_ranges = ["10.0.0.300"]\n', "extra_source_ranges"),
        (GOOD + 'colour = "red"\n', "colour"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_the_place_and_the_problem(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    assert "companies.toml" in str(caught.value)
    assert told in str(caught.value)
    assert HASH not in str(caught.value)


def test_a_missing_file_says_how_to_name_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="VIBES_PIPELINE_COMPANIES_FILE"):
        load_companies(tmp_path / "absent.toml")


def test_a_password_that_is_not_there_is_named_without_a_value(tmp_path: Path) -> None:
    path = tmp_path / "companies.toml"
    path.write_text(GOOD + 'api_username = "u"\napi_password_env = "NOT_SET_ANYWHERE"\n')
    (company,) = load_companies(path).companies
    with pytest.raises(ConfigurationError, match="NOT_SET_ANYWHERE"):
        company.api_password()
