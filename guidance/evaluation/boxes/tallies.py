"""Counts of what was seen against what was wanted, added up layout by layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType

import numpy as np

from explain.evaluation.resumable import Record
from guidance.evaluation.bootstrap import Quotient
from guidance.evaluation.boxes.sources import Places
from guidance.evaluation.world import Drawn

COLUMNS = (
    "pictures",
    "found",
    "wanted",
    "hits_50",
    "hits_30",
    "present",
    "centre",
    "inside",
    "similarity",
    "pointing",
    "own_similarity",
    "own_inside",
    "own_share",
)
# Of all wanted things, those that are nowhere counted as not in their box; `_present` of those that are somewhere.
METRICS: Mapping[str, Quotient] = {
    "f1_50": (("hits_50", "hits_50"), ("found", "wanted")),
    "f1_30": (("hits_30", "hits_30"), ("found", "wanted")),
    "precision_50": (("hits_50",), ("found",)),
    "precision_30": (("hits_30",), ("found",)),
    "recall_50": (("hits_50",), ("wanted",)),
    "recall_30": (("hits_30",), ("wanted",)),
    "centre": (("centre",), ("wanted",)),
    "inside": (("inside",), ("wanted",)),
    "present": (("present",), ("wanted",)),
    "centre_present": (("centre",), ("present",)),
    "inside_present": (("inside",), ("present",)),
    "similarity": (("similarity",), ("wanted",)),
    "pointing": (("pointing",), ("wanted",)),
}
# What a few of the things can be measured by: what was found beside them is nobody's.
OF_THINGS = ("recall_50", "recall_30", "centre", "inside", "present", "pointing")
OWN_METRICS: Mapping[str, Quotient] = {
    name: ((name,), ("wanted",)) for name in ("own_similarity", "own_inside", "own_share")
}
SIDES: Mapping[str, Quotient] = {
    "changed": (("changed",), ("cases",)),
    "changed_present": (("changed",), ("both",)),
    "followed": (("followed",), ("cases",)),
}
FROM_MIDDLE = 0.15  # of the picture's width: nearer to the middle, no side can be told

Tally = dict[str, np.ndarray]  # columns (L,)


def verdicts(records: Sequence[Record], drawn: Sequence[Drawn], places: Places, judging: ModuleType) -> list:
    """A verdict on every picture, with the layouts that it is held against."""
    wanted = [judging.wanted(layout) for layout in drawn]
    return [
        judging.verdict(judging.Seen.of_record(record["judge"]).found, wanted[places.layout(number)])
        for number, record in enumerate(records)
    ]


def tally(
    records: Sequence[Record],
    judged: Sequence,
    drawn: Sequence[Drawn],
    places: Places,
    counts: Callable[[int, int], bool] = lambda layout, thing: True,
) -> Tally:
    """Sums over the pictures of each layout. `counts`: which things do, by their layout and number."""
    sums = {name: np.zeros(len(drawn)) for name in COLUMNS}
    for number, (record, verdict) in enumerate(zip(records, judged, strict=True)):
        at = places.layout(number)
        sums["pictures"][at] += 1
        sums["found"][at] += verdict.found
        for k, (thing, box) in enumerate(zip(verdict.things, drawn[at].boxes, strict=True)):
            if counts(at, k):
                row = _row(thing, box, record["witness"][k], record["own"][k])
                for name, value in row.items():
                    sums[name][at] += value
    return sums


def sides(before: Sequence, after: Sequence, drawn: Sequence[Drawn], places: Places) -> Tally:
    """How things went with boxes whose left and right were exchanged, of the boxes that have a side: `cases` of them;
    `both`: the thing is in both pictures; `changed`: and on different sides; `followed`: on its box's side in both.
    """
    sums = {name: np.zeros(len(drawn)) for name in ("cases", "both", "changed", "followed")}
    for number, (one, other) in enumerate(zip(before, after, strict=True)):
        at = places.layout(number)
        for first, second, box in zip(one.things, other.things, drawn[at].boxes, strict=True):
            offset = (box[0] + box[2]) / 2 - 0.5
            if abs(offset) < FROM_MIDDLE - 1e-9:
                continue
            side = 1 if offset > 0 else -1
            sums["cases"][at] += 1
            sums["both"][at] += first.present and second.present
            sums["changed"][at] += first.side * second.side < 0
            sums["followed"][at] += (first.side, second.side) == (side, -side)
    return sums


def part(sums: Tally, chosen: np.ndarray) -> Tally:
    """Returns the sums of some layouts alone."""
    return {name: values[chosen] for name, values in sums.items()}


def _row(thing, box, witness: Sequence[float], own: Sequence[float]) -> dict[str, float]:
    cosine, x, y = witness
    left, top, right, low = box
    return {
        "wanted": 1,
        "hits_50": thing.hit_50,
        "hits_30": thing.hit_30,
        "present": thing.present,
        "centre": thing.centre,
        "inside": thing.inside,
        "similarity": cosine,
        "pointing": left <= x <= right and top <= y <= low,
        **dict(zip(OWN_METRICS, own, strict=True)),
    }
