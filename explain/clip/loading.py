"""Loading models, and keeping what was loaded within a memory budget."""

import gc
import logging
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import open_clip
import torch
from safetensors import safe_open
from torch import nn

from explain import towers
from explain.clip import projection, weights
from explain.clip.catalogue import CATALOGUE, Entry, find, offline_message
from explain.clip.model import Clip
from explain.clip.weights import ModelUnavailable, Progress


def load(name: str | Path, device: str = "auto", progress: Progress | None = None) -> Clip:
    """A model of the catalogue by name, or any open_clip model directory by path. Loaded models are kept
    for the next call, least recently used out first, within `memory_budget` on each device.

    `device`: "auto", "cpu", "cuda", "cuda:1", "mps". `progress(fraction, what)` is called while a download
    runs.
    """
    target = find_device(device)
    directory = None
    if isinstance(name, Path) or (isinstance(name, str) and name not in CATALOGUE and os.path.isdir(name)):
        directory = Path(name).resolve()
    entry = None if directory else find(name)
    key = (str(directory or name), str(target))
    with _locks_guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:  # two visitors who want the same model wait for one load
        with _locks_guard:
            if key in _loaded:
                _loaded.move_to_end(key)
                return _loaded[key]
        budget = memory_budget(target)
        clip = (
            _load_entry(entry, progress) if directory is None else _load_directory(directory.name, directory)
        )
        file = entry.projection if entry else directory / projection.FOLDER / projection.FILE
        if file.is_file():
            clip = replace(clip, eclip=projection.read(file, clip.model.visual))
        _keep(key, clip, budget)
        try:
            clip.model.to(target)
        except BaseException:  # out of memory, say: it is not there to be used
            with _locks_guard:
                _loaded.pop(key, None)
            raise
    return clip


_loaded: OrderedDict[tuple[str, str], Clip] = OrderedDict()  # by name or path, and device
_locks: dict[tuple[str, str], threading.Lock] = {}
_locks_guard = threading.Lock()


def memory_budget(device: torch.device) -> int:
    """Bytes that loaded models may take together on a device: TOKENLIGHT_MEMORY_MB, by default half of the
    GPU's memory, or of the machine's for "cpu" and "mps".
    """
    megabytes = os.environ.get("TOKENLIGHT_MEMORY_MB", "")
    if megabytes:
        if not re.fullmatch("[0-9]{1,12}", megabytes):
            raise ValueError(
                f"TOKENLIGHT_MEMORY_MB is {megabytes[:40]!r}; allowed: a whole number of megabytes"
            )
        return int(megabytes) * 1_000_000
    if device.type == "cuda":
        with suppress(RuntimeError, AssertionError):  # a GPU that is lent only later does not tell yet
            return torch.cuda.mem_get_info(device)[1] // 2
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return 4_000_000_000


def _keep(key: tuple[str, str], clip: Clip, budget: int) -> None:
    """Adds a model to the loaded ones, after letting go of the least recently used on its device, as many as
    must leave for it to fit.
    """
    gone = []
    with _locks_guard:
        there = {other: _size(kept) for other, kept in _loaded.items() if other[1] == key[1]}
        needed = sum(there.values()) + _size(clip) - budget
        for other, size in there.items():
            if needed <= 0:
                break
            gone.append(_loaded.pop(other))
            needed -= size
        _loaded[key] = clip
    if gone:
        gone.clear()
        gc.collect()  # a model and the pictures it has read hold each other: free them before the next moves in


def _size(clip: Clip) -> int:
    return sum(item.numel() * item.element_size() for item in clip.model.state_dict().values())


