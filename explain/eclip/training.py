"""Trains ECLIP's projection: frozen encoders, cached tokens, one linear layer; the formula is in `methods/eclip.py`.

The towers run once per picture and caption; what they return is kept in memory, in fp16 (0.3 MB a picture for a
ViT-B-16 at 224 px), and the epochs after that cost a matrix product each.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from explain import towers
from explain.clip.model import Clip
from explain.clip.projection import FILE, Projection, save
from explain.eclip.free_attention import FreeAttention, on_grid
from explain.inputs.captions import Captioned

if TYPE_CHECKING:
    from explain.clip.model import Clip

STATE = "training.pt"
POOLINGS = ("class", "average", "max", "masked_average", "masked_max")


@dataclass(frozen=True)
class Recipe:
    """How to train W. `mask`: "free" attention, "exact" masks (only to compare with) or "all" patches."""

    epochs: int = 5
    batch: int = 256
    lr: float = 1e-4
    weight_decay: float = 0.01
    pooling: str = "masked_max"
    fresh: bool = False
    mask: str = "free"
    seed: int = 0


@dataclass(frozen=True)
class Progress:
    """`phase` is "reading" pictures or "training"; `done` of `total`, and the loss of the last batch."""

    phase: str
    done: int
    total: int
    loss: float = math.nan


@dataclass(frozen=True)
class Bank:
    """Outputs of the frozen towers for the pictures: rows (N, 1 + P, D') fp16, the pooled one first; masks (N, P)
    of free attention, exact masks (N, P) or None, texts (N, D) of unit norm.
    """

    rows: Tensor
    free: Tensor
    exact: Tensor | None
    texts: Tensor

    def masks(self, which: str) -> Tensor:
        """ "free", "exact" or "all"; ValueError for any other, and for exact masks that are not there."""
        if which == "all":
            return torch.ones_like(self.free)
        if which not in ("free", "exact"):
            raise ValueError(f"mask is {which!r}; allowed: free, exact, all")
        if which == "exact" and self.exact is None:
            raise ValueError("these pictures come without exact masks")
        return self.free if which == "free" else self.exact


@torch.no_grad()
def fill(
    clip: Clip,
    pictures: Iterable[Captioned],
    attention: FreeAttention,
    count: int,
    batch: int = 64,
    progress: Callable[[Progress], None] | None = None,
) -> Bank:
    """Runs the frozen towers over at most `count` pictures. ValueError for fewer than two."""
    source, found = iter(pictures), []
    done = 0
    while some := list(islice(source, min(batch, count - done))):
        images = clip.prepare([pair.image for pair in some])
        tokens = towers.trunk(clip.model.visual, images)
        rows = towers.head_input(clip.model.visual, tokens).half().cpu()
        free = attention(images, tokens.grid).flatten(1).cpu()
        texts = clip.encode_texts(clip.tokenize([pair.caption for pair in some])).cpu()
        found.append((rows, free, _exact(some, tokens.grid), texts))
        done += len(some)
        if progress is not None:
            progress(Progress("reading", done, count))
    if done < 2:
        raise ValueError(f"{done} pictures are too few to train on")
    rows, free, exact, texts = zip(*found, strict=True)
    known = None if any(mask is None for mask in exact) else torch.cat(exact)
    return Bank(torch.cat(rows), torch.cat(free), known, torch.cat(texts))


def train(
    clip: Clip, bank: Bank, recipe: Recipe, folder: Path | None = None, resume: bool = False
) -> Iterator[tuple[Progress, Projection]]:
    """Trains W and yields it after every epoch; with a folder, saves it there, and a state to resume from.

    ValueError for a recipe that is out of bounds, and for a state that cannot be resumed.
    """
    _check(recipe, len(bank.rows))
    masks = bank.masks(recipe.mask)
    generator = torch.Generator().manual_seed(recipe.seed)
    begun = start(clip, recipe.fresh, generator)
    weights = [x.cpu().clone().requires_grad_() for x in (begun.weight, begun.bias)]
    optimizer = torch.optim.AdamW(weights, lr=recipe.lr, weight_decay=recipe.weight_decay)
    steps = recipe.epochs * (len(bank.rows) // min(recipe.batch, len(bank.rows)))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    first = 0
    if resume and folder is not None:
        first = _restore(folder / STATE, recipe, weights, optimizer, schedule, generator)
    for epoch in range(first, recipe.epochs):
        loss = _epoch(clip, bank, masks, recipe, weights, optimizer, schedule, generator)
        settings = asdict(recipe) | {"epochs_done": epoch + 1, "pictures": len(bank.rows), "model": clip.name}
        weight, bias = (x.detach().clone() for x in weights)
        projection = Projection(weight, bias, json.dumps(settings))
        if folder is not None:
            _save(folder, epoch + 1, recipe, projection, weights, optimizer, schedule, generator)
        yield Progress("training", epoch + 1, recipe.epochs, loss), projection


def contrastive(images: Tensor, texts: Tensor, scale: float) -> Tensor:
    """Symmetric InfoNCE of pooled pictures (B, D), not normalised, and texts (B, D) of unit norm."""
    logits = scale * F.normalize(images, dim=-1) @ texts.T
    target = torch.arange(len(logits))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def _epoch(clip, bank, masks, recipe, weights, optimizer, schedule, generator) -> float:
    order = torch.randperm(len(bank.rows), generator=generator)
    size = min(recipe.batch, len(order))
    loss = torch.tensor(math.nan)
    for chosen in order[: len(order) // size * size].split(size):
        projected = Projection(*weights)(bank.rows[chosen].float())
        loss = contrastive(
            pooled(projected, masks[chosen], recipe.pooling), bank.texts[chosen], clip.logit_scale
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return float(loss.detach())


def _exact(pairs: list[Captioned], grid: tuple[int, int]) -> Tensor | None:
    """Exact masks on the grid (B, P): patches that are mostly thing; never empty."""
    if any(pair.mask is None for pair in pairs):
        return None
    shares = [
        F.interpolate(torch.from_numpy(pair.mask)[None, None].float(), size=grid, mode="area")[0, 0]
        for pair in pairs
    ]
    kept = torch.stack(shares)
    return on_grid(kept, kept, grid).flatten(1)


def _check(recipe: Recipe, pictures: int) -> None:
    if recipe.pooling not in POOLINGS:
        raise ValueError(f"pooling is {recipe.pooling!r}; allowed: {', '.join(POOLINGS)}")
    if recipe.epochs < 1 or recipe.batch < 2 or not 0 < recipe.lr < math.inf:
        raise ValueError("an ECLIP recipe needs at least 1 epoch, batches of at least 2 and a positive rate")


def _save(folder, epoch, recipe, projection, weights, optimizer, schedule, generator) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save(projection, folder / FILE)
    partial = folder / f"{STATE}.partial"
    state = {
        "epoch": epoch,
        "recipe": asdict(recipe),
        "weights": [x.detach() for x in weights],
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "generator": generator.get_state(),
    }
    torch.save(state, partial)
    partial.replace(folder / STATE)


def _restore(path, recipe, weights, optimizer, schedule, generator) -> int:
    """Puts back what `_save` wrote and returns the epochs done. ValueError if it cannot."""
    if not path.is_file():
        raise ValueError(f"nothing to resume: {path} does not exist")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["recipe"] != asdict(recipe):
            raise ValueError(f"{path} is of another recipe: {state['recipe']}")
        with torch.no_grad():
            for mine, saved in zip(weights, state["weights"], strict=True):
                mine.copy_(saved)
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        generator.set_state(state["generator"])
        return state["epoch"]
    except (KeyError, RuntimeError, EOFError, OSError, TypeError) as error:
        raise ValueError(f"{path} cannot be resumed, it may be half written: {error}") from error


def masked_max(tokens: Tensor, masks: Tensor) -> Tensor:
    """The maximum of each channel over the kept tokens: (B, P, D), masks (B, P) -> (B, D).

    ValueError where a mask keeps nothing.
    """
    _must_keep(masks)
    return tokens.masked_fill(~masks.unsqueeze(-1), -torch.inf).amax(1)


def masked_average(tokens: Tensor, masks: Tensor) -> Tensor:
    """The mean of each channel over the kept tokens: (B, P, D), masks (B, P) -> (B, D)."""
    _must_keep(masks)
    kept = masks.unsqueeze(-1).to(tokens.dtype)
    return (tokens * kept).sum(1) / kept.sum(1)


def pooled(tokens: Tensor, masks: Tensor, pooling: str) -> Tensor:
    """One of POOLINGS over projected rows (B, 1 + P, D), the model's own pooled row first -> (B, D)."""
    if pooling not in POOLINGS:
        raise ValueError(f"pooling is {pooling!r}; allowed: {', '.join(POOLINGS)}")
    if pooling == "class":
        return tokens[:, 0]
    masks = masks if pooling.startswith("masked") else torch.ones_like(masks)
    return (masked_max if pooling.endswith("max") else masked_average)(tokens[:, 1:], masks)


def start(clip: Clip, fresh: bool, generator: torch.Generator) -> Projection:
    """W before training: the model's own projection, or random numbers of the same spread."""
    weight, bias = (x.detach().float().clone() for x in towers.head(clip.model.visual))
    if not fresh:
        return Projection(weight, bias)
    noise = torch.randn(weight.shape, generator=generator).to(weight)
    return Projection(noise * len(weight) ** -0.5, torch.zeros_like(bias))


def _must_keep(masks: Tensor) -> None:
    if not masks.any(1).all():
        raise ValueError("a mask that keeps no patch cannot be pooled")
