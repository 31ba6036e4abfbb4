"""Measures of a map against a mask."""

import numpy as np

from explain import heatmap as drawing


def msc(heatmap: np.ndarray, mask: np.ndarray) -> float:
    """Score contrast: the mean of a map on a thing minus its mean off it, in [-1, 1]; 1 is perfect, below 0
    means that the background scores higher.

        SC = mean_{p in thing} M(p) - mean_{p not in thing} M(p)     (mSC: mean over pictures and things)

    Li et al. 2022 (arXiv 2209.07046), as defined in CLIP Surgery (arXiv 2304.05653). `heatmap` (h, w) is
    raw at any size, `mask` (H, W) boolean: the map is resized to the mask, then min-max normalised, as the
    paper orders it. A constant map scores 0. ValueError where the mask is empty or full.
    """
    mask = np.asarray(mask, dtype=bool)
    if mask.ndim != 2 or mask.all() or not mask.any():
        raise ValueError(
            f"the mask must be (H, W) with pixels on and off the thing; {mask.shape} has {mask.sum()} on it"
        )
    values = drawing.normalise(drawing.resize(heatmap, (mask.shape[1], mask.shape[0])))
    return float(values[mask].mean() - values[~mask].mean())
