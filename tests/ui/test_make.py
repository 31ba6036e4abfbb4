"""`make`, read but not run: what it would do in an environment that an interrupted run left half made."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not on this machine")
@pytest.mark.parametrize("target", ["demo", "test"])
def test_pip_is_upgraded_before_anything_is_installed(tmp_path, target):
    interpreter = tmp_path / "bin" / "python"
    interpreter.parent.mkdir()
    interpreter.touch()
    done = subprocess.run(
        ["make", "--dry-run", target, f"VENV={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    pip = [line for line in done.stdout.splitlines() if "-m pip install" in line]
    assert "pip>=25.1" in pip[0]
    assert len(pip) > 1
