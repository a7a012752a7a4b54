"""Speak to Vibes for a command: as which company, and what to say when it does not work."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

import typer

from runtime.companies import Companies, Company, load_companies
from runtime.settings import load_settings
from schemas.errors import ConfigurationError, ServiceError
from vibes_api import AccessDenied, Call, InvalidRequest, RetryPolicy, Unavailable, VibesClient, VibesError

T = TypeVar("T")

_RETRY = RetryPolicy(attempts=3, total=15.0)
_PRIVATE = re.compile(r"\+?\d{7,}|\S*(?://|/callbacks/)\S+")

CompanyKey = Annotated[
    str | None, typer.Option("--company", help="The company_key; not needed when the companies file has one company.")
]


@dataclass(frozen=True, slots=True)
class Account:
    """One company's access to Vibes. `calls` are the HTTP attempts made so far, the last one at the end."""

    company: Company
    client: VibesClient
    calls: list[Call] = field(default_factory=list)


@asynccontextmanager
async def open_account(company_key: str | None) -> AsyncIterator[Account]:
    """Open the account of a company of the companies file.

    A VibesError inside becomes one clear line: ConfigurationError where a setting is to be checked, ServiceError where
    Vibes is out of reach or refuses.
    """
    settings = load_settings()
    company = choose_company(load_companies(settings.companies_file), company_key)
    calls: list[Call] = []
    try:
        client = VibesClient(
            company.base_url,
            company.company_key,
            company.api_username or "",
            company.api_password().get_secret_value(),
            retry=_RETRY,
            timeout=settings.person_api_timeout_seconds,
            ssl_context=company.api_tls(),
            observer=calls.append,
        )
    except ValueError as error:
        raise ConfigurationError(f"companies file, company {company.company_key}: {error}") from error
    try:
        async with client:
            yield Account(company, client, calls)
    except VibesError as error:
        failure = told(error, company)
    else:
        return
    raise failure


def with_account(company_key: str | None, action: Callable[[Account], Awaitable[T]]) -> T:
    """Open the account, do something with it, and return what came of it."""

    async def run() -> T:
        async with open_account(company_key) as account:
            return await action(account)

    return asyncio.run(run())


def choose_company(companies: Companies, company_key: str | None) -> Company:
    """Return the company a command is for. Raises ConfigurationError when that is not clear."""
    keys = ", ".join(company.company_key for company in companies.companies)
    if company_key is None:
        if len(companies.companies) > 1:
            raise ConfigurationError(f"--company: the companies file has several, name one of them: {keys}")
        return companies.companies[0]
    company = companies.get(company_key)
    if company is None:
        raise ConfigurationError(f"--company {company_key}: not in the companies file, which has {keys}")
    return company


def told(error: VibesError, company: Company) -> ConfigurationError | ServiceError:
    """Say in one line what went wrong and what to look at."""
    where = f"company {company.company_key}"
    if isinstance(error, AccessDenied):
        password = "api_password_env" if company.api_password_env else "api_password_file"
        return ConfigurationError(
            f"{where}: Vibes denies access ({error.status}); check api_username, {password}, company_key and region of "
            f"this company in the companies file (the API is at {company.base_url})"
        )
    if isinstance(error, InvalidRequest):
        return ConfigurationError(f"{where}: {error.reason or error}")
    if isinstance(error, Unavailable):
        return ServiceError(f"{where}: Vibes is not available at {company.base_url}: {error}")
    return ServiceError(f"{where}: {error}{in_parentheses(vibes_says(error))}")


def vibes_says(error: VibesError, secrets: Iterable[str] = ()) -> str:
    """Return Vibes' own explanation, empty if there is none. Long numbers (MDNs), URLs and `secrets` are masked."""
    words = "; ".join(each.message for each in error.errors if each.message)
    for secret in secrets:
        words = words.replace(secret, "***")
    return _PRIVATE.sub("***", words)


def in_parentheses(words: str) -> str:
    """Return Vibes' words ready to be put behind a sentence; nothing when there are none."""
    return f' (Vibes says: "{words}")' if words else ""
