"""Maps against masks: score contrast, IoU, pointing game, and the best map that a grid can give.

A map (h, w) is raw at any size; a mask (H, W) is boolean, the pixels of a thing. The map is resized to the
mask, then min-max normalised, as Li et al. 2022 order it. `valid` (H, W) is False on void pixels, which have
no say in anything here: they are on neither side, hold no highest point and set no minimum or maximum.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from explain import heatmap as drawing

THRESHOLDS = tuple(step / 20 for step in range(20))  # 0.00, 0.05, ..., 0.95


@dataclass(frozen=True, eq=False)
class Measures:
    """All measures of one map of one thing: `overlaps` (T,), (T,), `msc` (None where the thing is the whole
    picture) and `pointing_hit`.
    """

    intersections: np.ndarray
    unions: np.ndarray
    contrast: float | None
    hit: bool


def measure(
    heatmap: np.ndarray,
    mask: np.ndarray,
    valid: np.ndarray | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
) -> Measures | None:
    """Returns what `overlaps`, `msc` and `pointing_hit` say, with the map resized and normalised once for all of them.

    None where no valid pixel is on the thing: then there is nothing to measure.
    """
    mask, valid = _checked(mask, valid)
    if not (mask & valid).any():
        return None
    on, off, raised = _sides(heatmap, mask, valid)
    contrast = float(on.mean() - off.mean()) if len(off) else None
    return Measures(*_counts(on, off, checked_thresholds(thresholds)), contrast, raised)


def msc(heatmap: np.ndarray, mask: np.ndarray, valid: np.ndarray | None = None) -> float:
    """Score contrast: the mean of a map on a thing minus its mean off it, in [-1, 1]; 1 is perfect, below 0
    means that the background scores higher.

        SC = mean_{p in thing} M(p) - mean_{p not in thing} M(p)     (mSC: `mean_of_classes` of these)

    Li et al. 2022 (arXiv 2209.07046), as defined in CLIP Surgery (arXiv 2304.05653). `heatmap` (h, w) is
    raw at any size, `mask` (H, W) boolean: the map is resized to the mask, then min-max normalised, as the
    paper orders it. A constant map scores 0. ValueError where the mask is empty or full.
    """
    mask, valid = _checked(mask, valid)
    count = np.count_nonzero(mask & valid)
    if count in (0, np.count_nonzero(valid)):
        raise ValueError(
            f"the mask must be (H, W) with pixels on and off the thing; {mask.shape} has {count} on it"
        )
    on, off, _ = _sides(heatmap, mask, valid)
    return float(on.mean() - off.mean())


def iou(
    heatmap: np.ndarray, mask: np.ndarray, threshold: float = 0.5, valid: np.ndarray | None = None
) -> float:
    """Intersection over union of a thing with the pixels where its map lies above a threshold, in [0, 1].

    Above is strict: a pixel at the threshold is not predicted. A map that predicts nothing (a constant one
    does, at every threshold) scores 0; without a thing there is no score: ValueError.
    """
    return float(ious(heatmap, mask, (threshold,), valid)[0])


def ious(
    heatmap: np.ndarray,
    mask: np.ndarray,
    thresholds: Sequence[float] = THRESHOLDS,
    valid: np.ndarray | None = None,
) -> np.ndarray:
    """`iou` at each threshold: (T,) float64."""
    intersections, unions = overlaps(heatmap, mask, thresholds, valid)
    return intersections / unions


def overlaps(
    heatmap: np.ndarray,
    mask: np.ndarray,
    thresholds: Sequence[float] = THRESHOLDS,
    valid: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels in the intersection, and in the union, of a thing and its prediction at each threshold: (T,), (T,).

    The values are sorted once for all thresholds. CLIP Surgery scores a thing that is in the picture as a
    binary mask of its own; a thing without a valid pixel is a ValueError.
    """
    found = checked_thresholds(thresholds)
    mask, valid = _checked(mask, valid)
    if not (mask & valid).any():
        raise ValueError(f"the mask {mask.shape} has no valid pixel on the thing: there is no IoU")
    on, off, _ = _sides(heatmap, mask, valid)
    return _counts(on, off, found)


def mean_of_classes(rows: Iterable[tuple[str, float]]) -> float:
    """Rows (class name, score of one picture) -> the mean over classes of the means over their pictures."""
    scores = defaultdict(list)
    for name, score in rows:
        scores[name].append(float(score))
    if not scores:
        raise ValueError("there is no score to take the mean of; allowed: 1 row or more")
    return float(np.mean([np.mean(values) for values in scores.values()]))


