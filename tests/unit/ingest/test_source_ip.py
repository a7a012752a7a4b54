from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.source_ip import find_source, parse_address

VIBES = "35.155.139.143"
STRANGER = "8.8.8.8"
PROXY = "10.0.0.5"
OUTER_PROXY = "10.0.0.9"

addresses = st.ip_addresses().map(str)


def test_without_proxies_the_caller_is_the_peer() -> None:
    assert find_source(VIBES, (), 0).address == ip_address(VIBES)


def test_without_trusted_proxies_the_header_is_not_believed() -> None:
    assert find_source(STRANGER, (VIBES,), 0).address == ip_address(STRANGER)


def test_behind_one_proxy_the_caller_is_what_the_proxy_appended() -> None:
    assert find_source(PROXY, (VIBES,), 1).address == ip_address(VIBES)


def test_what_a_caller_writes_into_the_header_itself_is_not_believed() -> None:
    assert find_source(PROXY, (f"{VIBES}, {STRANGER}",), 1).address == ip_address(STRANGER)


def test_behind_two_proxies_the_caller_is_the_second_from_the_right() -> None:
    assert find_source(PROXY, (f"1.1.1.1, {VIBES}, {OUTER_PROXY}",), 2).address == ip_address(VIBES)


def test_several_headers_are_one_list() -> None:
    assert find_source(PROXY, ("1.1.1.1", f"{VIBES},{OUTER_PROXY}"), 2).address == ip_address(VIBES)


def test_a_call_that_went_past_the_outer_proxy_is_seen_as_it_came() -> None:
    assert find_source(PROXY, (STRANGER,), 2).address == ip_address(STRANGER)
    assert find_source(STRANGER, (), 2).address == ip_address(STRANGER)


@pytest.mark.parametrize("header", ["unknown", "", "_hidden", "35.155.139", "35.155.139.143 1.1.1.1", "1" * 5000])
def test_a_malformed_entry_of_a_trusted_proxy_hides_the_caller(header: str) -> None:
    source = find_source(PROXY, (header,), 1)
    assert (source.address, source.hidden, source.text) == (None, True, "unknown")


def test_a_private_address_that_forwards_for_somebody_is_a_proxy_nobody_counted() -> None:
    assert find_source(PROXY, (VIBES,), 0).hidden
    assert find_source("10.0.0.6", (f"{VIBES}, {PROXY}",), 1).hidden


def test_a_private_address_that_forwards_for_nobody_is_a_caller() -> None:
    assert not find_source(PROXY, (), 0).hidden
    assert not find_source(PROXY, ("10.9.9.9",), 1).hidden


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" 203.0.113.7 ", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_addresses_are_read_as_proxies_and_sockets_write_them(text: str, address: str) -> None:
    assert parse_address(text) == ip_address(address)


@given(st.text(), st.lists(st.text()), st.integers(0, 10))
def test_no_header_whatever_makes_it_fail(peer: str, headers: list[str], trusted: int) -> None:
    source = find_source(peer, tuple(headers), trusted)
    assert source.address is not None or source.hidden


@given(st.lists(addresses), addresses, st.lists(addresses, min_size=1, max_size=4))
def test_no_forged_entry_changes_what_the_proxies_appended(forged: list[str], caller: str, proxies: list[str]) -> None:
    *appended, peer = proxies
    honest = ", ".join([caller, *appended])
    header = ", ".join([*forged, honest])
    assert find_source(peer, (header,), len(proxies)).address == parse_address(caller)
