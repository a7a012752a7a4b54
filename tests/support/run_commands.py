"""Run `vibes-pipeline` commands, each in a process forked from this one: importing costs more than they do.

Reads one command a line from standard input, as JSON: `arguments`, `environment` (added to that of this process) and
`output` (the file both its streams go to). Ends when all have.
"""

import json
import os
import sys
from importlib import import_module

from cli.main import main


def run(arguments: list[str], environment: dict[str, str], output: str) -> None:
    """Run one command to its end, its streams going to a file."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        file = os.open(output, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.environ.update(environment)
        sys.argv = ["vibes-pipeline", *arguments]
        main()
    except SystemExit:
        pass
    except BaseException:  # noqa: BLE001 - told as the interpreter would, for it ends here
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    for group in ("callbacks", "dead_letters", "persons"):
        import_module(f"cli.{group}.app")
    for line in sys.stdin:
        run(**json.loads(line))
