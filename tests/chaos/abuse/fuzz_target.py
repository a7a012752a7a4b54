"""The process that fuzzes one check: `python -m tests.chaos.abuse.fuzz_target CHECK OPTIONS... SEEDS`, as libFuzzer."""

import sys

import atheris  # type: ignore[import-untyped]  # it comes without types

with atheris.instrument_imports(
    include=["schemas", "workers.mirror", "workers.apply.reading"], enable_loader_override=False
):
    from tests.chaos.abuse.properties import CHECKS


def main() -> None:
    """Fuzz until the time is over or a check fails; ends the process."""
    check = CHECKS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
