"""Which company a request belongs to, and whether it may come in. Pure.

| path                  | from a source of its company    | from another address of Vibes | from anybody else |
|-----------------------|---------------------------------|-------------------------------|-------------------|
| a configured endpoint | accepted (405 if not POST, PUT) | 503, metric                   | 403               |
| anything else         | -                               | 503, metric                   | 404               |

"An address of Vibes" is one of either region's published addresses or of any company's extra ranges. Such a call to
a place that is not configured for it is a mistake of this installation (a missing endpoint, the wrong region), and a
4xx would destroy the event. A caller that cannot be seen (see `ingest.source_ip.Source`) may be Vibes: 503 too.
"""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network

from ingest.answers import FORBIDDEN, HIDDEN_SOURCE, NOT_HERE, UNCONFIGURED, UNCONFIGURED_SOURCE, WRONG_METHOD, Refusal
from ingest.source_ip import IPAddress, Source
from runtime.companies import Companies, Network, hash_endpoint_key
from schemas.regions import SOURCE_ADDRESSES

PREFIX = "/callbacks/"
METHODS = frozenset({"POST", "PUT"})


class AddressSet:
    """Addresses of several networks; asking again for an address is cheap."""

    def __init__(self, networks: tuple[Network, ...]) -> None:
        self._networks = networks
        self._contains = lru_cache(maxsize=4096)(self._look_up)

    def __contains__(self, address: IPAddress) -> bool:
        return self._contains(address)

    def _look_up(self, address: IPAddress) -> bool:
        return any(address in network for network in self._networks)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A configured callback URL."""

    company_key: str
    name: str
    sources: AddressSet


class Endpoints:
    """All callback URLs of this installation."""

    def __init__(self, companies: Companies) -> None:
        self._by_hash: dict[str, Endpoint] = {}
        networks: set[Network] = {ip_network(a) for addresses in SOURCE_ADDRESSES.values() for a in addresses}
        for company in companies.companies:
            networks.update(company.extra_source_ranges)
            sources = AddressSet(company.source_ranges)
            for item in company.endpoints:
                self._by_hash[item.key_sha256] = Endpoint(company.company_key, item.name, sources)
        self._vibes = AddressSet(tuple(networks))

    def judge(self, method: str, path: str, source: Source) -> Endpoint | Refusal:
        """Return the endpoint a request may come in at, or why it may not. `path` without the query."""
        endpoint = self._find(path)
        address = source.address
        if address is not None:
            if endpoint is not None and address in endpoint.sources:
                return endpoint if method in METHODS else WRONG_METHOD
            if address in self._vibes:
                return UNCONFIGURED if endpoint is None else UNCONFIGURED_SOURCE
        if source.hidden:
            return HIDDEN_SOURCE
        return NOT_HERE if endpoint is None else FORBIDDEN

    def _find(self, path: str) -> Endpoint | None:
        # The look-up is by hash, so how long it takes says nothing about the keys that are configured.
        key_hash = hash_of_key(path)
        return self._by_hash.get(key_hash) if key_hash else None


def hash_of_key(path: str) -> str | None:
    """Return the hash of the endpoint key in a path, which may be logged, or None when the path has none.

    One slash at the end changes nothing: a redirect would be a failed delivery to Vibes.
    """
    if not path.startswith(PREFIX):
        return None
    key = path[len(PREFIX) :].removesuffix("/")
    return hash_endpoint_key(key) if key and "/" not in key else None
