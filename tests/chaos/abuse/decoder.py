"""Coverage-guided fuzzing of the decoder and the fold: `python -m tests.chaos.abuse.decoder --seconds S [--seed N]`.

Each check of `tests.chaos.abuse.properties` gets a share of the time, in a process of its own, and starts from the
corpus in tests/fuzz_corpus and the documented bodies. What fails is kept in .run/fuzz, to be put into that corpus once
it is mended. Needs atheris, which exists for Linux on x86_64 only.
"""

import argparse
import importlib.util
import json
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.chaos.abuse.properties import CHECKS
from tests.support.bodies import documented_bodies

CORPUS = Path(__file__).parents[2] / "fuzz_corpus"
MISSING = "atheris is not installed: it exists for Linux on x86_64 only. The Hypothesis tests run everywhere."
_FAILED = Path(".run/fuzz")
_START_SECONDS = 60.0
_MOST_INPUT_BYTES = 4_096
_MOST_MIB = 2_048
_MOST_SECONDS_AN_INPUT = 10


def fuzz(seconds: float, seed: int | None = None, checks: tuple[str, ...] = tuple(CHECKS)) -> dict[str, Any]:
    """Fuzz for so long in all; return `{seed, inputs, findings, ok}`. Raises RuntimeError when atheris is missing."""
    if importlib.util.find_spec("atheris") is None:
        raise RuntimeError(MISSING)
    seed = secrets.randbelow(2**31) if seed is None else seed
    results = {name: _fuzz_one(name, seconds / len(checks), seed) for name in checks}
    findings = [f"{name}: {finding}" for name, (_, finding) in results.items() if finding]
    return {
        "seed": seed,
        "inputs": {name: inputs for name, (inputs, _) in results.items()},
        "findings": findings,
        "ok": not findings,
    }


def _fuzz_one(name: str, seconds: float, seed: int) -> tuple[int, str | None]:
    """Run one check in a process of its own; return the number of inputs, and what failed."""
    _FAILED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as seeds:
        for number, body in enumerate(_seeds(name)):
            Path(seeds, str(number)).write_bytes(body)
        options = {
            "max_total_time": max(1, round(seconds)),
            "seed": max(1, seed),
            "max_len": _MOST_INPUT_BYTES,
            "rss_limit_mb": _MOST_MIB,
            "timeout": _MOST_SECONDS_AN_INPUT,
            "artifact_prefix": f"{_FAILED}/{name}-",
            "print_final_stats": 1,
        }
        arguments = [f"-{option}={value}" for option, value in options.items()]
        result = subprocess.run(
            [sys.executable, "-m", "tests.chaos.abuse.fuzz_target", name, *arguments, seeds],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds + _START_SECONDS,
        )
    told = result.stdout + result.stderr
    inputs = _figure(told, "stat::number_of_executed_units:")
    if result.returncode == 0:
        return inputs, None
    kept = next((line.split()[-1] for line in told.splitlines() if "Test unit written to" in line), "no input kept")
    error = next((line.strip() for line in told.splitlines() if "Error" in line or "ERROR" in line), "no error told")
    return inputs, f"{error} ({kept})"


def _seeds(name: str) -> list[bytes]:
    """Return what to start from: the corpus, and the documented bodies in the form the check takes."""
    known = [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]
    starts = {
        "body": [b"\x00" + body for body in documented_bodies()],
        "callback": documented_bodies(),
        "fold": [b"\n".join(documented_bodies())],
    }
    return known + starts.get(name, [])


def _figure(text: str, label: str) -> int:
    line = next((line for line in text.splitlines() if line.startswith(label)), "0")
    return int(line.split()[-1])


def main() -> int:
    """Fuzz, print what came of it; return the exit code: 0 all well, 1 something failed, 2 atheris is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.abuse.decoder", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    try:
        report = fuzz(arguments.seconds, arguments.seed)
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    json.dump(report, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
