"""The app as a visitor meets it: a process of its own on a free port; and the Chromium that visits it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120
PATIENCE = 60_000  # milliseconds; the first answer imports torch, and the machine may be busy
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def running_app(log: Path, program: Sequence[str] = ("app.py",), cwd: Path = ROOT) -> Iterator[str]:
    """Starts `python app.py` in `cwd`, gives its address when it answers, and stops it; what it prints goes to `log`.

    `program`: what Python runs instead, with the arguments of app.py.
    """
    port = _free_port()
    command = [sys.executable, *program, "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {
        "TOKENLIGHT_DEVICE": "cpu",
        "OMP_NUM_THREADS": "1",  # as in the tests: small tensors, and the same numbers
        "HF_HUB_OFFLINE": "1",
        "GRADIO_TEMP_DIR": str(log.parent),
    }
    with open(log, "w", encoding="utf-8") as output:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            address = f"http://127.0.0.1:{port}/"
            _wait_for(address, process, log)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def chromium() -> str | None:
    """Where Chromium is on this machine, or None. Nothing is ever downloaded."""
    return next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the app stopped while starting: {log.read_text(encoding='utf-8')}")
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise RuntimeError(f"the app did not answer within {START_SECONDS} s: {log.read_text(encoding='utf-8')}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
