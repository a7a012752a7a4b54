"""Secrets from files: a setting `NAME` that holds one may be given as `NAME_FILE`, the path of a file that holds it.

A file, such as one that an orchestrator mounts, does not show up where environments do: in `docker inspect`, in crash
reports, in what a child process inherits.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from schemas.errors import ConfigurationError

SUFFIX = "_FILE"


def secrets_from_files(names: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the files hold that `NAME_FILE` names, by NAME, without the white space around it.

    Raises ConfigurationError, which tells of every problem, when both of a pair are set, or a file cannot be read or
    is empty.
    """
    found, problems = {}, []
    for name in names:
        path = environment.get(name + SUFFIX)
        if path is None:
            continue
        if name in environment:
            problems.append(f"{name} and {name}{SUFFIX} are both set; keep one")
            continue
        try:
            found[name] = read_secret(Path(path))
        except ConfigurationError as error:
            problems.append(f"{name}{SUFFIX}: {error}")
    if problems:
        raise ConfigurationError("\n".join(problems))
    return found


def read_secret(path: Path) -> str:
    """Return what a file holds, without the white space around it. Raises ConfigurationError when that is nothing."""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not text") from None
    if not secret:
        raise ConfigurationError(f"{path} is empty")
    return secret
