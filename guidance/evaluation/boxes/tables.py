"""The parts of a report: tables of what was counted. Shares are in [0, 1], intervals hold 95 %."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from guidance.evaluation import bootstrap
from guidance.evaluation.bootstrap import Spread
from guidance.evaluation.boxes.tallies import METRICS, OF_THINGS, OWN_METRICS, SIDES, Tally, part

Rows = list[dict[str, Any]]

UNGUIDED = "unguided"
# What is compared beside every condition with the unguided one: the first less the second.
PAIRS = (
    ("paper_a", "places"),
    ("paper_a", "whole"),
    ("paper_a", "masked"),
    ("legacy", "paper_a"),
    ("itsm", "paper_a"),
    ("eclip", "paper_a"),
    ("preset", "places"),
    ("preset", "paper_a"),
)
COMPARED = ("f1_50", "f1_30", "centre", "inside", "present", "similarity", "pointing")
RATIOS = ("f1_50", "f1_30")


@dataclass(frozen=True)
class Counted:
    """Counts of one source of pictures. `small`, `large`: of the things whose boxes are smaller than 2x2
    patches, and of the others. `features` (N, F) of its pictures; `seconds` that making them all took. `asked` False:
    it is held against other boxes than it was looked at with, so of what depends on those nothing is told.
    """

    name: str
    sums: Tally
    small: Tally
    large: Tally
    features: np.ndarray
    seconds: float = 0.0
    asked: bool = True


def rows(counted: Sequence[Counted], weights: np.ndarray, quality: Mapping[str, Spread]) -> Rows:
    """A row for each source. `quality`: its Fréchet distance."""
    return [
        {
            "condition": one.name,
            "pictures": int(one.sums["pictures"].sum()),
            "things": int(one.sums["wanted"].sum()),
        }
        | bootstrap.spreads(one.sums, METRICS, weights)
        | quality[one.name]
        | {"seconds_per_picture": round(one.seconds / one.sums["pictures"].sum(), 4)}
        for one in counted
    ]


def by_things(counted: Sequence[Counted], sizes: np.ndarray) -> Rows:
    """Returns rows for the layouts of one thing, two and three apart."""
    found = []
    for one in counted:
        for size in sorted(set(sizes.tolist())):
            chosen = sizes == size
            sums = part(one.sums, chosen)
            told = bootstrap.spreads(sums, METRICS, bootstrap.resampled(int(chosen.sum())))
            found.append(
                {"condition": one.name, "boxes": size, "pictures": int(sums["pictures"].sum())} | told
            )
    return found


def by_size(counted: Sequence[Counted], weights: np.ndarray) -> Rows:
    """Returns rows for things in small boxes, and for the others. No things, no row."""
    metrics = {name: METRICS[name] for name in OF_THINGS}
    return [
        {"condition": one.name, "boxes": size, "things": int(sums["wanted"].sum())}
        | bootstrap.spreads(sums, metrics, weights)
        for one in counted
        for size, sums in (("small", one.small), ("large", one.large))
        if one.asked and sums["wanted"].sum()
    ]


def comparisons(counted: Mapping[str, Counted], weights: np.ndarray) -> Rows:
    """Paired differences and ratios: of each condition from the unguided one, and of PAIRS."""
    pairs = [(name, UNGUIDED) for name in counted if name != UNGUIDED] + list(PAIRS)
    found = []
    for ours, theirs in pairs:
        if ours in counted and theirs in counted:
            a, b = counted[ours].sums, counted[theirs].sums
            differences = {x: bootstrap.difference(a, b, METRICS[x], weights) for x in COMPARED}
            ratios = {x: bootstrap.ratio(a, b, METRICS[x], weights) for x in RATIOS}
            found.append({"condition": ours, "against": theirs, "differences": differences, "ratios": ratios})
    return found


def side_changes(sums: Tally, weights: np.ndarray) -> dict[str, Any]:
    """Whether things went with mirrored boxes."""
    counts = {name: int(sums[name].sum()) for name in ("cases", "both")}
    return counts | bootstrap.spreads(sums, SIDES, weights)


def guiding(counted: Sequence[Counted], weights: np.ndarray) -> Rows:
    """The guiding CLIP's own numbers, which are no evidence."""
    return [
        {"condition": one.name} | bootstrap.spreads(one.sums, OWN_METRICS, weights)
        for one in counted
        if one.asked
    ]


def qualities(
    counted: Sequence[Counted], real: np.ndarray, weights: np.ndarray, judging: ModuleType
) -> dict[str, Spread]:
    """Fréchet distances from the real pictures, and their ratios to the unguided pictures' one, paired."""
    each = np.repeat(weights, len(real) // weights.shape[1], axis=1)  # of layouts -> of pictures
    dims = judging.dimensions(len(real))
    found = {one.name: judging.frechet(real, one.features, dims) for one in counted}
    draws = {one.name: judging.frechet_draws(real, one.features, each, dims) for one in counted}
    spreads = {}
    for name in found:
        spreads[name] = bootstrap.spread("frechet", found[name], draws[name])
        base = draws.get(UNGUIDED, np.full(len(each), np.nan))
        ratio = bootstrap.divided(found[name], found.get(UNGUIDED, np.nan))
        spreads[name] |= bootstrap.spread("frechet_ratio", float(ratio), bootstrap.divided(draws[name], base))
    return spreads
