"""Learnt contexts as files: safetensors, with everything that makes the prompts again in the header."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from explain import towers
from explain.clip.model import Clip
from guidance.checks import shown
from guidance.tuning.prompt_learner import ContextSettings, PromptLearner

KEY = "tokenlight"  # of the text in the header
MAX_CLASSES = 100_000
ALLOWED = "allowed: a context that `tune` saved"


def as_file(learner: PromptLearner, tuning: Mapping[str, Any] | None = None) -> bytes:
    """Returns what `save_context` writes. `tuning`: how it was learnt, for people; JSON must be able to hold it."""
    from safetensors.torch import save

    record = {
        "model": learner.clip.name,
        "embeddings": _digest(learner.clip),
        "names": learner.names,
        "settings": asdict(learner.settings),
        "tuning": dict(tuning or {}),
    }
    context = learner.context.detach().cpu().contiguous()
    return save({"context": context}, {KEY: json.dumps(record, ensure_ascii=False)})


def save_context(path: Path, learner: PromptLearner, tuning: Mapping[str, Any] | None = None) -> None:
    """Writes a context whole or not at all."""
    content = as_file(learner, tuning)
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load_context(path: Path, clip: Clip) -> PromptLearner:
    """The prompts that `save_context` wrote, bit for bit. ValueError for anything else, and for another model's."""
    record, context = _read(path)
    try:
        names, settings = record["names"], ContextSettings(**record["settings"])
        if not isinstance(names, list) or len(names) > MAX_CLASSES:
            raise ValueError("its classes are no list")
        if record["embeddings"] != _digest(clip):
            raise ValueError(f"it was learnt for {shown(record['model'])}, not for {clip.name}")
        learner = PromptLearner(clip, names, settings)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name!r}: {error}; {ALLOWED}") from error
    if context.shape != learner.context.shape or not context.isfinite().all():
        raise ValueError(f"{path.name!r} holds {tuple(context.shape)} numbers, or not finite ones; {ALLOWED}")
    with torch.no_grad():
        learner.context.copy_(context)
    return learner


def model_of(path: Path) -> str:
    """The name of the model that a context was learnt for, as its file says. ValueError for what holds no context."""
    name = _read(path)[0].get("model")
    if not isinstance(name, str):
        raise ValueError(f"{path.name!r} does not say for which model it was learnt; {ALLOWED}")
    return name


def _read(path: Path) -> tuple[dict[str, Any], Tensor]:
    """The record in the header, and the context."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            record = json.loads((file.metadata() or {})[KEY])
            context = file.get_tensor("context")
    except (SafetensorError, OSError, ValueError, KeyError, RecursionError) as error:
        raise ValueError(f"{path.name!r} cannot be read; {ALLOWED}") from error
    if not isinstance(record, dict):
        raise ValueError(f"{path.name!r} says nothing about its context; {ALLOWED}")
    return record, context


def _digest(clip: Clip) -> str:
    """Returns a digest of token embeddings: it tells apart models in whose space of embeddings a context lies."""
    ids = clip.tokenize(["a photo of everything that words can say"])
    found = towers.embed(clip.model, ids).detach().float().cpu().contiguous()
    return hashlib.sha256(found.numpy().tobytes()).hexdigest()
