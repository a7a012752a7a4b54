"""``python -m deploy.local demo|up|services``: run the pipeline, or only what it stands on, on this machine."""

import importlib
import sys

from deploy.local.errors import ServiceError

_COMMANDS = {"demo": "deploy.local.demo", "up": "deploy.local.stack", "services": "deploy.local.services"}


def main(arguments: list[str]) -> int:
    """Run one command; returns its exit code, 1 if a service could not be had, 2 if there is no such command."""
    if len(arguments) != 1 or arguments[0] not in _COMMANDS:
        sys.stderr.write(f"usage: python -m deploy.local {'|'.join(_COMMANDS)}\n")
        return 2
    try:
        return int(importlib.import_module(_COMMANDS[arguments[0]]).main())
    except ServiceError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
