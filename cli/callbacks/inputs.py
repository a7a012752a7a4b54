"""What several commands of `callbacks` take, and how it is checked."""

import os
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from cli.callbacks.urls import check_url, expand
from schemas.errors import ConfigurationError
from vibes_api import CallbackType

T = TypeVar("T")

URL_HELP = "Where the callbacks go. ${NAME}, in single quotes, stands for an environment variable."
DATE_HELP = "Such as 2017-01-01T00:00Z or 2017-01-01."

Type = Annotated[CallbackType, typer.Argument(metavar="TYPE", help="One of the 17 callback types.")]
CallbackId = Annotated[str, typer.Argument(help="The callback_id, as `callbacks list` shows it.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Such as list_id=1234; once for each parameter."),
]
Insecure = Annotated[
    bool, typer.Option("--allow-insecure", help="Let http and local or made-up hosts pass, for local trials.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def checked(make: Callable[[], T]) -> T:
    """Return what `make` makes; its ValueError is wrong use: ConfigurationError."""
    try:
        return make()
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def checked_url(url: str, *, allow_insecure: bool) -> str:
    """Return the URL an option gives, its variables expanded. Raises ValueError for one not to be registered."""
    whole = expand(url, os.environ)
    check_url(whole, allow_insecure=allow_insecure)
    return whole


def pairs(given: list[str] | None) -> dict[str, str]:
    """Return the parameters that options give. Raises ValueError."""
    read: dict[str, str] = {}
    for pair in given or ():
        name, separator, value = pair.partition("=")
        if not separator or name in read:
            raise ValueError(
                f"--parameter {pair}: must be NAME=VALUE, each name once. Example: --parameter list_id=1234"
            )
        read[name] = value
    return read
