"""How well a CLIP knows photographs: retrieval, presence of objects, naming, and maps against masks.

Every measure takes a half: "choose" for all choices, "report" for the shipped model, once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from explain import Clip, read_image
from explain.evaluation.maps import DRAWS, Scores, as_row, evaluate
from photographs.data import COMMON, largest, masked_photos, retrieval_photos, subjects, with_article

BATCH = 32
RANKS = (1, 5, 10)
GAUSSIAN = 0.25  # of the side, the spread of the dot in the centre


def evaluate_photos(clip: Clip, data: Path, half: str, methods: Sequence[str] = ("itsm",)) -> dict[str, Any]:
    """All figures of a model on one half. Shares in [0, 1]."""
    return (
        {"model": clip.name, "half": half}
        | retrieval(clip, data, half)
        | naming(clip, data, half)
        | {"maps": maps(clip, data, half, methods)}
    )


def retrieval(clip: Clip, data: Path, half: str) -> dict[str, float]:
    """Text to image: the share of captions whose own photograph is among the first 1, 5 and 10."""
    photos = retrieval_photos(data, half)
    pictures = _encode(clip, [photo.path for photo in photos])
    captions = [(number, text) for number, photo in enumerate(photos) for text in photo.captions]
    own = torch.tensor([number for number, _ in captions])
    scores = _read(clip, [text for _, text in captions]) @ pictures.T
    rank = (scores > scores.gather(1, own[:, None])).sum(1)
    return {f"recall_at_{k}": _share(rank < k) for k in RANKS}


def naming(clip: Clip, data: Path, half: str) -> dict[str, float]:
    """Classes by their names: `presence`, the mean average precision of ranking photographs by a class, its `chance`;
    and `largest`, how often the largest object's name scores highest.
    """
    photos = list(masked_photos(data, half))
    there: dict[str, list[int]] = defaultdict(list)
    for number, (_, masks) in enumerate(photos):
        for name in masks:
            there[name].append(number)
    names = sorted(there)
    scores = (_encode(clip, [path for path, _ in photos]) @ _read(clip, map(with_article, names)).T).numpy()
    common = [name for name in names if len(there[name]) >= COMMON]
    precisions = [average_precision(scores[:, names.index(name)], there[name]) for name in common]
    wanted = {number: largest(masks) for number, (_, masks) in enumerate(photos) if masks}
    return {
        "presence": _round(np.mean(precisions)),
        "chance": _round(np.mean([len(there[name]) / len(photos) for name in common])),
        "largest": _round(np.mean([names[scores[k].argmax()] == name for k, name in wanted.items()])),
    }


def average_precision(scores: np.ndarray, relevant: Sequence[int]) -> float:
    """The mean, over the relevant entries, of the precision at their rank by falling score."""
    hits = np.isin(np.argsort(-scores, kind="stable"), relevant)
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def maps(clip: Clip, data: Path, half: str, methods: Sequence[str]) -> list[dict[str, object]]:
    """A row per method, and of a dot in the centre: means over the classes of COMMON subjects or more, the difference
    to the dot with its 95 % interval, and the figures of *person*.
    """
    found = list(subjects(data, half))
    scores = {name: scored for name, scored in evaluate(clip, found, methods).items() if name in methods}
    dot = Scores("a dot in the centre")
    for subject in found:
        for thing in subject.things:
            dot.add(as_row(thing, centre(thing.mask.shape), subject))
    return [_row(scored, dot) for scored in (*scores.values(), dot)]


def centre(size: tuple[int, int], spread: float = GAUSSIAN) -> np.ndarray:
    """A Gaussian in the middle of a picture of `size` (H, W): what a map must beat."""
    y, x = (((np.arange(side) + 0.5) / side - 0.5) / spread for side in size)
    return np.exp(-(y[:, None] ** 2 + x[None] ** 2) / 2).astype(np.float32)


def class_mean(rows: Sequence[tuple[str, float]]) -> float:
    """The mean over classes with COMMON rows or more of the mean of their rows."""
    return float(np.mean([np.mean(values) for values in _common(rows).values()]))


def class_interval(rows: Sequence[tuple[str, float]], seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of `class_mean`: bootstrap over the rows of each class."""
    rng = np.random.default_rng(seed)
    means = [
        np.asarray(values)[rng.integers(0, len(values), (DRAWS, len(values)))].mean(1)
        for values in _common(rows).values()
    ]
    low, high = np.percentile(np.mean(means, axis=0), [2.5, 97.5])
    return float(low), float(high)


def _row(scored: Scores, dot: Scores) -> dict[str, object]:
    row: dict[str, object] = {
        "method": scored.method,
        "subjects": sum(map(len, _common(scored.hits).values())),
    }
    for name, ours, theirs in (("msc", scored.contrasts, dot.contrasts), ("pointing", scored.hits, dot.hits)):
        row[name] = _round(class_mean(ours))
        people = [value for kind, value in ours if kind == "person"]
        row[f"{name}_person"] = _round(np.mean(people)) if people else None
        if scored is not dot:
            paired = [(kind, a - b) for (kind, a), (_, b) in zip(ours, theirs, strict=True)]
            row[f"{name}_over_dot"] = [_round(x) for x in (class_mean(paired), *class_interval(paired))]
    return row


def _common(rows: Sequence[tuple[str, float]]) -> Mapping[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for name, value in rows:
        found[name].append(value)
    return {name: values for name, values in found.items() if len(values) >= COMMON}


@torch.no_grad()
def _encode(clip: Clip, paths: Sequence[Path]) -> Tensor:
    batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
    return torch.cat([clip.encode_images(clip.prepare(_opened(batch))).cpu() for batch in batches])


def _opened(paths: Sequence[Path]) -> list[Image.Image]:
    return [read_image(path) for path in paths]


@torch.no_grad()
def _read(clip: Clip, texts: Sequence[str]) -> Tensor:
    texts = list(texts)
    batches = [texts[start : start + 8 * BATCH] for start in range(0, len(texts), 8 * BATCH)]
    return torch.cat([clip.encode_texts(clip.tokenize(batch)).cpu() for batch in batches])


def _share(hits: Tensor) -> float:
    return _round(hits.float().mean().item())


def _round(value: float | np.floating) -> float:
    return round(float(value), 4)
