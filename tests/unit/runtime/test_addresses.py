from pathlib import Path

import pytest

from runtime.addresses import amqp_address, is_near, postgres_address
from schemas.errors import ConfigurationError

CA = Path("/etc/ca files/ca.pem")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@localhost:5432/vibes",
        "postgresql://u:p@127.0.0.1/vibes",
        "postgresql://u:p@[::1]:5432/vibes",
        "postgresql:///vibes",
        "postgresql://u@%2Frun%2Fpostgresql/vibes",
        "postgresql:///vibes?host=/run/postgresql",
        "postgresql://u:p@db.example/vibes?sslmode=disable",
        "postgresql://u:p@db.example/vibes?sslmode=require",
    ],
)
def test_what_stays_on_this_machine_or_says_how_it_is_protected_is_left_as_it_is(url: str) -> None:
    assert postgres_address(url, None, {}) == url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@db.example:5432/vibes",
        "postgresql://u:p@postgres/vibes",
        "postgresql://u:p@10.0.0.7/vibes",
        "postgresql://u:p@localhost,db.example/vibes",
        "postgresql:///vibes?host=db.example",
        "postgres://db.example/vibes",
        "postgresql:///vibes?service=production",
    ],
)
def test_what_goes_to_another_host_is_verified(url: str) -> None:
    assert postgres_address(url, None, {}) == f"{url}{'&' if '?' in url else '?'}sslmode=verify-full"


def test_the_environment_of_libpq_counts() -> None:
    assert postgres_address("postgresql:///vibes", None, {"PGHOST": "db.example"}).endswith("?sslmode=verify-full")
    assert postgres_address("postgresql:///vibes", None, {"PGSERVICE": "x"}).endswith("?sslmode=verify-full")
    url = "postgresql://db.example/vibes"
    assert postgres_address(url, None, {"PGSSLMODE": "disable"}) == url


def test_a_ca_file_means_that_the_server_is_to_be_verified_wherever_it_is() -> None:
    added = "sslrootcert=/etc/ca%20files/ca.pem"
    assert (
        postgres_address("postgresql://localhost/v", CA, {}) == f"postgresql://localhost/v?{added}&sslmode=verify-full"
    )
    mode = "postgresql://localhost/v?sslmode=verify-ca"
    assert postgres_address(mode, CA, {}) == f"{mode}&{added}"
    own = "postgresql://db/v?sslrootcert=/own.pem&sslmode=verify-ca"
    assert postgres_address(own, CA, {}) == own


def test_the_ca_file_of_the_broker_goes_with_amqps_only() -> None:
    assert amqp_address("amqp://u:p@mq.example/", None) == "amqp://u:p@mq.example/"
    assert amqp_address("amqps://u:p@mq.example/", CA) == "amqps://u:p@mq.example/?cafile=/etc/ca%20files/ca.pem"
    assert amqp_address("amqps://mq/?cafile=/own.pem", CA) == "amqps://mq/?cafile=/own.pem"
    with pytest.raises(ConfigurationError, match="begin with amqps://"):
        amqp_address("amqp://u:p@mq.example/", CA)


@pytest.mark.parametrize(
    "rest",
    ["hunter/2@db/v", "1/hunter2@db/v", "1?hunter2@db/v", "1#hunter2@db/v", "hunter@2@db/v", "hunter2@db:port/v"],
)
def test_a_password_that_breaks_the_url_is_not_quoted(rest: str) -> None:
    with pytest.raises(ConfigurationError, match="percent-encoded") as database:
        postgres_address(f"postgresql://u:{rest}", None, {})
    with pytest.raises(ConfigurationError, match="percent-encoded") as broker:
        amqp_address(f"amqp://u:{rest}", None)
    assert "hunter" not in f"{database.value} {broker.value}"


def test_near_is_this_machine_a_container_beside_it_or_a_private_network() -> None:
    assert all(map(is_near, ("127.0.0.1", "localhost", "simulator", "10.1.2.3", "::1")))
    assert not any(map(is_near, ("public-api.vibescm.com", "8.8.8.8")))
