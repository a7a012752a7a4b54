"""The file of `callbacks sync`: the registrations a company should have."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from cli.callbacks.parameters import read_type
from cli.callbacks.specs import CONTENT_TYPES, METHODS, make_spec
from cli.callbacks.urls import check_url, expand, mask_url
from cli.registrations import subject
from schemas.errors import ConfigurationError
from vibes_api import CallbackSpec

T = TypeVar("T", bound=str)

_SETTINGS: Final = ("callback_type", "parameters", "url", "method", "content_type")
_MOST_ENDPOINTS: Final = 50
_EXAMPLE: Final = (
    '[[registrations]]\\ncallback_type = "subscription_added"\\nparameters = { list_id = "1234" }\\n'
    'url = "https://callbacks.acme.com/callbacks/${ENDPOINT_KEY}"'
)


def load_specs(path: Path, environment: Mapping[str, str], *, allow_insecure: bool) -> list[CallbackSpec]:
    """Read the file. Raises ConfigurationError with every problem: the file, the entry, what is wrong, an example."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: is not TOML ({error})") from error
    return read_specs(str(path), data, environment, allow_insecure=allow_insecure)


def read_specs(
    name: str, data: Mapping[str, Any], environment: Mapping[str, str], *, allow_insecure: bool
) -> list[CallbackSpec]:
    """Return what a file's content says should be registered. Raises ConfigurationError as `load_specs`. Pure."""
    entries = data.get("registrations")
    if not isinstance(entries, list) or not entries or set(data) != {"registrations"}:
        raise ConfigurationError(f"{name}: must hold [[registrations]] and nothing else. Example: {_EXAMPLE}")
    specs, problems = [], []
    for number, entry in enumerate(entries, 1):
        where = f"{name}: entry {number}"
        if not isinstance(entry, dict):
            problems.append(f"{where}: must be a table. Example: {_EXAMPLE}")
            continue
        try:
            specs.append(_read(entry, environment, allow_insecure=allow_insecure))
        except ValueError as error:
            problems.append(f"{where} ({entry.get('callback_type', 'without callback_type')}): {error}")
    if problems:
        raise ConfigurationError("\n".join(problems))
    _check_together(name, specs)
    return specs


def _read(entry: Mapping[str, Any], environment: Mapping[str, str], *, allow_insecure: bool) -> CallbackSpec:
    for setting in entry:
        if setting not in _SETTINGS:
            raise ValueError(f"{setting} is no setting of a registration; the settings are {', '.join(_SETTINGS)}")
    callback_type, url, parameters = read_type(entry.get("callback_type")), entry.get("url"), entry.get("parameters")
    if not url or not isinstance(url, str):
        raise ValueError('url is missing. Example: url = "https://callbacks.acme.com/callbacks/${ENDPOINT_KEY}"')
    if parameters is not None and not isinstance(parameters, dict):
        raise ValueError('parameters must be a table. Example: parameters = { list_id = "1234" }')
    url = expand(url, environment)
    check_url(url, allow_insecure=allow_insecure)
    return make_spec(
        callback_type,
        parameters or {},
        url,
        method=_one_of("method", entry.get("method"), METHODS),
        content_type=_one_of("content_type", entry.get("content_type"), CONTENT_TYPES),
    )


def _one_of(setting: str, value: object, choices: Sequence[T]) -> T:
    for choice in choices:
        if value == choice:
            return choice
    if value is None:
        return choices[0]
    raise ValueError(f'{setting} {value!r} is none of {", ".join(choices)}. Example: {setting} = "{choices[0]}"')


def _check_together(name: str, specs: Sequence[CallbackSpec]) -> None:
    """Refuse one registration twice (every event would come twice), and more URLs than Vibes takes."""
    counts = Counter((subject(spec.callback_type, spec.parameters or {}), spec.url) for spec in specs)
    for number, spec in enumerate(specs, 1):
        key = (subject(spec.callback_type, spec.parameters or {}), spec.url)
        if counts[key] > 1:
            raise ConfigurationError(
                f"{name}: entry {number} ({spec.callback_type}): is there {counts[key]} times for "
                f"{mask_url(spec.url)}; keep one, or every event comes {counts[key]} times"
            )
    if len({spec.url for spec in specs}) > _MOST_ENDPOINTS:
        raise ConfigurationError(f"{name}: has more than {_MOST_ENDPOINTS} different URLs, the most Vibes takes")