def find_device(device: str) -> torch.device:
    """The device of this name, if this machine has it; of several GPUs always one by its number."""
    if device == "auto":
        device = (
            "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        )
    known = re.fullmatch("(cpu|mps)(:0)?|cuda(:[0-9]{1,3})?", device) if isinstance(device, str) else None
    if known is None:
        raise ValueError(f"unknown device {str(device)[:40]!r}; allowed: auto, cpu, cuda, cuda:<number>, mps")
    target = torch.device(known[1] or device)
    if target.type == "cuda" and target.index is None:
        target = torch.device("cuda", torch.cuda.current_device() if torch.cuda.is_initialized() else 0)
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    here = ["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])]
    if str(target) not in here:
        raise ValueError(f"device {device!r} is not on this machine; allowed: auto, {', '.join(here)}")
    return target


def _load_entry(entry: Entry, progress: Progress | None) -> Clip:
    """A model of the catalogue: a built-in directory, or files of the hub's cache or the hub."""
    if entry.local:
        return _load_directory(entry.name, entry.directory)
    config = open_clip.get_pretrained_cfg(entry.architecture, entry.tag)
    _require_activation(entry.architecture, entry.tag)
    missing = [name for name in entry.files if weights.cached(entry.repository, name) is None]
    if missing and not weights.hub_reachable():
        raise ModelUnavailable(offline_message(entry))
    try:
        paths = tuple(weights.fetch(entry.repository, name, progress) for name in entry.files)
    except ModelUnavailable:
        raise
    except Exception as error:  # whatever the hub's client or the network raises
        said = error.strerror if isinstance(error, OSError) and error.filename else str(error)
        reason = " ".join((said or "").split())[:200] or type(error).__name__
        raise ModelUnavailable(f"{entry.label} could not be downloaded: {reason}") from error
    if progress is not None:
        progress(1.0, f"loading {entry.label}")
    model, transform = _create(entry.architecture, paths[:1], config)
    tokenizer = _hub_tokenizer(entry, paths[-1].parent) if entry.tokenizer_files else None
    return Clip(entry.name, model, transform, tokenizer or open_clip.get_tokenizer(entry.architecture))


def _load_directory(name: str, directory: Path) -> Clip:
    """An open_clip `local-dir:` checkpoint, with words.txt (one word per line) if it has one."""
    problem = weights.directory_problem(directory)
    if problem is not None:
        raise ModelUnavailable(f"model {name!r} cannot be loaded: {problem}")
    source = f"local-dir:{directory}"
    model, transform = _create(source, weights.directory_weights(directory), {})
    listed = directory / "words.txt"
    vocabulary = frozenset(listed.read_text(encoding="utf-8").split()) if listed.is_file() else None
    return Clip(name, model, transform, open_clip.get_tokenizer(source), vocabulary)


def _create(source: str, paths: tuple[Path, ...], config: dict) -> tuple[nn.Module, object]:
    """The frozen model and its squashing transform; refuses towers that cannot be opened."""
    for path in paths:
        weights.check_safetensors(path)
    path, local = paths[0], source.startswith("local-dir:")
    image, text = paths if len(paths) == 2 else (None, None)
    try:
        with nullcontext() if image is None else _told_errors_alone():
            model, _, transform = open_clip.create_model_and_transforms(
                source,
                pretrained=None if local else str(path),
                load_weights=image is None,
                pretrained_image_path=image,
                pretrained_text_path=text,
                precision="fp32",
                image_mean=config.get("mean"),
                image_std=config.get("std"),
                image_interpolation=config.get("interpolation"),
                image_resize_mode="squash",
            )
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].replace(
            str(path.parent), path.parent.name
        )
        what = "its configuration" if local else source
        raise ModelUnavailable(f"{weights.shown(path)} does not fit {what}: {reason}") from error
    if text is not None:  # open_clip takes of a tower's file what fits, and says nothing of the rest
        _require_all(model.visual, image)
        _require_all(getattr(model, "text", model), text)
    reason = towers.refusal(model.visual) or towers.text_refusal(model)
    if reason is not None:
        raise ValueError(reason)
    return model.eval().requires_grad_(False), transform


@contextmanager
def _told_errors_alone() -> Iterator[None]:
    """Without OpenCLIP's warnings that towers from two files are no whole checkpoint: `_require_all` looks."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)


def _require_all(tower: nn.Module, path: Path) -> None:
    """ModelUnavailable unless a file holds a tower's weights, all of them and no others."""
    with safe_open(path, "pt") as file:
        found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    wanted = {name: tuple(value.shape) for name, value in tower.state_dict().items()}
    wrong = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    if wrong:
        raise ModelUnavailable(
            f"{weights.shown(path)} does not fit its configuration: {len(wrong)} of {len(wanted)} weights are missing, "
            f"unknown or of another shape, the first: {wrong[0]}"
        )


def _hub_tokenizer(entry: Entry, directory: Path) -> object:
    """The Hugging Face tokenizer of an entry, from the directory in the cache that holds its files."""
    config = open_clip.get_model_config(entry.architecture)["text_cfg"]
    return open_clip.tokenizer.HFTokenizer(
        str(directory),
        context_length=config["context_length"],
        local_files_only=True,
        **config.get("tokenizer_kwargs", {}),
    )


def _require_activation(architecture: str, tag: str) -> None:
    """OpenCLIP only warns when weights trained with QuickGELU run with GELU, or the other way; here it is
    an error.
    """
    trained = open_clip.get_pretrained_cfg(architecture, tag).get("quick_gelu", False)
    runs = open_clip.get_model_config(architecture).get("quick_gelu", False)
    if trained != runs:
        raise ValueError(
            f"'{tag}' was trained with quick_gelu={trained} but {architecture} has quick_gelu={runs}"
        )
