"""A mean and how sure it is."""

from collections.abc import Sequence

import numpy as np

DRAWS = 2000


def interval(values: Sequence[float], seed: int = 0, draws: int = DRAWS) -> tuple[float, float, float]:
    """The mean, and its 95 % interval by the percentiles of a bootstrap over the values (Efron 1979).

    Equal values and seeds give equal intervals. ValueError where there is no value, or one is not finite.
    """
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or len(found) == 0 or not np.isfinite(found).all():
        raise ValueError(f"an interval needs 1 finite number or more in a row, not {found.shape}")
    rng = np.random.default_rng(seed)
    means = found[rng.integers(0, len(found), (draws, len(found)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(found.mean()), float(low), float(high)


def spread(name: str, values: Sequence[float | None], scale: float = 1.0) -> dict[str, float | None]:
    """`name`, `name_low` and `name_high` for a report, times `scale`; None are left out, and all None stay None."""
    known = [value for value in values if value is not None]
    found = [round(scale * x, 4) for x in interval(known)] if known else [None] * 3
    return dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))
