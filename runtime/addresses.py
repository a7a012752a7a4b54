"""The addresses of the services, checked, and made to say how a connection is protected. Pure.

Everything a connection needs is in its URL afterwards, in the words of its library: `sslmode` and `sslrootcert` for
Postgres (those of libpq), `cafile` for RabbitMQ (aiormq's). What a URL says already is left as it is.

What goes to another host is encrypted and verified unless the URL says otherwise:

- `amqp://` says otherwise, and `amqps://` verifies.
- A Postgres URL without `sslmode` would be tried with TLS, unverified, and then without: the library's default
  (`prefer`). Here it means `verify-full`, but for this machine itself: its loopback addresses and Unix sockets.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from schemas.errors import ConfigurationError


def postgres_address(url: str, ca_file: Path | None, environment: Mapping[str, str]) -> str:
    """Return the URL with its `sslmode`, and with the CA file as its `sslrootcert`.

    `environment` is where libpq's variables (PGHOST, PGSSLMODE, PGSSLROOTCERT) may be. Raises ConfigurationError for
    what is no PostgreSQL URL; its text quotes nothing of it.
    """
    parts = _split(url, ("postgresql", "postgres"), "postgresql://user:password@db.example:5432/vibes")
    query = parse_qs(parts.query)
    hosts = _hosts(parts, query, environment)
    added = []
    if ca_file is not None and "sslrootcert" not in query:
        added.append(f"sslrootcert={quote(str(ca_file))}")
    if not ("sslmode" in query or "PGSSLMODE" in environment) and (ca_file or not all(map(is_here, hosts))):
        added.append("sslmode=verify-full")
    return _with_query(url, added)


def amqp_address(url: str, ca_file: Path | None) -> str:
    """Return the URL with the CA file as its `cafile`.

    Raises ConfigurationError for what is no AMQP URL, and for a CA file beside a URL that asks for no encryption; the
    text quotes nothing of the URL.
    """
    parts = _split(url, ("amqp", "amqps"), "amqp://user:password@mq.example:5672/")
    if not parts.hostname:
        raise ConfigurationError("it names no host. Example: amqp://user:password@mq.example:5672/")
    if ca_file is None:
        return url
    if parts.scheme == "amqp":
        raise ConfigurationError("a CA file is set, but amqp:// is not encrypted; begin with amqps://")
    return _with_query(url, [] if "cafile" in parse_qs(parts.query) else [f"cafile={quote(str(ca_file))}"])


def is_here(host: str) -> bool:
    """Whether a host is this machine: a loopback address, `localhost`, or the directory of a Unix socket."""
    if not host or host.startswith(("/", "@")) or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_near(host: str) -> bool:
    """Whether a host is here or on a private network: a name without a dot, as containers have, or such an address."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return is_here(host) or "." not in host


def _split(url: str, schemes: tuple[str, ...], example: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        readable = parts.scheme in schemes and _is_whole(parts)
    except ValueError:
        readable = False
    if not readable:
        raise ConfigurationError(
            f"not a {schemes[0]}:// URL, or one with a character in its password that has to be percent-encoded. "
            f"Example: {example}"
        )
    return parts


def _is_whole(parts: SplitResult) -> bool:
    """Whether no character of a password has ended the authority early. Raises ValueError for a query that is none.

    What is after it would be taken for a host, a port, or a setting, and quoted in an error.
    """
    if parts.query:
        parse_qs(parts.query, strict_parsing=True)
    rest = parts.path + parts.query
    return (
        not parts.fragment
        and parts.netloc.count("@") <= 1
        and ("@" in parts.netloc or "@" not in rest)
        and all(_is_host_and_port(host) for host in parts.netloc.rpartition("@")[2].split(","))
    )


def _is_host_and_port(text: str) -> bool:
    after_host = text.rpartition("]")[2] if text.startswith("[") else text
    _, colon, port = after_host.partition(":")
    return not colon or (port.isascii() and port.isdecimal())


def _hosts(parts: SplitResult, query: Mapping[str, list[str]], environment: Mapping[str, str]) -> list[str]:
    """Return all hosts a Postgres URL names; a "service" is told of in a file, and so may be anywhere."""
    named = parts.netloc.rpartition("@")[2] or query.get("host", [""])[-1] or environment.get("PGHOST", "")
    if not named and ("service" in query or "PGSERVICE" in environment):
        return ["service"]
    return [_without_port(host) for host in named.split(",")]


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.replace("%2F", "/").replace("%2f", "/").partition(":")[0]


def _with_query(url: str, added: list[str]) -> str:
    """Add to a URL that has no fragment. Put together anew, one without a host would lose the place for it."""
    return "".join((url, "&" if "?" in url else "?", "&".join(added))) if added else url
