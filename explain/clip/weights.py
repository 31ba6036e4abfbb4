"""Finding weights: in a directory, in the hub's cache, on the hub. Safetensors only, checked before they
are read.
"""

import hashlib
import json
import os
import re
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants
from tqdm import tqdm

SAFETENSORS = "open_clip_model.safetensors"
CONFIG = "open_clip_config.json"
TOWERS = (
    "image/model.safetensors",
    "text/model.safetensors",
)  # a checkpoint in two files: one for each tower
Progress = Callable[[float, str], None]  # fraction done in [0, 1], what is being done

_CONNECT_SECONDS = 3.0
_REMEMBER_SECONDS = 30.0
_LONGEST_HEADER = 100_000_000  # bytes, as in the safetensors library
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_last_check: tuple[float, bool] | None = None


class ModelUnavailable(ValueError):
    """A model that exists but cannot be had now: offline, half downloaded, damaged."""


def directory_problem(directory: Path) -> str | None:
    """Why this is no open_clip model directory with safetensors weights, or None if it is one."""
    if not directory.is_dir():
        return f"there is no directory {directory.name!r}"
    if not (directory / CONFIG).is_file():
        return f"{directory.name!r} has no {CONFIG}"
    if not directory_weights(directory):
        pickles = sorted(path.name for pattern in _PICKLES for path in directory.glob(pattern))
        if pickles:
            return (
                f"{directory.name!r} holds {pickles[0]}, a pickle, which may run code; allowed: {SAFETENSORS}"
            )
        return f"{directory.name!r} has no {SAFETENSORS}"
    return None


def directory_weights(directory: Path) -> tuple[Path, ...]:
    """The safetensors files of a model directory: one with all weights, or the image tower's and the text tower's."""
    preferred = directory / SAFETENSORS
    found = [preferred] if preferred.is_file() else sorted(directory.glob("*.safetensors"))[:1]
    towers = [directory / name for name in TOWERS]
    return tuple(found or towers) if found or all(path.is_file() for path in towers) else ()


def cached(repository: str, filename: str) -> Path | None:
    """The file in the hub's cache, or None. A half-downloaded file is not in it."""
    found = huggingface_hub.try_to_load_from_cache(repository, filename)
    return Path(found) if isinstance(found, str) and Path(found).is_file() else None


def hub_reachable() -> bool:
    """Whether the hub (or the proxy before it) answers within 3 seconds. Remembered for half a minute."""
    global _last_check
    if (
        constants.HF_HUB_OFFLINE
        or os.environ.get("HF_HUB_OFFLINE", "").upper() in constants.ENV_VARS_TRUE_VALUES
    ):
        return False
    if _last_check is None or time.monotonic() - _last_check[0] > _REMEMBER_SECONDS:
        _last_check = (time.monotonic(), _connects())
    return _last_check[1]


def _connects() -> bool:
    """One connection attempt; looking up the name has no time limit of its own, so a thread has to wait for
    it.
    """
    proxy = next(
        (os.environ[n] for n in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy") if n in os.environ),
        "",
    )
    url = urllib.parse.urlsplit(proxy or constants.ENDPOINT)
    address = (url.hostname or "huggingface.co", url.port or (80 if url.scheme == "http" else 443))
    answers: list[bool] = []

    def attempt() -> None:
        try:
            socket.create_connection(address, timeout=_CONNECT_SECONDS).close()
        except OSError:
            return
        answers.append(True)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(_CONNECT_SECONDS)
    return bool(answers)


def fetch(repository: str, filename: str, progress: Progress | None = None) -> Path:
    """The file from the cache or, failing that, from the hub. Raises OSError or ValueError where neither
    has it.
    """
    found = cached(repository, filename)
    if found is not None:
        return found
    bar = None if progress is None else progress_bar(progress, f"downloading {repository}")
    path = Path(huggingface_hub.hf_hub_download(repository, filename, etag_timeout=5, tqdm_class=bar))
    _check_digest(path)
    return path


def progress_bar(progress: Progress, what: str) -> type[tqdm]:
    """A tqdm class that reports to `progress` in place of the terminal."""

    class Bar(tqdm):
        def update(self, n: float | None = 1) -> bool | None:
            drawn = super().update(n)
            if self.total:
                progress(min(1.0, self.n / self.total), what)
            return drawn

        def display(self, msg: str | None = None, pos: int | None = None) -> bool:
            return False

    return Bar


def _check_digest(path: Path) -> None:
    """A large file's name in the cache is its SHA-256: compare, once, after the download."""
    expected = path.resolve().name
    if not re.fullmatch("[0-9a-f]{64}", expected):
        return
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != expected:
        raise ModelUnavailable(
            f"{shown(path)} has the wrong checksum {digest[:12]}..., expected {expected[:12]}...: delete it"
        )


def shown(path: Path) -> str:
    """A file for messages: its name and that of its model directory or of its repository in the hub's
    cache, and never where on this machine that is.
    """
    folder = path.parent
    if folder.parent.name == "snapshots":
        folder = folder.parent.parent
    return f"{path.name} in {folder.name!r}"


def check_safetensors(path: Path) -> None:
    """Raises ModelUnavailable unless the header is sound and the file is as long as the header says."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        plausible = len(start) == 8 and 2 <= length <= min(size - 8, _LONGEST_HEADER)
        header = file.read(length if plausible else 1)
    begins = header.startswith(b"{")
    if not (plausible and begins):
        # Any byte may begin a length, those of a pickle or a zip too: what follows must speak against it.
        if not begins and (start[:4] == b"PK\x03\x04" or start[:1] == b"\x80"):
            raise ModelUnavailable(f"{shown(path)} is a pickle, which may run code; allowed: safetensors")
        raise ModelUnavailable(
            f"{shown(path)} is no safetensors file, or a damaged one ({size} bytes): delete it"
        )
    try:
        tensors = json.loads(header)
        needed = (
            8
            + length
            + max(item["data_offsets"][1] for name, item in tensors.items() if name != "__metadata__")
        )
        incomplete = size < needed
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ModelUnavailable(
            f"{shown(path)} is a damaged safetensors file (its header cannot be read): delete it"
        ) from error
    if incomplete:
        raise ModelUnavailable(
            f"{shown(path)} is incomplete ({size} of {needed} bytes): delete it and load again"
        )
