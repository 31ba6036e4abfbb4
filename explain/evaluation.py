"""How well maps fall on things: every method on labelled pictures, measured against exact masks.

Every thing of a picture is one question: its phrase as the prompt, its mask as the truth. The towers run once per
picture, however many methods ask (occlusion and gScoreCAM excepted), and once per different phrase.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from explain.clip import Clip
from explain.encodings import ImageEncoding
from explain.methods import find
from explain.metrics import IouTable, grid_ceiling, mean_of_classes, msc, pointing_hit

CEILING = "grid ceiling"
BATCH = 32


@dataclass(frozen=True)
class Thing:
    """One question: the class that its scores count for, the prompt, and the mask (H, W)."""

    name: str
    prompt: str
    mask: np.ndarray


@dataclass(frozen=True)
class Subject:
    """A picture to measure on. `valid` (H, W) is False on void pixels, None where there are none."""

    image: Image.Image
    things: tuple[Thing, ...]
    valid: np.ndarray | None = None


@dataclass
class Scores:
    """What one method reached. Row i of every list is the same thing for all methods."""

    method: str
    ious: IouTable = field(default_factory=IouTable)
    contrasts: list[tuple[str, float]] = field(default_factory=list)
    hits: list[tuple[str, float]] = field(default_factory=list)
    rows: list[np.ndarray | None] = field(default_factory=list)  # IoU at every threshold
    seconds: float = 0.0

    @property
    def msc(self) -> float:
        return mean_of_classes(self.contrasts)

    @property
    def pointing(self) -> float:
        return mean_of_classes(self.hits)

    def add(self, thing: Thing, heatmap: np.ndarray, valid: np.ndarray | None) -> None:
        """Measures one map (h, w)."""
        self.rows.append(self.ious.add(thing.name, heatmap, thing.mask, valid))
        if self.rows[-1] is not None:
            self.hits.append((thing.name, float(pointing_hit(heatmap, thing.mask, valid))))
        seen = thing.mask if valid is None else thing.mask[valid]
        if seen.any() and not seen.all():
            self.contrasts.append((thing.name, msc(heatmap, thing.mask, valid)))


def evaluate(
    clip: Clip,
    subjects: Iterable[Subject],
    methods: Sequence[str],
    progress: Callable[[int], None] | None = None,
) -> dict[str, Scores]:
    """Scores by method, and of the grid's ceiling. `progress` is called with the pictures done so far.

    ValueError for a method that does not work with the model, and where there is nothing to measure on.
    """
    chosen = [find(name) for name in dict.fromkeys(methods)]
    for method in chosen:
        reason = method.supports(clip)
        if reason is not None:
            raise ValueError(f"{method.label} does not work with {clip.name}: {reason}")
    scores = {name: Scores(name) for name in (*(method.name for method in chosen), CEILING)}
    together = 1 if any(method.all_layers for method in chosen) else BATCH
    texts = _Texts(clip)
    done = 0
    for batch in _batches(subjects, together):
        for subject, encoding in zip(batch, _encodings(clip, batch, chosen), strict=True):
            features = texts.features([thing.prompt for thing in subject.things])
            for method in chosen:
                begun = time.perf_counter()
                maps = method.image_map(encoding, features)[0].detach().float().cpu().numpy()
                scores[method.name].seconds += time.perf_counter() - begun
                for thing, heatmap in zip(subject.things, maps, strict=True):
                    scores[method.name].add(thing, heatmap, subject.valid)
            for thing in subject.things:
                ceiling = grid_ceiling(thing.mask, encoding.tokens.grid, subject.valid)
                scores[CEILING].add(thing, ceiling, subject.valid)
        done += len(batch)
        if progress is not None:
            progress(done)
    if not scores[CEILING].hits:
        raise ValueError("there is no thing with a mask to measure on")
    return scores


def thresholds(scores: dict[str, Scores]) -> dict[str, float]:
    """The threshold with the highest mIoU for every method: choose on other pictures than you report."""
    return {name: each.ious.best_threshold() for name, each in scores.items()}


def table(scores: dict[str, Scores], chosen: dict[str, float]) -> list[dict[str, float | str]]:
    """A row per method; shares and contrasts in percent, seconds per picture as they come.

    `miou_50` at 0.5, `miou` at the threshold chosen elsewhere, `miou_oracle` at the best one on these pictures.
    """
    return [
        {
            "method": name,
            "msc": 100 * each.msc,
            "miou_50": 100 * each.ious.miou(0.5),
            "miou": 100 * each.ious.miou(chosen[name]),
            "threshold": chosen[name],
            "miou_oracle": 100 * each.ious.oracle(),
            "miou_pooled": 100 * each.ious.pooled(chosen[name]),
            "pointing": 100 * each.pointing,
            "things": len(each.hits),
            "seconds": each.seconds,
        }
        for name, each in scores.items()
    ]


def paired_interval(
    ours: Scores, theirs: Scores, chosen: dict[str, float], seed: int = 0, draws: int = 2000
) -> tuple[float, float, float]:
    """Mean difference of IoU per thing, ours - theirs, in points, and its 95 % interval: bootstrap over things.

    Each at its own threshold, as in `table`'s `miou`; here every thing weighs the same.
    """
    a, b = (
        [row[each.ious.thresholds.index(chosen[each.method])] for row in each.rows if row is not None]
        for each in (ours, theirs)
    )
    differences = 100 * (np.array(a) - np.array(b))
    rng = np.random.default_rng(seed)
    means = differences[rng.integers(0, len(differences), (draws, len(differences)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(differences.mean()), float(low), float(high)


class _Texts:
    """Features of prompts, each different one read once."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self.found: dict[str, Tensor] = {}

    @torch.no_grad()
    def features(self, prompts: list[str]) -> Tensor:
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self.found]
        if new:
            rows = self.clip.encode_texts(self.clip.tokenize(new))
            self.found |= dict(zip(new, rows, strict=True))
        return torch.stack([self.found[prompt] for prompt in prompts])


def _batches(subjects: Iterable[Subject], size: int) -> Iterator[list[Subject]]:
    source = (subject for subject in subjects if subject.things)
    while batch := list(islice(source, size)):
        yield batch


def _encodings(clip: Clip, batch: list[Subject], chosen: list) -> list[ImageEncoding]:
    """An encoding per picture, of one forward for all; opened first where a method reads all layers."""
    images = clip.prepare([subject.image for subject in batch])
    whole = ImageEncoding(clip, images)
    if any(method.all_layers for method in chosen):
        _ = whole.layers
    return whole.singles() if len(batch) > 1 else [whole]
