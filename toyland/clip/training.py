"""Training a built-in CLIP with the contrastive loss of Radford et al. 2021 (arXiv 2103.00020): pictures and captions,
no labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from explain.towers import text_features
from toyland.clip.data import Batch, CaptionedScenes, augmented
from toyland.clip.models import load_what_fits, new_model, prepare_tokenizer, save_weights, write_config
from toyland.world.batches import batches_of
from toyland.world.scene import USUAL_SHARE
from training.contrastive import contrastive_loss
from training.run import Recipe, Run, check_folder


@dataclass(frozen=True, kw_only=True)
class ClipRecipe(Recipe):
    """How to train one tower."""

    tower: str
    pixels: int
    batch: int = 256
    muon_lr: float = 1e-2
    alone: int = 60_000  # scenes of the single-thing curriculum
    zoom: float = 1  # above 1: close-ups of single things
    grey: float = 0  # share of pictures without colours
    usual_share: float = USUAL_SHARE  # how often a thing is where it belongs

    @property
    def identity(self) -> dict[str, Any]:
        return {"tower": self.tower, "pixels": self.pixels}


def optimizers(model: torch.nn.Module, recipe: ClipRecipe) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices of the transformers' blocks, AdamW for everything else."""
    hidden: list[torch.nn.Parameter] = []
    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        in_block = ".resblocks." in name and parameter.ndim == 2
        (hidden if in_block else matrices if parameter.ndim >= 2 else others).append(parameter)
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [
        torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98), eps=1e-6, fused=True),
        torch.optim.Muon(hidden, lr=recipe.muon_lr, weight_decay=recipe.weight_decay),
    ]


class ClipTraining(Run):
    """Training of one tower beside its text tower."""

    recipe: ClipRecipe

    def __init__(self, recipe: ClipRecipe, folder: Path, device: str, start_from: Path | None = None) -> None:
        if not hasattr(torch.optim, "Muon"):
            raise ValueError(f"training needs torch 2.9 or newer; this is {torch.__version__}")
        check_folder(folder, recipe)
        torch.manual_seed(recipe.seed)
        prepare_tokenizer(folder)
        write_config(recipe.tower, folder, recipe.pixels)
        model = new_model(recipe.tower, folder, recipe.pixels).to(device)
        if recipe.tower == "rn":
            model = model.to(memory_format=torch.channels_last)
        if start_from is not None:
            load_what_fits(model, start_from)
        super().__init__(recipe, folder, device, model, optimizers(model, recipe))

    def batches(self) -> Iterator[Batch]:
        recipe = self.recipe
        dataset = CaptionedScenes(
            self.folder,
            recipe.pixels,
            recipe.batch,
            self.progress.pictures,
            recipe.alone,
            recipe.zoom,
            recipe.grey,
            recipe.seed,
            recipe.usual_share,
        )
        return batches_of(dataset, recipe.workers)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        images, texts = batch
        x = augmented(images.to(self.device), self.generator)
        if self.recipe.tower == "rn":
            x = x.contiguous(memory_format=torch.channels_last)
        image = self.model.encode_image(x, normalize=True)
        text = F.normalize(text_features(self.model, texts.to(self.device)), dim=-1)  # no run over padding
        loss, accuracy = contrastive_loss(image, text, self.model.logit_scale.exp())
        return loss, {"in-batch accuracy": accuracy.item()}

    def constrain(self) -> None:
        self.model.logit_scale.clamp_(max=math.log(100))

    def export(self) -> None:
        save_weights(self.ema, self.folder)
