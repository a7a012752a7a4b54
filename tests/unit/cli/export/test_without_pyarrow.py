"""pyarrow is an extra: who has not asked for it can use everything else."""

import sys
from pathlib import Path

import pytest

from cli.main import export
from schemas.errors import ConfigurationError


def test_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [each for each in sys.modules if each.startswith("cli.export")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'vibes-pipeline\[export\]'"):
        export(tmp_path)
