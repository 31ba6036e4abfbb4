"""One report of everything that is measured of a model's methods: plain lists and numbers, as JSON knows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from explain.clip.model import Clip
from explain.evaluation import curves, sanity, shift_profile, words
from explain.evaluation.maps import CEILING, Scores, choose, paired_interval, thresholds
from explain.evaluation.measurement import TESTING, TUNING, Measurement, Plan, Say, gathered, settings
from explain.evaluation.resumable import Record, Stretches
from explain.evaluation.subjects import Pictures, tuning_and_testing
from explain.inputs.captions import drawn
from explain.methods import METHODS

Report = dict[str, Any]


def run(
    clip: Clip,
    plan: Plan,
    folder: Path | None = None,
    progress: Say = lambda what, done, total: None,
    note: Callable[[str], None] = lambda text: None,
) -> Report:
    """The report of a model: thresholds are chosen on other pictures than it is of.

    With a folder, what is finished is kept there, and what an earlier run of the same plan finished is taken from
    there. `progress` is told what is done, how many pictures, and of how many; `note` what is left out.
    """
    methods = choose(clip, plan.methods or usual(clip))
    tuning, testing = tuning_and_testing(plan.data, plan.split, plan.pictures, clip.size)
    same = settings(clip, plan, methods, tuning, testing) if folder is not None else {}
    kept = Stretches(folder, same, note)
    measurement = Measurement(clip, plan, methods, kept, progress)
    begun = time.perf_counter()
    chosen_on = measurement.records(TUNING, tuning)
    chosen = thresholds(gathered(chosen_on))
    tested = measurement.records(TESTING, testing)
    scores = gathered(tested)
    report: Report = {
        "model": clip.name,
        "data": plan.data,
        "split": plan.split if drawn(plan.data) else "every other picture",
        "pictures": testing.count,
        "seconds": round(time.perf_counter() - begun, 1),
        "rows": table(scores, chosen),
    }
    if "itsm" in scores:
        report["against_itsm"] = _against(scores, "itsm", chosen)
    report["thresholds"] = list(scores[CEILING].ious.thresholds)
    report["miou_by_threshold"] = {
        name: [round(100 * value, 4) for value in each.ious.curve()] for name, each in scores.items()
    }
    report |= _extras(tested, plan.seed)
    _join(report)
    return report | {"left_out": _left_out([*chosen_on, *tested], testing, scores)}


def usual(clip: Clip) -> list[str]:
    """Names of the methods that work with the model, without those that run it on altered pictures."""
    return [m.name for m in METHODS.values() if m.supports(clip) is None and not m.own_forwards]


def table(scores: dict[str, Scores], chosen: dict[str, float]) -> list[Report]:
    """A row per method; shares and contrasts in percent, seconds of all pictures together.

    `miou_50` at 0.5, `miou` at the threshold chosen elsewhere, `miou_oracle` at the best one on these pictures. `msc`
    is None where every thing fills its picture.
    """
    rows: list[Report] = []
    for name, each in scores.items():
        row = {
            "method": name,
            "msc": 100 * each.msc if each.contrasts else None,
            "miou_50": 100 * each.ious.miou(0.5),
            "miou": 100 * each.ious.miou(chosen[name]),
            "threshold": chosen[name],
            "miou_oracle": 100 * each.ious.oracle(),
            "miou_pooled": 100 * each.ious.pooled(chosen[name]),
            "pointing": 100 * each.pointing,
            "things": len(each.hits),
            "seconds": each.seconds,
        }
        rows.append(
            {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}
        )
    return rows


def _against(scores: dict[str, Scores], base: str, chosen: dict[str, float]) -> Report:
    """Paired differences of IoU from one method, with their intervals."""
    names = ("difference", "low", "high")
    return {
        name: dict(zip(names, paired_interval(each, scores[base], chosen), strict=True))
        for name, each in scores.items()
        if name not in (base, CEILING)
    }


def _extras(records: Sequence[Record], seed: int) -> Report:
    """The summaries of what was measured beside the maps' places; what was left out is not there."""
    faithful, worded, randomised, shift = (
        [entry for record in records for entry in record[name]]
        for name in ("faithful", "words", "randomised", "shift")
    )
    found: Report = {
        "faithfulness": curves.summary(faithful) if faithful else None,
        "words": words.summary(worded),
        "randomised": sanity.summary(randomised, seed) if randomised else None,
        "shift": shift_profile.summary(shift),
    }
    return {name: value for name, value in found.items() if value is not None}


def _join(report: Report) -> None:
    """Puts a method's most read numbers of the summaries into its row of the table; None where it has none."""
    for section, columns in (
        ("faithfulness", {"deletion": "deletion", "insertion": "insertion"}),
        ("randomised", {"random_correlation": "correlation", "survives": "survives"}),
    ):
        if section in report:
            found = {row["method"]: row for row in report[section]["rows"]}
            for row in report["rows"]:
                row |= {name: found.get(row["method"], {}).get(key) for name, key in columns.items()}


def _left_out(records: Sequence[Record], testing: Pictures, scores: dict[str, Scores]) -> Report:
    """Lists what no number counts: in both halves pictures, in the reported one things, and classes without a thing."""
    ceiling, seen = scores[CEILING].ious, scores[CEILING].hits
    return {
        "unreadable": [text for record in records for text in record["skipped"]],
        "pictures_without_things": sum(record["bare"] for record in records),
        "things_without_pixels": ceiling.skipped,
        "classes_without_pictures": sorted({*testing.classes, *ceiling.absent} - {name for name, _ in seen}),
    }
