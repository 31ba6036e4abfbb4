"""Opening models from folders in the hub's layout: safetensors alone, and nothing fetched."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch


def opened(kind: Any, folder: str | Path, needed: str, dtype: torch.dtype, **settings: Any) -> Any:
    """`kind.from_pretrained` of a folder on this machine that holds the file `needed`. ValueError where it fails, with
    the folder's name alone.
    """
    folder = Path(folder)
    if not (folder / needed).is_file():
        raise ValueError(f"{folder.name!r} is no folder of a {kind.__name__}: it has no {needed}")
    if not any(folder.rglob("*.safetensors")):
        raise ValueError(f"{folder.name!r} has no weights; allowed: safetensors")
    try:
        with quiet():
            return kind.from_pretrained(
                folder,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                low_cpu_mem_usage=importlib.util.find_spec("accelerate") is not None,
                **settings,
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        reason = str(error).replace(str(folder), folder.name).strip().split("\n")[0]
        raise ValueError(f"{folder.name!r} cannot be opened as a {kind.__name__}: {reason}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars of the libraries' own while this lasts."""
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    shown = [log for log in (of_diffusers, of_transformers) if log.is_progress_bar_enabled()]
    try:
        for log in shown:
            log.disable_progress_bar()
        yield
    finally:
        for log in shown:
            log.enable_progress_bar()
