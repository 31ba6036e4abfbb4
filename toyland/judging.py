"""Whether pictures show what they were to show, by a detector that guided none of them; and how far they are, as a set,
from real ones.

The detector is `toyland.detector`. The distance is Fréchet's between two normal distributions, as in Heusel et al.,
"GANs Trained by a Two Time-Scale Update Rule", NeurIPS 2017 (arXiv 1706.08500), on the detector's features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from explain.clip.catalogue import MODELS
from toyland.detector.finding import THRESHOLD, Found, Wanted, find, for_detector, matches
from toyland.detector.model import FEATURES, Detector, load_detector
from toyland.layouts import DrawnLayout

FOLDER = MODELS / "toy-detector"
OVERLAPS = (0.5, 0.3)  # intersection over union that a hit needs
PICTURES_PER_DIMENSION = 8


@dataclass(frozen=True)
class Seen:
    """Detections in a picture: things, surest first, and features, their mean over the picture."""

    found: tuple[Found, ...]
    features: tuple[float, ...]

    def as_record(self) -> dict[str, Any]:
        """As JSON knows it, numbers bit for bit; `of_record` reads it back."""
        return {"found": [asdict(thing) for thing in self.found], "features": list(self.features)}

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> Seen:
        found = (Found(**{**thing, "box": tuple(thing["box"])}) for thing in record["found"])
        return cls(tuple(found), tuple(record["features"]))


@dataclass(frozen=True)
class ThingVerdict:
    """How a picture does with one wanted thing.

    `hit_50`, `hit_30`: a thing of the right kind and colour has an intersection over union of so much with its box.
    `present`: there is one of the right kind and colour anywhere. Of the surest of those: `centre`, whether the middle
    of its box is in the wanted box; `inside`, the share of its box that is; `side`, the half of the picture in which
    that middle lies, -1 left, 1 right. False and 0 where there is none.
    """

    hit_50: bool
    hit_30: bool
    present: bool
    centre: bool
    inside: float
    side: int


@dataclass(frozen=True)
class Verdict:
    """`found`: how many things were found, wanted or not. `things`: in the order in which they were wanted."""

    found: int
    things: tuple[ThingVerdict, ...]


class Judge:
    """The detector, which looks at pictures. `detector`: one, or its folder; the built-in one where None is given.

    ValueError where there is none, or it cannot be read.
    """

    def __init__(self, detector: Detector | Path | None = None, device: str = "cpu") -> None:
        if not isinstance(detector, torch.nn.Module):
            detector = _loaded(FOLDER if detector is None else Path(detector), device)
        self.detector, self.device = detector, device

    @property
    def digest(self) -> str:
        """SHA-256 of all that its findings depend on."""
        digest = hashlib.sha256(f"{type(self.detector).__name__} {THRESHOLD}".encode())
        for name, values in self.detector.state_dict().items():
            digest.update(f"{name} {tuple(values.shape)}".encode())
            digest.update(values.detach().cpu().float().reshape(-1).contiguous().numpy().data)
        return digest.hexdigest()

    @torch.no_grad()
    def look(self, images: Tensor) -> list[Seen]:
        """Pictures (B, 3, H, W) in [0, 1] of any size."""
        images = images.to(self.device)
        found = find(self.detector, images)
        features = self.detector.features(for_detector(images)).mean((-2, -1)).float()
        return [Seen(tuple(each), tuple(row)) for each, row in zip(found, features.tolist(), strict=True)]

    def judge(self, images: Tensor, layouts: Sequence[DrawnLayout]) -> list[Verdict]:
        """A verdict on every picture."""
        seen = zip(self.look(images), layouts, strict=True)
        return [verdict(each.found, wanted(layout)) for each, layout in seen]


def wanted(layout: DrawnLayout) -> tuple[Wanted, ...]:
    """Returns what the detector should find in a picture of a layout."""
    return tuple(map(Wanted, layout.kinds, layout.colours, layout.boxes))


def verdict(found: Sequence[Found], things: Sequence[Wanted]) -> Verdict:
    """How what was found, surest first, agrees with wanted things, no two of one kind and colour."""
    hits = [[match is not None for match in matches(found, things, overlap)] for overlap in OVERLAPS]
    return Verdict(len(found), tuple(_thing(found, *each) for each in zip(things, *hits, strict=True)))


def _thing(found: Sequence[Found], thing: Wanted, hit_50: bool, hit_30: bool) -> ThingVerdict:
    alike = (other for other in found if (other.kind, other.colour) == (thing.kind, thing.colour))
    best = next(alike, None)
    if best is None:
        return ThingVerdict(hit_50, hit_30, False, False, 0.0, 0)
    (left, top, right, low), (a, b, c, d) = best.box, thing.box
    x, y = (left + right) / 2, (top + low) / 2
    shared = max(0.0, min(right, c) - max(left, a)) * max(0.0, min(low, d) - max(top, b))
    area = (right - left) * (low - top)
    inside = shared / area if area > 0 else 0.0
    return ThingVerdict(hit_50, hit_30, True, a <= x <= c and b <= y <= d, inside, -1 if x < 0.5 else 1)


def dimensions(pictures: int) -> int:
    """How many dimensions a Fréchet distance between so many pictures should have."""
    return max(1, min(FEATURES, pictures // PICTURES_PER_DIMENSION))


def frechet(real: np.ndarray, made: np.ndarray, dims: int | None = None) -> float:
    """|m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)) of features (N, F) of real pictures and of as many made ones, squared as
    usual, along the first `dims` principal components of the real ones.

    Few dimensions where there are few pictures: a covariance of d dimensions has d (d + 1) / 2 numbers, and one of too
    few pictures lacks whole directions, for which every set of pictures would be far from every other, even two halves
    of one. What a generator does wrong in the other directions is not seen. Distances in one basis, of as many
    pictures, may be compared with each other and with nothing else.
    """
    a, b = _projected(real, made, dims)
    ones = np.ones((1, len(a)))
    return float(_distances(*_moments(a, ones), *_moments(b, ones))[0])


def frechet_draws(
    real: np.ndarray, made: np.ndarray, weights: np.ndarray, dims: int | None = None
) -> np.ndarray:
    """Fréchet distances (R,) of resampled pictures: `weights` (R, N) says how often each is drawn, real and made alike.

    A bootstrap repeats pictures, which makes sets look narrower and distances longer: the draws are moved so that their
    mean is the distance itself, and none is below 0.
    """
    a, b = _projected(real, made, dims)
    draws = _distances(*_moments(a, weights), *_moments(b, weights))
    return np.maximum(draws - draws.mean() + frechet(real, made, dims), 0)


def _projected(real: np.ndarray, made: np.ndarray, dims: int | None) -> tuple[np.ndarray, np.ndarray]:
    real, made = (np.asarray(rows, dtype=np.float64) for rows in (real, made))
    if real.ndim != 2 or real.shape != made.shape or len(real) < 2:
        raise ValueError(
            f"a Fréchet distance of features {real.shape} and {made.shape}; allowed: (N, F) twice, N of at least 2"
        )
    dims = min(dimensions(len(real)), real.shape[1]) if dims is None else dims
    if not 1 <= dims <= real.shape[1]:
        raise ValueError(f"a Fréchet distance in {dims} dimensions; allowed: 1 to {real.shape[1]}")
    middle = real.mean(0)
    basis = np.linalg.eigh((real - middle).T @ (real - middle))[1][:, ::-1][:, :dims]
    return (real - middle) @ basis, (made - middle) @ basis


def _moments(rows: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means (R, d) and covariances (R, d, d) of rows (N, d) that are counted as often as weights (R, N) say."""
    count, width = rows.shape
    means = weights @ rows / count
    products = (rows[:, :, None] * rows[:, None, :]).reshape(count, -1)
    squares = (weights @ products / count).reshape(-1, width, width)
    return means, (squares - means[:, :, None] * means[:, None, :]) * (count / (count - 1))


def _distances(m: np.ndarray, c: np.ndarray, others_m: np.ndarray, others_c: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(c)
    root = (vectors * np.sqrt(values.clip(0))[:, None, :]) @ vectors.swapaxes(1, 2)
    shared = np.sqrt(np.linalg.eigvalsh(root @ others_c @ root).clip(0)).sum(1)
    traces = np.trace(c + others_c, axis1=1, axis2=2)
    return np.maximum(((m - others_m) ** 2).sum(1) + traces - 2 * shared, 0)


def _loaded(folder: Path, device: str) -> Detector:
    try:
        return load_detector(folder, device)
    except (OSError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ValueError(
            f"the detector in {folder.name!r} cannot be read: {' '.join(str(error).split())}"
        ) from error
