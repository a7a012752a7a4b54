from ipaddress import ip_address

import pytest

from ingest.answers import Refusal
from ingest.endpoints import Endpoint, Endpoints, hash_of_key
from ingest.source_ip import Source
from runtime.companies import Companies, hash_endpoint_key

US_KEY, EU_KEY = "u" * 43, "e" * 43
VIBES_US, VIBES_EU = "35.155.139.143", "34.243.232.57"
PARTNER_OF_US = "203.0.113.9"
STRANGER = "8.8.8.8"


@pytest.fixture(scope="module")
def endpoints() -> Endpoints:
    return Endpoints(
        Companies.model_validate(
            {
                "companies": [
                    {
                        "company_key": "acme",
                        "region": "US",
                        "extra_source_ranges": ["203.0.113.0/24", "2001:db8::/32"],
                        "endpoints": [{"name": "main", "key_sha256": hash_endpoint_key(US_KEY)}],
                    },
                    {
                        "company_key": "acme-eu",
                        "region": "EU",
                        "endpoints": [{"name": "other", "key_sha256": hash_endpoint_key(EU_KEY)}],
                    },
                ]
            }
        )
    )


def source(address: str) -> Source:
    return Source(ip_address(address), address)


def judge(endpoints: Endpoints, path: str, address: str, method: str = "POST") -> str | int:
    """The company when the request may come in, else the status."""
    verdict = endpoints.judge(method, path, source(address))
    return verdict.status if isinstance(verdict, Refusal) else verdict.company_key


@pytest.mark.parametrize(
    ("path", "address", "answer"),
    [
        (f"/callbacks/{US_KEY}", VIBES_US, "acme"),
        (f"/callbacks/{US_KEY}", PARTNER_OF_US, "acme"),
        (f"/callbacks/{US_KEY}", "2001:db8::7", "acme"),
        (f"/callbacks/{EU_KEY}", VIBES_EU, "acme-eu"),
        # Vibes, but not as this installation expects it: its mistake, not Vibes'
        (f"/callbacks/{US_KEY}", VIBES_EU, 503),
        (f"/callbacks/{EU_KEY}", VIBES_US, 503),
        (f"/callbacks/{EU_KEY}", PARTNER_OF_US, 503),
        ("/callbacks/unknown", VIBES_US, 503),
        ("/callbacks/unknown", VIBES_EU, 503),
        ("/callbacks/unknown", PARTNER_OF_US, 503),
        ("/", VIBES_US, 503),
        # strangers
        (f"/callbacks/{US_KEY}", STRANGER, 403),
        ("/callbacks/unknown", STRANGER, 404),
        ("/", STRANGER, 404),
        ("/healthz", STRANGER, 404),
    ],
)
def test_who_may_come_in_where(endpoints: Endpoints, path: str, address: str, answer: str | int) -> None:
    assert judge(endpoints, path, address) == answer


def test_the_endpoint_tells_its_name_and_company(endpoints: Endpoints) -> None:
    found = endpoints.judge("POST", f"/callbacks/{US_KEY}", source(VIBES_US))
    assert isinstance(found, Endpoint)
    assert (found.company_key, found.name) == ("acme", "main")


def test_post_and_put_are_the_same(endpoints: Endpoints) -> None:
    assert judge(endpoints, f"/callbacks/{US_KEY}", VIBES_US, "PUT") == "acme"


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PATCH", "OPTIONS", "post"])
def test_only_a_caller_that_may_come_in_learns_that_its_method_is_wrong(endpoints: Endpoints, method: str) -> None:
    assert judge(endpoints, f"/callbacks/{US_KEY}", VIBES_US, method) == 405
    assert judge(endpoints, f"/callbacks/{US_KEY}", STRANGER, method) == 403
    assert judge(endpoints, "/callbacks/unknown", STRANGER, method) == 404
    assert judge(endpoints, "/callbacks/unknown", VIBES_US, method) == 503


def test_a_slash_at_the_end_changes_nothing(endpoints: Endpoints) -> None:
    assert judge(endpoints, f"/callbacks/{US_KEY}/", VIBES_US) == "acme"


@pytest.mark.parametrize(
    "path", [f"/callbacks/{US_KEY}//", f"/callbacks//{US_KEY}", f"/callbacks/{US_KEY}/more", f"/Callbacks/{US_KEY}"]
)
def test_other_spellings_of_the_path_are_other_paths(endpoints: Endpoints, path: str) -> None:
    assert judge(endpoints, path, STRANGER) == 404


@pytest.mark.parametrize("path", [f"/callbacks/{US_KEY}", "/callbacks/unknown"])
def test_a_caller_that_cannot_be_seen_may_be_vibes_and_is_told_to_come_again(endpoints: Endpoints, path: str) -> None:
    for hidden in (Source(None, hidden=True), Source(ip_address("10.0.0.5"), "10.0.0.5", hidden=True)):
        verdict = endpoints.judge("POST", path, hidden)
        assert isinstance(verdict, Refusal)
        assert verdict.status == 503


@pytest.mark.parametrize("path", ["", "/", "/callbacks", "/callbacks/", "/callbacks//", "/callbacks/a/b", "/other/a"])
def test_a_path_without_a_key_has_no_hash(path: str) -> None:
    assert hash_of_key(path) is None
