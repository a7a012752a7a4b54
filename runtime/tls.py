"""TLS of the connections we open: what is trusted, and what to say when a certificate is not."""

import os
import ssl
from pathlib import Path

from schemas.errors import ConfigurationError


def client_context(
    ca_file: Path | None = None, certificate_file: Path | None = None, key_file: Path | None = None
) -> ssl.SSLContext:
    """Return a context that verifies the other side's certificate and host name.

    It trusts the CAs in `ca_file`, or those of the system. The certificate is shown to a server that asks for one; its
    key may be in the same file. Raises ConfigurationError naming the file that cannot be used.
    """
    context = ssl.create_default_context(cafile=None if ca_file is None else check_ca_file(ca_file))
    if certificate_file is not None:
        load_certificate(context, certificate_file, key_file)
    return context


def check_ca_file(path: Path) -> Path:
    """Return the path of a file with CA certificates. Raises ConfigurationError when it holds none."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError as error:
        raise ConfigurationError(f"{path} holds no certificate in PEM form") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})") from error
    return path


def load_certificate(context: ssl.SSLContext, certificate_file: Path, key_file: Path | None) -> None:
    """Have a context show this certificate from now on. Raises ConfigurationError; the context is as before then."""
    for each in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), context):
        try:
            # Without a password of its own, OpenSSL would ask for one on the terminal.
            each.load_cert_chain(certificate_file, key_file, password="")
        except ssl.SSLError as error:
            raise ConfigurationError(
                f"{certificate_file} and {key_file or 'the key in it'} are no certificate and its key in PEM form, "
                f"the key without a password ({error.reason or 'unreadable'})"
            ) from error
        except OSError as error:
            # OpenSSL does not say which of the two.
            at_fault = [path for path in (key_file, certificate_file) if path and not os.access(path, os.R_OK)]
            unreadable = (*at_fault, certificate_file)[0]
            raise ConfigurationError(f"{unreadable} cannot be read ({error.strerror})") from error


def describe_refusal(error: BaseException | None) -> str | None:
    """Return why TLS failed in a few words, None when that is not what happened. Looks through the causes too."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the server's certificate is refused: {error.verify_message}"
        if isinstance(error, ssl.SSLError):
            return f"TLS failed: {error.reason or error}"
        error = error.__cause__ or error.__context__
    return None
