"""Training a built-in CLIP with the contrastive loss of Radford et al. 2021 (arXiv 2103.00020): pictures and captions,
no labels. Runs the same on CPU and GPU, stops at its budget, and resumes where it stopped.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from explain.towers import text_features
from toyland.clip_data import CaptionedScenes, augmented, training_batches
from toyland.clip_models import load_what_fits, new_model, prepare_tokenizer, save_weights, write_config
from toyland.scene import USUAL_SHARE


@dataclass(frozen=True)
class Recipe:
    """How to train one tower. Times in seconds; the learning rate follows the time spent, not the steps.

    With `pairs` it follows the pairs seen: runs that are to be compared see equally many, however fast the machine.
    """

    tower: str
    budget: float
    pixels: int
    pairs: int = 0  # stop after so many pictures (0: at the end of the budget)
    batch: int = 256
    lr: float = 1e-3  # AdamW's full rate
    muon_lr: float = 1e-2
    weight_decay: float = 0.05
    warmup: float = 0.03  # share of the run
    alone: int = 60_000  # scenes of the single-thing curriculum
    zoom: float = 1  # above 1: close-ups of single things
    grey: float = 0  # share of pictures without colours
    usual_share: float = USUAL_SHARE  # how often a thing is where it belongs
    ema: float = 0.998
    seed: int = 0
    precision: str = "fp32"
    workers: int = 1


@dataclass(frozen=True)
class Progress:
    """Where a run stands: batches, scenes seen, seconds, and the loss and in-batch accuracy, smoothed."""

    step: int
    scenes: int
    seconds: float
    loss: float
    accuracy: float


def share_done(recipe: Recipe, progress: Progress) -> float:
    """How much of its run a recipe has behind it, in [0, 1]: pairs where it counts them, else time."""
    done = progress.scenes / recipe.pairs if recipe.pairs else progress.seconds / recipe.budget
    return min(done, 1.0)


def learning_rate(share: float, warmup: float) -> float:
    """The share of the full rate in [0, 1] when `share` of the run is done: linear warm-up, then cosine to zero."""
    if share < warmup:
        return max(share / warmup, 0.01)
    return 0.5 * (1 + math.cos(math.pi * (share - warmup) / (1 - warmup)))


def contrastive_loss(
    image: torch.Tensor, text: torch.Tensor, scale: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Symmetric InfoNCE of unit vectors (B, D), and the share of pictures whose own caption scores highest."""
    logits = scale.float() * image.float() @ text.float().T
    target = torch.arange(len(logits), device=logits.device)
    loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    return loss, (logits.argmax(dim=1) == target).float().mean()


