"""What a request says beside its body. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from ingest.crm.refusals import CannotTakeError

_CHOICES = {"bulk": ("false", "true"), "results": ("all", "refused")}
"""Parameters of the query and their values, the default first."""


@dataclass(frozen=True, slots=True)
class Options:
    """`bulk`: an import, which waits for what is not one. `only_refused`: leave accepted records out of the answer."""

    bulk: bool
    only_refused: bool


def read_options(query: Mapping[str, str]) -> Options:
    """Read the query. Raises CannotTakeError for what is unknown: a misspelt `bulk` would be live traffic."""
    chosen = {name: values[0] for name, values in _CHOICES.items()}
    for name, value in query.items():
        if value not in _CHOICES.get(name, ()):
            known = "; ".join(f"{known}={'|'.join(values)}" for known, values in _CHOICES.items())
            raise CannotTakeError(
                400, "unknown_option", f"the query has an unknown parameter or value; known are {known}"
            )
        chosen[name] = value
    return Options(chosen["bulk"] == "true", chosen["results"] == "refused")
