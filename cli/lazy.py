"""Groups of commands that are imported when one of their commands is used: the others then start sooner."""

from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup


class LazyGroup(TyperGroup):
    """A group whose `modules` name further groups: by command, the module and the Typer app in it, `module:app`.

    The context is click's, of which Typer has a private copy or not, depending on its version.
    """

    modules: ClassVar[dict[str, str]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        return [*super().list_commands(ctx), *self.modules]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; imports the group of that name."""
        if cmd_name not in self.modules:
            return super().get_command(ctx, cmd_name)
        module, _, app = self.modules[cmd_name].partition(":")
        command = typer.main.get_group(getattr(import_module(module), app))
        command.name = cmd_name
        return command
