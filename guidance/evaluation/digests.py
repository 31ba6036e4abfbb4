"""Digests of generators: a run that is resumed must go on with the same generator."""

from __future__ import annotations

import hashlib
from typing import Any

from torch import nn

from explain.clip.model import Clip
from explain.evaluation.resumable import Record, weights_digest
from guidance.evaluation.world import Judge
from guidance.generators.base import Generator

_PARTS = ("model", "preview", "unet", "vae", "text_encoder")


def models_told(generator: Generator, clip: Clip, judge: Judge) -> Record:
    """Returns what has to be the same about the models of a run when it is resumed."""
    return {
        "generator": generator.name,
        "generator_weights": generator_digest(generator),
        "clip": clip.name,
        "clip_weights": weights_digest(clip),
        "judge": judge.digest,
    }


def generator_digest(generator: Generator) -> str:
    """SHA-256 of all of a generator's weights, and of its scheduler's settings."""
    digest = hashlib.sha256()
    pipe = getattr(generator, "pipe", None)
    parts = [(name, getattr(holder, name, None)) for holder in (generator, pipe) for name in _PARTS]
    for name, module in parts:
        if isinstance(module, nn.Module):
            for key, values in module.state_dict().items():
                digest.update(f"{name} {key} {tuple(values.shape)} {values.dtype}".encode())
                digest.update(values.detach().cpu().float().reshape(-1).contiguous().numpy().data)
    scheduler: Any = getattr(pipe, "scheduler", None)
    if scheduler is not None:
        digest.update(f"{type(scheduler).__name__} {sorted(scheduler.config.items())}".encode())
    return digest.hexdigest()
