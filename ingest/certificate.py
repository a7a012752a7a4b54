"""TLS of the callback listener: our certificate, renewed while we run, and who may call.

A new certificate is for new connections; those that are open stay as they are.
"""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import structlog

from runtime import metrics
from runtime.certificates import show_expiry
from runtime.settings import PREFIX, Settings
from runtime.tls import check_ca_file, load_certificate
from schemas.errors import ConfigurationError

log = structlog.get_logger()

_LOOK_SECONDS = 2.0
"""How often the files are looked at. Files rather than a signal: what renews them need not know of us."""

Traits = tuple[tuple[int, int, int], ...]


class Certificate:
    """What the listener shows to callers, and what it wants to see of theirs."""

    def __init__(
        self, certificate_file: Path, key_file: Path | None, client_ca_file: Path | None, client_names: frozenset[str]
    ) -> None:
        """Read the files. Raises ConfigurationError naming the one that cannot be used."""
        self._certificate_file = certificate_file
        self._key_file = key_file
        self._client_ca_file = client_ca_file
        self._client_names = client_names
        self._files = [path for path in (certificate_file, key_file, client_ca_file) if path is not None]
        self._refused: frozenset[str] = frozenset()
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.set_alpn_protocols(["http/1.1"])
        if client_ca_file is not None:
            self.context.verify_mode = ssl.CERT_REQUIRED
        self._read_from = self._traits()
        self._load()

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Return the certificate of the settings, None when there is none. Raises ConfigurationError."""
        if settings.ingest_tls_certificate_file is None:
            return None
        names = frozenset((settings.ingest_tls_client_names or "").lower().split(",")) - {""}
        try:
            return cls(
                settings.ingest_tls_certificate_file,
                settings.ingest_tls_key_file,
                settings.ingest_tls_client_ca_file,
                names,
            )
        except ConfigurationError as error:
            raise ConfigurationError(f"{PREFIX}INGEST_TLS_...: {error}") from error

    def admits(self, transport: asyncio.BaseTransport) -> bool:
        """Whether the caller's certificate is for one of the names, if there are any to be had."""
        if not self._client_names:
            return True
        names = names_in(transport.get_extra_info("peercert") or {})
        if names & self._client_names:
            return True
        metrics.INGEST_CALLERS_REFUSED.inc()
        if names != self._refused:
            log.warning("ingest.caller_refused", names=sorted(names))
            self._refused = names
        return False

    async def keep_current(self) -> None:
        """Read the files again whenever they change, for ever.

        While they cannot be used (a certificate is written before its key, say) the one before stays in use.
        """
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            traits = self._traits()
            if traits == self._read_from:
                continue
            self._read_from = traits
            try:
                self._load()
            except ConfigurationError as error:
                log.error("ingest.certificate_kept", reason=str(error))  # noqa: TRY400 - a traceback would tell no more
            else:
                log.info("ingest.certificate_renewed")

    def _load(self) -> None:
        load_certificate(self.context, self._certificate_file, self._key_file)
        show_expiry("ingest", self._certificate_file)
        if self._client_ca_file is not None:
            # It adds those that are new; one that was taken out is trusted until the next start.
            self.context.load_verify_locations(check_ca_file(self._client_ca_file))

    def _traits(self) -> Traits:
        """Return what tells one state of the files from another; a file that is missing has none."""
        found = []
        for path in self._files:
            try:
                status = path.stat()
            except OSError:
                found.append((0, 0, 0))
            else:
                found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(found)


def names_in(certificate: Mapping[str, Any]) -> frozenset[str]:
    """Return the names a certificate is for, in lower case: its common name, and its alternative DNS names.

    `certificate` is as `ssl.SSLSocket.getpeercert` returns it. Vibes documents a certificate with a common name.
    """
    common = (value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName")
    others = (value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS")
    return frozenset(name.lower() for name in (*common, *others))
