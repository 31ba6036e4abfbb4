"""Runs a training of a built-in model: a budget, averaged weights, a state to resume from. The same on CPU and GPU."""

from __future__ import annotations

import contextlib
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train. Times in seconds; the learning rate follows the time spent, not the steps.

    With `pictures` it follows the pictures seen: runs that are to be compared see equally many, however fast the
    machine.
    """

    budget: float
    pictures: int = 0  # stop after so many (0: at the end of the budget)
    batch: int = 64
    lr: float = 1e-3  # AdamW's full rate
    weight_decay: float = 0.05
    warmup: float = 0.03  # share of the run
    ema: float = 0.998
    seed: int = 0
    precision: str = "fp32"
    workers: int = 1

    @property
    def identity(self) -> dict[str, Any]:
        """Settings that a folder's run must share with this one to be resumed."""
        return {}


@dataclass(frozen=True)
class Progress:
    """Where a run stands: batches, pictures seen, seconds, and its figures, smoothed."""

    step: int
    pictures: int
    seconds: float
    figures: dict[str, float]

    def after(self, pictures: int, seconds: float, figures: dict[str, float]) -> Progress:
        """The progress one batch later."""
        keep = 0.98 if self.step else 0.0
        smooth = {
            name: keep * self.figures[name] + (1 - keep) * value
            if name in self.figures and math.isfinite(self.figures[name])
            else value
            for name, value in figures.items()
        }
        return Progress(self.step + 1, self.pictures + pictures, seconds, smooth)


def share_done(recipe: Recipe, progress: Progress) -> float:
    """How much of its run a recipe has behind it, in [0, 1]: pictures where it counts them, else time."""
    done = progress.pictures / recipe.pictures if recipe.pictures else progress.seconds / recipe.budget
    return min(done, 1.0)


def learning_rate(share: float, warmup: float) -> float:
    """The share of the full rate in [0, 1] when `share` of the run is done: linear warm-up, then cosine to zero."""
    if share < warmup:
        return max(share / warmup, 0.01)
    return 0.5 * (1 + math.cos(math.pi * (share - warmup) / (1 - warmup)))


@contextlib.contextmanager
def precision(name: str, device: torch.device) -> Iterator[None]:
    """Autocast for "bf16", nothing for "fp32"."""
    with contextlib.ExitStack() as stack:
        if name == "bf16":
            stack.enter_context(torch.autocast(device.type, torch.bfloat16))
            if device.type == "cpu":  # the fused kernel's bf16 backward is far slower than plain products
                stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        yield


class Run(ABC):
    """One training: a model, its averaged weights, its optimisers, and the folder with the last state and the export.

    Every group of an optimiser keeps its full rate as `peak`; `learning_rate` gives the share of it at any time.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        device: str,
        model: torch.nn.Module,
        optimizers: list[torch.optim.Optimizer],
    ) -> None:
        self.recipe, self.folder, self.device = recipe, folder, torch.device(device)
        check_folder(folder, recipe)
        self.model, self.optimizers = model, optimizers
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["peak"] = group["lr"]
        self.ema = {k: averageable(v) for k, v in model.state_dict().items()}
        self.generator = torch.Generator(self.device).manual_seed(recipe.seed)
        self.progress = Progress(0, 0, 0.0, {})

    @abstractmethod
    def batches(self) -> Iterator[Any]:
        """Endless batches of `recipe.batch` pictures, from number `self.progress.pictures` on."""

    @abstractmethod
    def loss(self, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch and figures to report; runs under the recipe's precision."""

    @abstractmethod
    def export(self) -> None:
        """Write the averaged weights in the form that users load."""

    def constrain(self) -> None:  # noqa: B027
        """Make hold what must hold of the weights after every step. Nothing, unless a training says so."""

    @property
    def state_file(self) -> Path:
        return self.folder / "training.pt"

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
        """Write the state for `resume`, and export the averaged weights."""
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
        self.export()

    def run(self) -> Iterator[Progress]:
        """Train until the budget is spent or the pictures are seen, yielding after every batch."""
        recipe, batches = self.recipe, self.batches()
        spent, began = self.progress.seconds, time.monotonic()
        while self.progress.seconds < recipe.budget and share_done(recipe, self.progress) < 1:
            figures = self._step(next(batches))
            self.progress = self.progress.after(recipe.batch, spent + time.monotonic() - began, figures)
            yield self.progress

    def _step(self, batch: Any) -> dict[str, float]:
        share = learning_rate(share_done(self.recipe, self.progress), self.recipe.warmup)
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = share * group["peak"]
        self.model.train()
        with precision(self.recipe.precision, self.device):
            loss, figures = self.loss(batch)
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        with torch.no_grad():
            self.constrain()
            self._average()
        return {"loss": loss.item()} | figures

    def _average(self) -> None:
        """Exponential moving average of the weights, warmed up so that the first steps are forgotten."""
        keep = min(self.recipe.ema, (1 + self.progress.step) / (10 + self.progress.step))
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                self.ema[name].lerp_(value.float(), 1 - keep)
            else:
                self.ema[name].copy_(value)


def averageable(value: Tensor) -> Tensor:
    """A copy that averages are kept in: fp32 where the value is of floating point."""
    return value.detach().clone().float() if value.is_floating_point() else value.detach().clone()


def check_folder(folder: Path, recipe: Recipe) -> None:
    """Refuse a folder whose run is of another kind, before anything in it is touched. Makes the folder."""
    state_file = folder / "training.pt"
    if state_file.is_file():
        found = torch.load(state_file, map_location="cpu", weights_only=True).get("recipe", {})
        found = {key: found.get(key) for key in recipe.identity}
        if found != recipe.identity:
            raise ValueError(
                f"{folder} holds a run of {found}, not of {recipe.identity}; choose another folder"
            )
    folder.mkdir(parents=True, exist_ok=True)


def adamw(model: torch.nn.Module, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """AdamW, with weight decay on matrices and kernels alone."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98), eps=1e-6, fused=True)]


def follow(training: Run, resume: bool, every: float = 240) -> Progress:
    """Run a training to its end: a line every 20 batches, a state every `every` seconds.

    ValueError if its folder holds a run already and this one is not to resume it.
    """
    if training.state_file.is_file():
        if not resume:
            raise ValueError(
                f"{training.folder} holds a run already: go on with --resume, or choose another folder with -o"
            )
        training.resume()
    progress, saved = training.progress, training.progress.seconds
    for progress in training.run():
        if progress.step % 20 == 0:
            figures = "  ".join(f"{name} {value:.4g}" for name, value in progress.figures.items())
            rate = progress.pictures / progress.seconds
            print(
                f"step {progress.step}  {progress.seconds:.0f} of {training.recipe.budget:.0f} s  "
                f"{rate:.0f} pictures/s  {figures}",
                flush=True,
            )
        if progress.seconds - saved > every:
            training.save()
            saved = progress.seconds
    training.save()
    print(f"done: {progress.pictures} pictures; the model is in {training.folder}")
    return progress
