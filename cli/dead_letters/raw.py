"""Hand out what a dead letter holds, byte for byte."""

import os
import sys
from pathlib import Path

from schemas.errors import ConfigurationError


def write_raw(body: bytes, output: Path | None) -> None:
    """Write the bytes to a file only its owner can read, or to a pipe. Raises ConfigurationError.

    Not to a terminal: they hold personal data, and may hold anything a terminal obeys.
    """
    if output is None:
        if sys.stdout.isatty():
            raise ConfigurationError("--raw: not to a terminal; add --output FILE, or pipe it into a program")
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    try:
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(body)
    except FileExistsError:
        raise ConfigurationError(f"--output {output}: exists already; name another file") from None
    except OSError as error:
        raise ConfigurationError(f"--output {output}: cannot be written ({error.strerror})") from error
