"""The client as an object: its arguments, its repr, its independence."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import vibes_api
from vibes_api import Region, VibesClient

PACKAGE = Path(vibes_api.__file__).parent


def client(
    base_url: str = Region.US,
    company_key: str = "vibes123",
    username: str = "me@example.com",
) -> VibesClient:
    return VibesClient(base_url, company_key, username, "s3cret")


def test_regions_are_base_urls() -> None:
    assert Region["US"] == "https://public-api.vibescm.com"
    assert Region["EU"] == "https://public-api.eu.vibes.com"


def test_trailing_slashes_are_stripped() -> None:
    assert repr(client("https://public-api.eu.vibes.com//")) == (
        "VibesClient('https://public-api.eu.vibes.com', company_key='vibes123')"
    )


def test_no_repr_within_the_client_shows_the_credentials() -> None:
    vibes = client()

    shown = repr(vibes) + repr(vibes._transport) + repr(vibes._transport._options)

    for secret in ("s3cret", "me@example.com", vibes._transport._options.headers["Authorization"]):
        assert secret not in shown


@pytest.mark.parametrize(
    "base_url",
    [
        "public-api.vibescm.com",
        "ftp://public-api.vibescm.com",
        "https://",
        "https://me:s3cret@public-api.vibescm.com",
        "https://public-api.vibescm.com?key=s3cret",
        "https://public-api.vibescm.com#s3cret",
        "https://public-api.vibescm.com:s3cret",
        "https://[s3cret",
    ],
)
def test_a_base_url_that_cannot_work_is_refused_with_an_example_and_without_its_value(base_url: str) -> None:
    with pytest.raises(ValueError, match=r"must look like https://public-api\.vibescm\.com") as refusal:
        client(base_url)

    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize("username", ["", "me:you"])
def test_a_user_name_that_basic_auth_cannot_carry_is_refused(username: str) -> None:
    with pytest.raises(ValueError, match="username"):
        client(username=username)


@pytest.mark.parametrize("company_key", ["", " ", ".."])
def test_a_company_key_that_would_change_the_path_is_refused(company_key: str) -> None:
    with pytest.raises(ValueError, match="company_key"):
        client(company_key=company_key)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_must_be_positive(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        VibesClient(Region.US, "k", "u", "p", timeout=timeout)


async def test_a_call_without_a_session_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="use `async with VibesClient"):
        await client().persons.get("k")


async def test_a_client_is_entered_once_at_a_time_and_again_after_it_was_left() -> None:
    vibes = client()

    async with vibes:
        with pytest.raises(RuntimeError, match="open already"):
            await vibes.__aenter__()
    async with vibes:
        pass


def test_the_package_imports_nothing_but_its_three_dependencies() -> None:
    imported = set()
    for file in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {name.name.split(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])

    foreign = imported - sys.stdlib_module_names - {"vibes_api"}

    assert foreign == {
        "aiohttp",
        "tenacity",
        "orjson",
        "yarl",
    }  # yarl: the URL type of aiohttp's own interface


def test_everything_exported_exists_and_the_types_are_shipped() -> None:
    assert all(hasattr(vibes_api, name) for name in vibes_api.__all__)
    assert (PACKAGE / "py.typed").exists()
