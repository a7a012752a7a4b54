"""The companies file: whose callbacks we take, from where, and how to speak to their Vibes account.

One TOML file, several companies. Secrets are not in it: an endpoint key is kept as its SHA-256, an API password by
reference to an environment variable or a file.
"""

import hashlib
import os
import ssl
import tomllib
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from runtime.addresses import is_near
from runtime.secrets import read_secret
from runtime.tls import client_context
from schemas.custom_fields import FieldType
from schemas.errors import ConfigurationError
from schemas.regions import API_BASE_URLS, SOURCE_ADDRESSES, Region

Network = IPv4Network | IPv6Network


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Endpoint(_Strict):
    """One callback URL: `/callbacks/{key}`; the file holds the key's hash."""

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    """Shown in logs and metrics in the place of the key."""
    key_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class CrmToken(_Strict):
    """A bearer token of `POST /crm/persons`; the file holds its hash."""

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    """Shown in logs and metrics in the place of the token."""
    token_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class CustomField(_Strict):
    """How one custom field of the CRM is written to Vibes."""

    field: str | None = Field(None, min_length=1)
    """Its name at Vibes, where that is another."""
    type: FieldType = "text"


class Sync(_Strict):
    """What the person worker does of its own accord for this company."""

    hydrate_unknown_persons: bool = True
    """On subscription_added of a person we know nothing about: GET the person."""
    push_crm_data: bool = True
    """On subscription_added of a person the CRM knows: PUT what Vibes lacks."""
    push_crm_changes: bool = True
    """On a change the CRM sends: PUT what differs."""
    add_unknown_persons: bool = True
    """When Vibes does not know the person of a change: POST them."""
    delay_seconds: float = Field(2.0, ge=0, le=3600)
    """How long a change of the CRM waits for further changes of the same person."""
    number_mismatch: Literal["conflict", "ignore"] = "conflict"
    """When Vibes has another number than the CRM, which no call can change."""
    custom_fields: dict[str, CustomField] = {}
    """By the CRM's name."""
    unmapped_custom_fields: Literal["send", "ignore"] = "send"
    """What becomes of custom fields that are not in custom_fields."""

    def type_of(self, name: str) -> FieldType:
        """Return the kind of a custom field, by the CRM's name for it."""
        mapped = self.custom_fields.get(name)
        return mapped.type if mapped else "text"


