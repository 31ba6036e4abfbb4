"""Ablation of ECLIP, to find what does the work: every way to pool, start and mask, trained and measured alike.

    python -m explain ablate-eclip --model toy-vit --data toyland

If masked averages do as well as masked maxima, the mask does the work and not the maximum.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from explain.clip.model import Clip
from explain.eclip.training import Bank, Recipe, train
from explain.evaluation.maps import Scores, Subject, evaluate, thresholds

RATES = {False: 1e-3, True: 3e-3}  # from the model's own projection, and fresh


@dataclass(frozen=True)
class Variant:
    """One cell of the table. Poolings that look at no mask have "all"."""

    pooling: str
    mask: str
    fresh: bool


@dataclass(frozen=True)
class Result:
    """mSC and mIoU in percent, one per seed; mIoU at a threshold chosen on other pictures."""

    variant: Variant
    msc: tuple[float, ...]
    miou: tuple[float, ...]

    def row(self) -> dict[str, str | float]:
        """Means and spreads (standard deviations) over the seeds."""
        spread = statistics.stdev if len(self.msc) > 1 else (lambda values: 0.0)
        return {
            "pooling": self.variant.pooling,
            "mask": self.variant.mask,
            "start": "fresh" if self.variant.fresh else "own",
            "msc": statistics.mean(self.msc),
            "msc_spread": spread(self.msc),
            "miou": statistics.mean(self.miou),
            "miou_spread": spread(self.miou),
        }


def variants(exact: bool) -> list[Variant]:
    """All that differ: `exact` masks only where the pictures come with them."""
    found = [
        Variant(pooling, "all", fresh) for pooling in ("class", "average", "max") for fresh in (False, True)
    ]
    for pooling in ("masked_average", "masked_max"):
        for mask in ("free", "exact") if exact else ("free",):
            found += [Variant(pooling, mask, fresh) for fresh in (False, True)]
    return found


def ablate(
    clip: Clip,
    bank: Bank,
    tuning: Sequence[Subject],
    testing: Sequence[Subject],
    recipe: Recipe,
    seeds: Iterable[int] = range(3),
    progress: Callable[[str], None] | None = None,
) -> Iterator[Result]:
    """Trains and measures every variant, one after the other; `tuning` chooses thresholds, `testing` is reported."""
    seeds = tuple(seeds)
    for variant in variants(bank.exact is not None):
        contrasts, overlaps = [], []
        for seed in seeds:
            if progress is not None:
                progress(
                    f"{variant.pooling}, {variant.mask}, {'fresh' if variant.fresh else 'own'}, seed {seed}"
                )
            changed = replace(
                recipe,
                pooling=variant.pooling,
                mask=variant.mask,
                fresh=variant.fresh,
                lr=RATES[variant.fresh],
                seed=seed,
            )
            *_, (_, projection) = train(clip, bank, changed)
            trained = replace(clip, eclip=projection)
            chosen, scores = (_measured(trained, subjects) for subjects in (tuning, testing))
            threshold = thresholds({"eclip": chosen})["eclip"]
            contrasts.append(100 * scores.msc)
            overlaps.append(100 * scores.ious.miou(threshold))
        yield Result(variant, tuple(contrasts), tuple(overlaps))


def _measured(clip: Clip, subjects: Sequence[Subject]) -> Scores:
    return evaluate(clip, subjects, ["eclip"])["eclip"]
