import orjson
from hypothesis import given
from hypothesis import strategies as st

from ingest.headers import worth_keeping


def test_content_type_encoding_and_user_agent_are_kept() -> None:
    headers = [("Content-Type", "text/json"), ("Content-Encoding", "gzip"), ("User-Agent", "Vibes"), ("Host", "h")]
    assert worth_keeping(headers) == {"content-type": "text/json", "content-encoding": "gzip", "user-agent": "Vibes"}


def test_headers_of_unpublished_names_are_kept() -> None:
    assert worth_keeping([("X-Vibes-Callback", "person_added")]) == {"x-vibes-callback": "person_added"}


def test_credentials_and_what_proxies_add_are_not_kept() -> None:
    secret = [("Authorization", "Basic x"), ("Cookie", "a=b"), ("X-Forwarded-For", "1.2.3.4"), ("X-Real-IP", "1.2.3.4")]
    assert worth_keeping(secret) == {}


def test_a_flood_of_headers_is_cut() -> None:
    flood = [(f"X-{number}", "v" * 5000) for number in range(100)]
    kept = worth_keeping([*flood, ("Content-Type", "application/json")])
    assert len(kept) <= 20
    assert kept["content-type"] == "application/json"
    assert max(map(len, kept.values())) == 256


@given(st.lists(st.tuples(st.sampled_from(["X-A", "Content-Type"]), st.text(st.characters()))))
def test_whatever_is_kept_can_be_written_as_json(headers: list[tuple[str, str]]) -> None:
    orjson.dumps(worth_keeping(headers))
