"""When a certificate ends is read from its file, whatever encoding its date has."""

from datetime import UTC, datetime
from math import isnan
from pathlib import Path

import pytest
import trustme

from runtime import metrics
from runtime.certificates import expiries, show_expiry, show_expiry_of_clients
from runtime.settings import load_settings

BEGIN, SOON, LATE = (datetime(year, 5, 6, 7, 8, 9, tzinfo=UTC) for year in (2024, 2031, 2061))


def certificate(ends: datetime) -> bytes:
    ca = trustme.CA()
    return ca.issue_cert("a.example", not_before=BEGIN, not_after=ends).cert_chain_pems[0].bytes()


def shown(file_of: str) -> float | None:
    metrics_of = {"file_of": file_of}
    return metrics.REGISTRY.get_sample_value("vibes_tls_certificate_expiry_timestamp_seconds", metrics_of)


@pytest.mark.parametrize("ends", [SOON, LATE], ids=["as UTCTime", "as GeneralizedTime"])
def test_the_end_is_read(ends: datetime) -> None:
    assert list(expiries(certificate(ends).decode())) == [ends]


def test_of_a_chain_the_soonest_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "chain.pem"
    file.write_bytes(b"a remark\n" + certificate(LATE) + certificate(SOON))
    show_expiry("ingest", file)
    assert shown("ingest") == SOON.timestamp()


@pytest.mark.parametrize(
    "content",
    [None, b"", b"no certificate", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"],
)
def test_a_file_that_tells_none_is_shown_as_not_a_number(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "tls.crt"
    if content is not None:
        file.write_bytes(content)
    show_expiry("broken", file)
    value = shown("broken")
    assert value is not None
    assert isnan(value)


def test_certificates_in_the_urls_are_read_anew_with_each_scrape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "client one.crt"
    file.write_bytes(certificate(SOON))
    quoted = str(file).replace(" ", "%20")
    monkeypatch.setenv("AMQP_URL", f"amqps://mq.example/?certfile={quoted}")
    monkeypatch.setenv("DATABASE_URL", f"postgresql://db.example/x?sslcert={quoted}")
    show_expiry_of_clients(load_settings())
    assert (shown("rabbitmq"), shown("postgres")) == (SOON.timestamp(), SOON.timestamp())

    file.write_bytes(certificate(LATE))
    assert (shown("rabbitmq"), shown("postgres")) == (LATE.timestamp(), LATE.timestamp())
    metrics.TLS_CERTIFICATE_EXPIRY.clear()


def test_a_part_without_a_database_shows_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics.TLS_CERTIFICATE_EXPIRY.clear()
    monkeypatch.setenv("PGSSLCERT", "/nowhere.crt")
    show_expiry_of_clients(load_settings(), database=False)
    assert shown("postgres") is None
