"""The audit of our dependencies, against an advisory service that knows of a flaw, of none, or is away."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

ROOT = Path(__file__).parents[2]
LOCK = "sound==1.0 --hash=sha256:{0}\nflawed==2.0 --hash=sha256:{0}\n".format("0" * 64)


class Advisories(BaseHTTPRequestHandler):
    """Speaks as osv.dev does."""

    flaws: ClassVar[dict[str, Any]] = {}

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = asked["package"]["name"]
        found = {"vulns": [self.flaws[name]]} if name in self.flaws else {}
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Advisories) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.lock"
    path.write_text(LOCK)
    return path


def audit(lock: Path, url: str, *more: str) -> tuple[int, str]:
    result = subprocess.run(
        [
            *(sys.executable, "-m", "deploy.local.dependencies", "--requirements", lock),
            *("--vulnerability-service", "osv", "--osv-url", url, *more),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr == ""
    return result.returncode, result.stdout


def test_packages_without_a_known_vulnerability_pass(lock: Path, service: str) -> None:
    assert audit(lock, service, "--required") == (0, "2 packages audited, 0 known vulnerabilities\n")


def test_a_known_vulnerability_fails(lock: Path, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.1"}]}]
    affected = [{"package": {"name": "flawed", "ecosystem": "PyPI"}, "ranges": ranges}]
    monkeypatch.setattr(Advisories, "flaws", {"flawed": {"id": "PYSEC-1", "affected": affected}})

    code, said = audit(lock, service)

    assert code == 1
    assert "VULNERABLE  flawed 2.0: PYSEC-1, mended in 2.1\n" in said


def test_a_service_that_is_away_is_told_and_fails_only_where_it_is_required(lock: Path) -> None:
    nowhere = "http://127.0.0.1:9/"
    code, said = audit(lock, nowhere)
    assert code == 0
    assert said.startswith("NOT AUDITED ")
    assert audit(lock, nowhere, "--required")[0] == 1
