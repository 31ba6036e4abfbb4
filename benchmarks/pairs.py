"""Paired timing in one process: the two sides of a ratio run in turn, so that a busy machine slows both."""

import gc
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """One aim: the measured value, what it may be at most (or at least), and what lies behind it."""

    aim: str
    what: str
    value: float
    limit: float
    at_least: bool
    unit: str
    details: dict[str, float | int | str | bool]

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def as_record(self) -> dict[str, Any]:
        """As JSON knows it: a limit that there is not is null."""
        limit = None if math.isinf(self.limit) else self.limit
        return asdict(self) | {"limit": limit, "met": self.met}

    def line(self) -> str:
        """For a terminal."""
        said = f"({self.aim}) {self.what}: {self.value:.2f} {self.unit}"
        if math.isinf(self.limit):
            return said
        sign, met = ">=" if self.at_least else "<=", "met" if self.met else "MISSED"
        return f"{said} (aim {sign} {self.limit:g}) {met}"


def seconds(run: Callable[[], object]) -> float:
    """Wall-clock seconds of one run."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def paired(
    first: Callable[[], object], second: Callable[[], object], pairs: int
) -> tuple[float, float, float]:
    """Median of first / second over pairs, and the median seconds of each; each pair in the other order."""
    first(), second()
    ratios, a, b = [], [], []
    for index in range(pairs):
        gc.collect()
        if index % 2:
            mine, other = seconds(first), seconds(second)
        else:
            other, mine = seconds(second), seconds(first)
        ratios.append(mine / other)
        a.append(mine)
        b.append(other)
    return statistics.median(ratios), statistics.median(a), statistics.median(b)