def optimizers(model: torch.nn.Module, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices of the transformers' blocks, AdamW for everything else.

    Every group keeps its full rate as `peak`; `learning_rate` gives the share of it at any time.
    """
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
    found: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98), eps=1e-6, fused=True),
        torch.optim.Muon(hidden, lr=recipe.muon_lr, weight_decay=recipe.weight_decay),
    ]
    for group in (group for optimizer in found for group in optimizer.param_groups):
        group["peak"] = group["lr"]
    return found


class ClipTraining:
    """One run: model, averaged weights, optimiser, and its folder with the last state and the exported model."""

    def __init__(self, recipe: Recipe, folder: Path, device: str, start_from: Path | None = None) -> None:
        if not hasattr(torch.optim, "Muon"):
            raise ValueError(f"training needs torch 2.9 or newer; this is {torch.__version__}")
        self.recipe, self.folder, self.device = recipe, folder, torch.device(device)
        self._check_folder()
        torch.manual_seed(recipe.seed)
        prepare_tokenizer(folder)
        write_config(recipe.tower, folder, recipe.pixels)
        self.model = new_model(recipe.tower, folder, recipe.pixels).to(self.device)
        if recipe.tower == "rn":
            self.model = self.model.to(memory_format=torch.channels_last)
        if start_from is not None:
            load_what_fits(self.model, start_from)
        self.ema = {k: v.detach().clone().float() for k, v in self.model.state_dict().items()}
        self.optimizers = optimizers(self.model, recipe)
        self.generator = torch.Generator(self.device).manual_seed(recipe.seed)
        self.progress = Progress(0, 0, 0.0, float("nan"), 0.0)

    @property
    def state_file(self) -> Path:
        return self.folder / "training.pt"

    def _check_folder(self) -> None:
        """Refuse a folder whose run is of another tower or size, before anything in it is touched."""
        if self.state_file.is_file():
            recipe = torch.load(self.state_file, map_location="cpu", weights_only=True).get("recipe", {})
            found, wanted = (
                {k: r.get(k) for k in ("tower", "pixels")} for r in (recipe, asdict(self.recipe))
            )
            if found != wanted:
                raise ValueError(
                    f"{self.folder} holds a run of {found}, not of {wanted}; choose another folder"
                )

    def resume(self) -> None:
        """Go on from the folder's last state; a budget other than the state's stretches the schedule."""
        if not self.state_file.is_file():
            raise ValueError(f"nothing to resume: {self.state_file} does not exist")
        state = torch.load(self.state_file, map_location=self.device, weights_only=True)
        self.generator.set_state(state["generator"].cpu())
        self.model.load_state_dict(state["model"])
        self.ema = state["ema"]
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.progress = Progress(**state["progress"])

    def save(self) -> None:
        """Write the state for `resume` and export the averaged weights as an open_clip checkpoint."""
        partial = self.state_file.with_suffix(".partial")
        state = {
            "model": self.model.state_dict(),
            "ema": self.ema,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "progress": asdict(self.progress),
            "recipe": asdict(self.recipe),
            "generator": self.generator.get_state(),
        }
        torch.save(state, partial)
        partial.replace(self.state_file)
        save_weights(self.ema, self.folder)

    def run(self) -> Iterator[Progress]:
        """Train until the budget is spent or the pairs are seen, yielding after every batch."""
        recipe = self.recipe
        dataset = CaptionedScenes(
            self.folder,
            recipe.pixels,
            recipe.batch,
            self.progress.scenes,
            recipe.alone,
            recipe.zoom,
            recipe.grey,
            recipe.seed,
            recipe.usual_share,
        )
        batches = training_batches(dataset, recipe.workers)
        spent, began = self.progress.seconds, time.monotonic()
        while self.progress.seconds < recipe.budget and share_done(recipe, self.progress) < 1:
            loss, accuracy = self._step(*next(batches))
            p = self.progress
            keep = 0.98 if p.step else 0.0
            smooth = (
                value if math.isnan(old) or not p.step else keep * old + (1 - keep) * value
                for old, value in ((p.loss, loss), (p.accuracy, accuracy))
            )
            seconds = spent + time.monotonic() - began
            self.progress = Progress(p.step + 1, p.scenes + recipe.batch, seconds, *smooth)
            yield self.progress

    def _step(self, images: torch.Tensor, texts: torch.Tensor) -> tuple[float, float]:
        share = learning_rate(share_done(self.recipe, self.progress), self.recipe.warmup)
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = share * group["peak"]
        self.model.train()
        with contextlib.ExitStack() as stack:
            if self.recipe.precision == "bf16":
                stack.enter_context(torch.autocast(self.device.type, torch.bfloat16))
                if (
                    self.device.type == "cpu"
                ):  # the fused kernel's bf16 backward is far slower than plain products
                    stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            x = augmented(images.to(self.device), self.generator)
            if self.recipe.tower == "rn":
                x = x.contiguous(memory_format=torch.channels_last)
            image = self.model.encode_image(x, normalize=True)
            text = F.normalize(
                text_features(self.model, texts.to(self.device)), dim=-1
            )  # no run over padding
            loss, accuracy = contrastive_loss(image, text, self.model.logit_scale.exp())
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=math.log(100))
            self._average()
        return loss.item(), accuracy.item()

    def _average(self) -> None:
        """Exponential moving average of the weights, warmed up so that the first steps are forgotten."""
        keep = min(self.recipe.ema, (1 + self.progress.step) / (10 + self.progress.step))
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                self.ema[name].lerp_(value.float(), 1 - keep)
            else:
                self.ema[name].copy_(value)
