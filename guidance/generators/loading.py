"""Opening generators: of the catalogue by name, or any folder in the hub's layout by path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from explain.clip import weights
from explain.clip.loading import find_device
from explain.clip.weights import ModelUnavailable
from guidance.generators.catalogue import GENERATORS, Entry, available, find

if TYPE_CHECKING:
    from guidance.generators.diffusion.model import LatentDiffusion
    from guidance.generators.vqgan import VQGAN

__all__ = ["ModelUnavailable", "fetch", "open_generator"]


def fetch(name: str, progress: weights.Progress | None = None) -> None:
    """Makes sure that a generator's files are on this machine; a built-in one's always are. Opens nothing.

    `progress(fraction, what)` is called while files are downloaded. ModelUnavailable for what cannot be had now,
    ValueError for an unknown name.
    """
    entry = find(name)
    reason = available(entry)
    if reason is not None:
        raise ModelUnavailable(reason)
    for repository, patterns in _repositories(entry):
        _fetched(entry, repository, patterns, progress)


def open_generator(
    name: str | Path = "toy-sd", device: str = "auto", download: bool = True
) -> LatentDiffusion | VQGAN:
    """A generator of the catalogue, or a folder that holds a StableDiffusionPipeline or a VQModel (safetensors alone).

    `device`: as `explain.load` takes it. `download`: whether what is missing may be fetched. Nothing is kept here:
    whoever opens a generator holds it. ModelUnavailable (a ValueError) for what cannot be had now, ValueError for what
    does not exist.
    """
    target = find_device(device)
    if isinstance(name, Path) or (name not in GENERATORS and os.path.isdir(name)):
        folder = Path(name)
        kind = "diffusion" if (folder / "model_index.json").is_file() else "vqgan"
        return _opened(Entry(folder.name, folder.name, kind, 0, True, ""), folder, None, target)
    entry = find(name)
    reason = available(entry)
    if reason is not None:
        raise ModelUnavailable(reason)
    if entry.local:
        return _opened(entry, entry.directory, None, target)
    folder, *preview = (
        _fetched(entry, repository, patterns, download=download)
        for repository, patterns in _repositories(entry)
    )
    return _opened(entry, folder, preview[0] if preview else None, target)


def _opened(
    entry: Entry, folder: Path, preview: Path | None, device: torch.device
) -> LatentDiffusion | VQGAN:
    if entry.kind == "vqgan":
        from guidance.generators.vqgan import open_vqgan

        return open_vqgan(
            folder, entry.name, device, subfolder=entry.subfolder, size=entry.size, span=entry.span
        )
    from guidance.generators.diffusion.model import open_diffusion

    return open_diffusion(folder, entry.name, device, preview=preview, scheduler=entry.scheduler)


def _repositories(entry: Entry) -> list[tuple[str, list[str]]]:
    """Where a generator's files are, and which of them are needed; the small decoder's come second."""
    if entry.local:
        return []
    decoder = [(entry.preview, ["*.json", "*.safetensors"])] if entry.preview else []
    return [(entry.repository, entry.patterns), *decoder]


def _fetched(
    entry: Entry,
    repository: str,
    patterns: list[str],
    progress: weights.Progress | None = None,
    download: bool = True,
) -> Path:
    """A repository's files in the hub's cache, fetched where they are not there yet."""
    import huggingface_hub

    bar = None if progress is None else weights.progress_bar(progress, f"downloading {repository}")
    try:
        found = huggingface_hub.snapshot_download(
            repository,
            allow_patterns=patterns,
            ignore_patterns=["*non_ema*", "*.fp16.*"],
            local_files_only=not (download and weights.hub_reachable()),
            tqdm_class=bar,
        )
    except Exception as error:  # whatever the hub's client or the network raises
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelUnavailable(f"{entry.label} could not be downloaded: {reason}") from error
    return Path(found)
