"""Which company a bearer token stands for. Pure."""

from dataclasses import dataclass

from runtime.companies import Companies, Company, hash_endpoint_key


@dataclass(frozen=True, slots=True)
class Client:
    """Who sends changes: a token of a company, by its name."""

    company: Company
    token_name: str


class Tokens:
    """All tokens of this installation; false when there are none."""

    def __init__(self, companies: Companies) -> None:
        self._by_hash = {
            token.token_sha256: Client(company, token.name)
            for company in companies.companies
            for token in company.crm_tokens
        }

    def __bool__(self) -> bool:
        return bool(self._by_hash)

    def find(self, authorization: str | None) -> Client | None:
        """Return whose token an Authorization header holds, or None.

        The look-up is by hash, so how long it takes says nothing about the tokens that are configured.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        return self._by_hash.get(hash_endpoint_key(token.strip()))