class Company(_Strict):
    """One Vibes company (tenant)."""

    company_key: str = Field(min_length=1, max_length=128, pattern=r"^[^\s/]+$")
    region: Region
    default_country: str | None = Field(None, pattern=r"^[A-Z]{2}$")
    """Country of numbers that come without a country code; without it they stay as they are."""
    extra_source_ranges: tuple[Network, ...] = ()
    """Networks callbacks may come from, beside the region's published addresses."""
    endpoints: Annotated[tuple[Endpoint, ...], Field(min_length=1)]
    crm_tokens: tuple[CrmToken, ...] = ()
    """Who may send changes to `POST /crm/persons`; none: nobody."""
    api_base_url: str | None = Field(None, pattern=r"^https?://[^/\s]+$")
    """Instead of the region's host: a white label's, or the simulator's."""
    api_username: str | None = None
    api_password_env: str | None = None
    api_password_file: Path | None = None
    api_ca_file: Path | None = None
    """CAs that the API's certificate is verified with; the system's if not set."""
    api_certificate_file: Path | None = None
    """The client certificate Vibes issued, for an account that demands one; PEM."""
    api_key_file: Path | None = None
    """Its key, without a password, if not in the same file."""
    api_requests_per_second: float = Field(80.0, gt=0, le=1000)
    """Of all person workers together; Vibes allows 100 requests/s per company."""
    sync: Sync = Sync()

    @field_validator("extra_source_ranges", mode="before")
    @classmethod
    def _parse_ranges(cls, value: Any) -> Any:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(ip_network(item) for item in value)
        return value

    @model_validator(mode="after")
    def _check_credentials(self) -> "Company":
        if self.api_password_env and self.api_password_file:
            raise ValueError("api_password_env and api_password_file are both set; keep one")
        if bool(self.api_username) != bool(self.api_password_env or self.api_password_file):
            raise ValueError("api_username needs api_password_env or api_password_file beside it, and they need it")
        if self.api_key_file and not self.api_certificate_file:
            raise ValueError("api_key_file has no effect without api_certificate_file")
        if self.base_url.startswith("http:") and not is_near(urlsplit(self.base_url).hostname or ""):
            raise ValueError("api_base_url: http:// would send the password in clear over a network; write https://")
        return self

    @property
    def source_ranges(self) -> tuple[Network, ...]:
        """Where callbacks of this company may come from."""
        return (
            *(ip_network(address) for address in SOURCE_ADDRESSES[self.region]),
            *self.extra_source_ranges,
        )

    @property
    def base_url(self) -> str:
        """Host of this company's Vibes API."""
        return self.api_base_url or API_BASE_URLS[self.region]

    @property
    def has_api(self) -> bool:
        """Whether credentials for the Vibes API are configured."""
        return self.api_username is not None

    def api_password(self) -> SecretStr:
        """Read the API password from where the file says it is. Raises ConfigurationError when it is not there."""
        where = f"companies file, company {self.company_key}"
        if self.api_password_env:
            password = os.environ.get(self.api_password_env)
            if not password:
                raise ConfigurationError(f"{where}: api_password_env names {self.api_password_env}, which is not set")
            return SecretStr(password)
        if self.api_password_file:
            try:
                return SecretStr(read_secret(self.api_password_file))
            except ConfigurationError as error:
                raise ConfigurationError(f"{where}: api_password_file {error}") from error
        raise ConfigurationError(f"{where}: no API credentials are configured")

    def api_tls(self) -> ssl.SSLContext | None:
        """Return how the API is verified, and what is shown to it; None: as is usual, with the system's CAs.

        Raises ConfigurationError naming the file that cannot be used.
        """
        if self.api_ca_file is None and self.api_certificate_file is None:
            return None
        try:
            return client_context(self.api_ca_file, self.api_certificate_file, self.api_key_file)
        except ConfigurationError as error:
            raise ConfigurationError(f"companies file, company {self.company_key}: {error}") from error


class Companies(_Strict):
    """All companies of this installation."""

    companies: Annotated[tuple[Company, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_unique(self) -> "Companies":
        _refuse_twice("company_key", [company.company_key for company in self.companies])
        _refuse_twice("key_sha256", [e.key_sha256 for company in self.companies for e in company.endpoints])
        _refuse_twice("token_sha256", [t.token_sha256 for company in self.companies for t in company.crm_tokens])
        for company in self.companies:
            _refuse_twice(f"crm token name in {company.company_key}", [t.name for t in company.crm_tokens])
            _refuse_twice(f"endpoint name in {company.company_key}", [e.name for e in company.endpoints])
        return self

    def get(self, company_key: str) -> Company | None:
        """Return the company of that key, or None."""
        return next((company for company in self.companies if company.company_key == company_key), None)


def hash_endpoint_key(key: str) -> str:
    """Return what the companies file holds for an endpoint key or a CRM token.

    Plain SHA-256 is enough: a key is 256 random bits (`vibes-pipeline endpoint-key` makes one), not a password.
    """
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def load_companies(path: Path) -> Companies:
    """Read the companies file. Raises ConfigurationError naming the file, the place in it and the problem."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"companies file {path} cannot be read ({error.strerror}); "
            "VIBES_PIPELINE_COMPANIES_FILE says where it is, deploy/companies.example.toml is an example"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"companies file {path} is not TOML: {error}") from error
    try:
        return Companies.model_validate(data)
    except ValidationError as error:
        problems = [
            f"companies file {path}: {'.'.join(str(part) for part in e['loc']) or 'file'}: {e['msg']}"
            for e in error.errors(include_input=False)
        ]
        raise ConfigurationError("\n".join(problems)) from error


def _refuse_twice(what: str, values: list[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            shown = value if not what.endswith("_sha256") else f"{value[:8]}…"
            raise ValueError(f"{what} {shown} is there twice; each needs its own")
