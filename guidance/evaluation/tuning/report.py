"""Seeds put together: means with intervals over seeds, and differences that are paired seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import stdev
from typing import Any

from explain.evaluation.maps import spread

Record = dict[str, Any]
BySet = dict[str, Record]


def means(records: Sequence[Record], name: str) -> BySet:
    """Returns for every set the mean over seeds of the records' `name`, its 95 % interval and standard deviation."""
    return {key: _of([record[name][key] for record in records]) for key in records[0][name]}


def differences(ours: Sequence[Record], theirs: Sequence[Record], name: str) -> BySet:
    """Ours - theirs, seed by seed: mean and 95 % interval of every set."""
    pairs = list(zip(ours, theirs, strict=True))
    return {
        key: spread("difference", [a[name][key] - b[name][key] for a, b in pairs])
        for key in ours[0][name]
        if key in theirs[0][name]
    }


def compared(ours: Sequence[Record], theirs: Sequence[Record]) -> Record:
    """Accuracy and relevance of names of two ways to tune on the same seeds, and their paired differences."""
    return {
        name: {
            "ours": means(ours, name),
            "coop": means(theirs, name),
            "paired": differences(ours, theirs, name),
        }
        for name in ("accuracy", "relevance")
    }


def _of(values: list[float]) -> Record:
    deviation = round(stdev(values), 4) if len(values) > 1 else None
    return spread("mean", values) | {"deviation": deviation}


def shown(found: Record, key: str = "mean", signed: bool = False) -> str:
    """ "0.71 (0.68 to 0.74)"."""
    value, low, high = (found[name] for name in (key, f"{key}_low", f"{key}_high"))
    if value is None:
        return "-"
    sign = "+" if signed else ""
    return f"{value:{sign}.2f} ({low:{sign}.2f} to {high:{sign}.2f})"
