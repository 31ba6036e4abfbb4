"""Semantic shift: has what a model pools moved from the thing to the background? Our own measures.

Li et al. 2022 (arXiv 2209.07046) claim the shift, and blame the pooling. *Differs from the paper*: how they
measure it is not known here; these are ours. Two are pure arrays and live here: provenance (how much of what
is pooled comes from the thing) and the shift in the joint space. The depth profile and the pooling ablation
need a model, and measure their maps with `metrics.msc`.

On the patch grid (h, w) a `mask` is boolean, or the share of each patch on the thing
(`metrics.grid_ceiling(mask, grid, valid)`); `valid`, likewise, the share that is not void
(`metrics.grid_ceiling(valid, grid)`).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Provenance:
    """`pooled`: the share, in [0, 1], of what is pooled that comes from the thing; `area`: the thing's share of
    the picture, which is what a pool that takes everything alike would have.
    """

    pooled: float
    area: float

    @property
    def excess(self) -> float:
        """Above 0 the pool prefers the thing; below, the background."""
        return self.pooled - self.area


def attention_provenance(
    attention: np.ndarray, mask: np.ndarray, valid: np.ndarray | None = None
) -> Provenance:
    """Returns the share on the thing of the pooled query's attention (h, w) over the patches: the mean over heads,
    none negative. The attention need not add up to 1 (a class token may hold the rest); mass on void is left out.
    """
    on, off = _weights(mask, valid)
    attention = np.asarray(attention, dtype=np.float64)
    if attention.shape != on.shape or not np.isfinite(attention).all() or attention.min() < 0:
        raise ValueError(f"the attention is {attention.shape}; allowed: {on.shape} of finite numbers from 0")
    whole = (attention * (on + off)).sum()
    if whole == 0:
        raise ValueError("all of the attention is 0 or on void; allowed: some on patches that are valid")
    return Provenance(float((attention * on).sum() / whole), _area(on, off))


def channel_provenance(winners: np.ndarray, mask: np.ndarray, valid: np.ndarray | None = None) -> Provenance:
    """Returns the share of the channels of a max pool whose highest token is on the thing.

    `winners` (C,) are those tokens' positions, row by row in the grid: `tokens.reshape(-1, C).argmax(0)`. A
    channel won by a patch that is part thing or part void counts in part.
    """
    grid = _weights(mask, valid)[0].shape
    winners = np.asarray(winners)
    if winners.ndim != 1 or winners.size == 0 or not np.issubdtype(winners.dtype, np.integer):
        raise ValueError(f"the winners are {winners.shape} {winners.dtype}; allowed: (C,) integers")
    if winners.min() < 0 or winners.max() >= grid[0] * grid[1]:
        raise ValueError(
            f"the winners are {winners.min()} to {winners.max()}; allowed: patches of a {grid} grid"
        )
    counts = np.bincount(winners, minlength=grid[0] * grid[1]).reshape(grid)
    return attention_provenance(counts, mask, valid)


def shift(vector: np.ndarray, tokens: np.ndarray, mask: np.ndarray, valid: np.ndarray | None = None) -> float:
    """cos(vector, mean token off the thing) - cos(vector, mean token on it), in [-2, 2]; above 0 is shifted.

    `vector` (D,) is the pooled feature of the picture, or the text's; `tokens` (h, w, D) in the same space,
    averaged as they come: the dense tokens have unit norm, so all weigh the same.
    """
    on, off = _weights(mask, valid)
    vector, tokens = np.asarray(vector, dtype=np.float64), np.asarray(tokens, dtype=np.float64)
    if vector.ndim != 1 or tokens.shape != (*on.shape, len(vector)):
        raise ValueError(
            f"the vector is {vector.shape}, the tokens {tokens.shape}; allowed: (D,) and {(*on.shape, 'D')}"
        )
    if not on.any() or not off.any():
        raise ValueError("the mask must have patches on and off the thing")
    # Sums rather than means: the cosine is the same.
    return _cosine(vector, np.tensordot(off, tokens)) - _cosine(vector, np.tensordot(on, tokens))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    scale = np.linalg.norm(a) * np.linalg.norm(b)
    if not 0 < scale < np.inf:
        raise ValueError(f"a vector or a mean of tokens has no direction: the lengths' product is {scale}")
    return float(a @ b / scale)


def _weights(mask: np.ndarray, valid: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The share of every patch on the thing, and the share off it, void left out: two (h, w) float64."""
    mask = np.asarray(mask, dtype=np.float64)
    valid = np.ones_like(mask) if valid is None else np.asarray(valid, dtype=np.float64)
    if mask.ndim != 2 or mask.size == 0 or valid.shape != mask.shape:
        raise ValueError(
            f"the mask is {mask.shape}, its valid patches {valid.shape}; allowed: both the same (h, w)"
        )
    if not all(((side >= 0) & (side <= 1)).all() for side in (mask, valid)):
        raise ValueError(
            "the mask, or what is valid, is out of bounds; allowed: booleans or shares from 0 to 1"
        )
    return mask * valid, (1 - mask) * valid


def _area(on: np.ndarray, off: np.ndarray) -> float:
    return float(on.sum() / (on.sum() + off.sum()))
