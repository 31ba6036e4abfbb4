"""The IoU of one method on one data set, gathered a thing at a time. `metrics.py` measures, this takes means."""

from collections.abc import Sequence

import numpy as np

from explain.metrics import THRESHOLDS, Measures, checked_thresholds, mean_of_classes, measure


class IouTable:
    """The IoU of one method on one data set, a thing at a time, and the ways to make one number of it.

    Which threshold is used matters more than which mean: CLIP Surgery grid-searches one, which on the same
    pictures is an oracle (`oracle`); `miou()` has a fixed one, `miou(other.best_threshold())` one chosen on
    other pictures. A thing without a valid pixel is counted in `skipped` and goes no further; `absent` are
    the classes that had no other things.
    """

    def __init__(self, thresholds: Sequence[float] = THRESHOLDS) -> None:
        self.thresholds = checked_thresholds(thresholds)
        self.skipped = 0
        self._rows: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}

    def add(
        self, name: str, heatmap: np.ndarray, mask: np.ndarray, valid: np.ndarray | None = None
    ) -> np.ndarray | None:
        """One map of one thing of class `name`: its `ious`, or None where it is skipped."""
        return self.count(name, measure(heatmap, mask, valid, self.thresholds))

    def count(self, name: str, found: Measures | None) -> np.ndarray | None:
        """As `add`, with what `measure` found at these thresholds; None is a thing without a valid pixel."""
        rows = self._rows.setdefault(name, [])
        if found is None:
            self.skipped += 1
            return None
        rows.append((found.intersections, found.unions))
        return found.intersections / found.unions

    @property
    def absent(self) -> tuple[str, ...]:
        """Classes of which every thing was skipped; no mean counts them."""
        return tuple(name for name, rows in self._rows.items() if not rows)

    def miou(self, threshold: float = 0.5) -> float:
        """IoU per (picture, class), mean over the pictures of a class, then mean over classes."""
        at = self._position(threshold)
        rows = [(name, row[0][at] / row[1][at]) for name, rows in self._rows.items() for row in rows]
        return mean_of_classes(rows)

    def pooled(self, threshold: float = 0.5) -> float:
        """The variant that pools pixels: a class's intersections over its unions, then mean over classes.

        Large things weigh more here, and every picture weighs the same in `miou`: the two differ.
        """
        at = self._position(threshold)
        sums = {name: np.sum(rows, axis=0)[:, at] for name, rows in self._rows.items() if rows}
        return mean_of_classes((name, on / union) for name, (on, union) in sums.items())

    def best_threshold(self) -> float:
        """The threshold with the highest `miou`; of several, the lowest."""
        return max(self.thresholds, key=lambda threshold: (self.miou(threshold), -threshold))

    def oracle(self) -> float:
        """`miou` at the best of all thresholds, chosen on the pictures that it is measured on."""
        return self.miou(self.best_threshold())

    def curve(self) -> list[float]:
        """`miou` at every threshold."""
        return [self.miou(threshold) for threshold in self.thresholds]

    def _position(self, threshold: float) -> int:
        if threshold not in self.thresholds:
            raise ValueError(
                f"no IoU at threshold {threshold}; allowed: {', '.join(map(str, self.thresholds))}"
            )
        return self.thresholds.index(threshold)
