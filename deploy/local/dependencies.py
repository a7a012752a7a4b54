"""Whether a package we depend on has a known vulnerability: `python -m deploy.local.dependencies`.

pip-audit asks an advisory service about each package of the lock file. A vulnerability is an error; a service that
cannot be reached is told, and is no error unless `--required` says so: a machine without the Internet has to be able to
run the tests.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_LOCK = "requirements.lock"


@dataclass(slots=True)
class Findings:
    """What pip-audit found out."""

    audited: int = 0
    vulnerable: list[str] = field(default_factory=list)
    """A line for each vulnerability."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Packages nothing could be found out about, and why."""

    @classmethod
    def of(cls, report: dict[str, Any]) -> "Findings":
        """Read the report of pip-audit."""
        findings = cls()
        for each in report["dependencies"]:
            if "skip_reason" in each:
                findings.skipped[each["name"]] = each["skip_reason"]
                continue
            findings.audited += 1
            for flaw in each["vulns"]:
                fixed = ", ".join(flaw["fix_versions"]) or "no version yet"
                findings.vulnerable.append(f"{each['name']} {each['version']}: {flaw['id']}, mended in {fixed}")
        return findings

    def told(self) -> list[str]:
        """Return what there is to say, a line each."""
        lines = [f"VULNERABLE  {line}" for line in self.vulnerable]
        if self.skipped:
            why = next(iter(self.skipped.values()))
            lines.append(
                f"NOT AUDITED {len(self.skipped)} of {len(self.skipped) + self.audited} packages, such as: {why}"
            )
        if self.audited:
            lines.append(f"{self.audited} packages audited, {len(self.vulnerable)} known vulnerabilities")
        return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit the lock file; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.dependencies", description=__doc__)
    parser.add_argument("--requirements", default=_LOCK, help=f"lock file (default: {_LOCK})")
    parser.add_argument("--required", action="store_true", help="fail, too, when not every package could be audited")
    options, for_pip_audit = parser.parse_known_args(arguments)
    command = [sys.executable, "-m", "pip_audit", "--requirement", options.requirements, "--disable-pip"]
    result = subprocess.run(
        [*command, "--format", "json", "--desc", "off", "--progress-spinner", "off", *for_pip_audit],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        findings = Findings.of(json.loads(result.stdout))
    except ValueError:
        complaint = (result.stderr.strip().splitlines() or ["no answer"])[-1]
        findings = Findings(skipped={options.requirements: f"pip-audit ended with {result.returncode}: {complaint}"})
    sys.stdout.writelines(f"{line}\n" for line in findings.told())
    return 1 if findings.vulnerable or (options.required and findings.skipped) else 0


if __name__ == "__main__":
    sys.exit(main())
