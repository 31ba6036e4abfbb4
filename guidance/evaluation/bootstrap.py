"""How sure a quotient of sums is: a bootstrap over layouts (Efron 1979), the same resampled layouts for all that is
compared, so that differences and ratios are paired.

Scores like F1 are no means over pictures but quotients of sums over all of them. `explain.evaluation.intervals` has the
interval of a mean, which is the case in which every layout counts as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from explain.evaluation.maps import DRAWS

Columns = Mapping[str, np.ndarray]  # sums over each layout's pictures, (L,) each, by name
Quotient = tuple[tuple[str, ...], tuple[str, ...]]  # the columns that are added up above and below the line
Spread = dict[str, float | None]


def resampled(layouts: int, seed: int = 0, draws: int = DRAWS) -> np.ndarray:
    """How often each layout is drawn (draws, layouts): as many as there are, with replacement."""
    chosen = np.random.default_rng(seed).integers(0, layouts, (draws, layouts))
    weights = np.zeros((draws, layouts))
    np.add.at(weights, (np.arange(draws)[:, None], chosen), 1)
    return weights


def quotients(columns: Columns, quotient: Quotient, weights: np.ndarray) -> np.ndarray:
    """The quotient (R,) in each resampling (R, L); NaN where there is nothing below the line."""
    above, below = (weights @ sum(columns[name] for name in names) for names in quotient)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)


def estimate(columns: Columns, quotient: Quotient) -> float:
    """The quotient itself, or NaN."""
    return float(quotients(columns, quotient, np.ones((1, len(columns[quotient[0][0]]))))[0])


def spreads(columns: Columns, metrics: Mapping[str, Quotient], weights: np.ndarray) -> Spread:
    """`name`, `name_low` and `name_high` of every metric; None where there is none."""
    found: Spread = {}
    for name, quotient in metrics.items():
        found |= spread(name, estimate(columns, quotient), quotients(columns, quotient, weights))
    return found


def difference(ours: Columns, theirs: Columns, quotient: Quotient, weights: np.ndarray) -> Spread:
    """Ours - theirs."""
    value = estimate(ours, quotient) - estimate(theirs, quotient)
    draws = quotients(ours, quotient, weights) - quotients(theirs, quotient, weights)
    return spread("difference", value, draws)


def ratio(ours: Columns, theirs: Columns, quotient: Quotient, weights: np.ndarray) -> Spread:
    """Ours / theirs. None where theirs is 0; an interval may have no upper end."""
    value = divided(estimate(ours, quotient), estimate(theirs, quotient))
    draws = divided(quotients(ours, quotient, weights), quotients(theirs, quotient, weights))
    return spread("ratio", float(value), draws)


def divided(above: np.ndarray | float, below: np.ndarray | float) -> np.ndarray:
    """Infinite where only the number below is 0, NaN where both are."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(above, below)


def spread(name: str, value: float, draws: np.ndarray) -> Spread:
    """A value with its 95 % interval, by percentiles; what is not finite becomes None."""
    known = draws[~np.isnan(draws)]
    ends: Sequence[float] = (np.nan, np.nan)
    if len(known) and np.isfinite(known).all():
        ends = np.percentile(known, [2.5, 97.5])
    elif len(known):  # between a number and infinity there is nothing
        ends = [np.percentile(known, 2.5, method="lower"), np.percentile(known, 97.5, method="higher")]
    names = (name, f"{name}_low", f"{name}_high")
    return dict(zip(names, (rounded(x) for x in (value, *ends)), strict=True))


def rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