def pointing_hit(
    heatmap: np.ndarray, mask: np.ndarray, valid: np.ndarray | None = None, tolerance: float = 0
) -> bool:
    """Pointing game: whether a map's highest point, resized to the mask, is on the thing or within
    `tolerance` pixels (Euclidean) of it.

    Zhang et al. 2016 (arXiv 1608.00507), who allow 15 pixels. *Differs from the paper* in what it leaves
    open: where several points are the highest all must hit, and a constant map, which points at nothing,
    misses. ValueError where the thing has no valid pixel.
    """
    if not 0 <= tolerance < np.inf:
        raise ValueError(f"tolerance is {tolerance}; allowed: 0 or more pixels")
    mask, valid = _checked(mask, valid)
    thing = np.argwhere(mask & valid)
    if len(thing) == 0:
        raise ValueError(f"the mask {mask.shape} has no valid pixel on the thing: there is nothing to hit")
    values = drawing.resize(heatmap, (mask.shape[1], mask.shape[0]))
    top = values[valid].max()
    if top == values[valid].min():
        return False
    off = np.argwhere(valid & ~mask & (values == top))  # those on the thing are hits
    return all(((thing - point) ** 2).sum(axis=1).min() <= tolerance**2 for point in off)


def share_inside(heatmap: np.ndarray, mask: np.ndarray, valid: np.ndarray | None = None) -> float:
    """The share in [0, 1] of a map's brightness, min-max normalised, that is on the thing.

    A constant map, which is nowhere brighter, gives the share of the pixels. ValueError where none is valid.
    """
    mask, valid = _checked(mask, valid)
    if not valid.any():
        raise ValueError(f"the mask is {mask.shape}, and no pixel of it is valid: nothing to measure")
    on, off, _ = _sides(heatmap, mask, valid)
    total = on.sum() + off.sum()
    return float(on.sum() / total) if total > 0 else len(on) / (len(on) + len(off))


def grid_ceiling(mask: np.ndarray, grid: tuple[int, int], valid: np.ndarray | None = None) -> np.ndarray:
    """The share of every patch's valid area that lies on the thing: (h, w) float64 in [0, 1], 0 where all is void.

    As a map, this is what a method would give that knows the truth but has only `grid` (h, w) patches: a row
    for tables, beside which the others are read. It is no proven maximum of any measure.
    """
    mask, valid = _checked(mask, valid)
    if min(grid) < 1:
        raise ValueError(f"the grid is {grid}; allowed: (h, w) of 1 or more patches")
    down, across = (_lengths(pixels, cells) for pixels, cells in zip(mask.shape, grid, strict=True))
    on, whole = (down @ side.astype(np.float64) @ across.T for side in (mask & valid, valid))
    return np.divide(on, whole, out=np.zeros_like(on), where=whole > 1e-9).clip(0, 1)


@lru_cache(maxsize=64)
def _lengths(pixels: int, cells: int) -> np.ndarray:
    """The length of every pixel that lies in every cell, where `cells` equal cells cover them all: (cells, pixels)."""
    edges, starts = np.arange(cells + 1) * pixels / cells, np.arange(pixels)
    ends = np.minimum(edges[1:, None], starts + 1)
    return (ends - np.maximum(edges[:-1, None], starts)).clip(0, None)


def _sides(heatmap: np.ndarray, mask: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """The values of a map on the thing, and off it: of valid pixels, normalised among themselves; two rows. And
    whether its highest points are all on the thing, before the division could make two values one.
    """
    values = drawing.resize(heatmap, (mask.shape[1], mask.shape[0]))
    on, off = values[mask & valid], values[valid & ~mask]
    both = np.concatenate([on, off])[None]
    raised = bool(both.size and both.max() > both.min() and (off.size == 0 or off.max() < both.max()))
    scaled = drawing.normalise(both)[0]
    return scaled[: len(on)], scaled[len(on) :], raised


def _counts(on: np.ndarray, off: np.ndarray, thresholds: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels in the intersection and in the union at each threshold; both sides sorted once for all of them."""
    # As float32, which maps are: a value of 0.05 then ties with the threshold 0.05.
    levels = np.asarray(thresholds, dtype=np.float32)
    hits, extra = (len(side) - np.searchsorted(np.sort(side), levels, side="right") for side in (on, off))
    return hits, extra + len(on)


def _checked(mask: np.ndarray, valid: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    mask = np.asarray(mask, dtype=bool)
    valid = np.ones_like(mask) if valid is None else np.asarray(valid, dtype=bool)
    if mask.ndim != 2 or mask.size == 0 or valid.shape != mask.shape:
        raise ValueError(
            f"the mask must be (H, W), with pixels on and off the thing, and `valid` of the same size; "
            f"they are {mask.shape} and {valid.shape}"
        )
    return mask, valid


def checked_thresholds(thresholds: Sequence[float]) -> tuple[float, ...]:
    found = tuple(float(threshold) for threshold in thresholds)
    if not found or not all(0 <= threshold <= 1 for threshold in found):
        raise ValueError(f"the thresholds are {found}; allowed: 1 or more, each from 0 to 1")
    return found
