"""One report of how well edits do what they say: plain lists and numbers, and the same as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from explain.clip.model import Clip
from explain.evaluation.measurement import Say
from explain.evaluation.resumable import Record
from explain.evaluation.text import cell, plain, ranged, width
from guidance.editing.settings import EditSettings
from guidance.evaluation import bootstrap
from guidance.evaluation.bootstrap import Quotient
from guidance.evaluation.edits import Drawn, EditCondition, EditPlan, EditRuns, conditions, drawn_box
from guidance.evaluation.gates import Gate, least
from guidance.evaluation.sheet import Pictures
from guidance.evaluation.world import Judge, open_edits, open_world
from guidance.generators.base import Generator
from guidance.layout.parsing import Layout, targets

Report = dict[str, Any]

METRICS: dict[str, Quotient] = {
    "success": (("success",), ("edits",)),
    "kept": (("kept",), ("to_keep",)),
    "outside": (("outside",), ("edits",)),
    "similarity": (("similarity",), ("edits",)),
    "relevance": (("relevance",), ("edits",)),
}
# What is compared, where both were measured: the first less the second.
PAIRS = (
    ("words", "lambda0"),
    ("words", "plain"),
    ("lambda0", "plain"),
    ("auto", "auto-lambda0"),
    ("auto", "everywhere"),
)
MOST_SECONDS = 10.0
_COLUMNS = {
    "success": ("success", "9.2f"),
    "kept": ("kept", "8.2f"),
    "outside": ("outside", "9.2f"),
    "frechet": ("Fréchet", "9.3g"),
    "similarity": ("cosine", "8.3f"),
    "relevance": ("words", "7.2f"),
    "seconds": ("s", "7.1f"),
}


def run(
    generator: Generator,
    clip: Clip,
    settings: EditSettings,
    plan: EditPlan,
    names: Sequence[str] = (),
    folder: Path | None = None,
    judge: Judge | None = None,
    progress: Say = lambda what, done, total: None,
    note: Callable[[str], None] = lambda text: None,
) -> tuple[Report, Pictures]:
    """The report of edits that `clip` guides, and the pictures of the first ones. See `report.run` for the others."""
    world = open_world(plan.data)
    judge = judge or world.judging.Judge(device=str(clip.device))
    chosen = conditions(settings, names)
    runs = EditRuns(generator, clip, judge, plan, chosen, folder, progress, note)
    records = runs.records()
    tables = _tables(records, runs.drawn, chosen, world.judging, open_edits(plan.data))
    head = {
        "generator": generator.name,
        "clip": clip.name,
        **asdict(plan),
        "settings": asdict(settings),
        "conditions": {one.name: one.sentence for one in chosen},
    }
    report = head | tables
    return report | {"gates": list(gates(report))}, _shown(records, runs.drawn, chosen)


def gates(report: Report) -> Iterator[Gate]:
    """Yields what edits should reach, beside what was measured."""
    rows = {row["condition"]: row for row in report["rows"]}
    for one in report["against"]:
        if (one["condition"], one["against"]) == ("words", "lambda0"):
            yield least("success, words - lambda 0", one["success"]["difference"], 0.0)
    if "words" not in rows:
        return
    words = rows["words"]
    yield least("things kept", words["kept"], 0.7)
    yield least("success (aim)", words["success"], 0.6)
    for row in report["by_change"]:
        if row["condition"] == "words" and row["change"] in ("recolour", "replace"):
            yield least(f"things kept, {row['change']} (aim)", row["kept"], 0.85)
    slow = {
        "gate": "seconds an edit (aim)",
        "value": words["seconds"],
        "allowed": f"at most {MOST_SECONDS:g}",
    }
    yield slow | {"met": words["seconds"] <= MOST_SECONDS}


def _tables(
    records: Sequence[Record],
    drawn: Sequence[Drawn],
    chosen: Sequence[EditCondition],
    judging: ModuleType,
    edits: ModuleType,
) -> Report:
    weights = bootstrap.resampled(len(drawn))
    sums = {one.name: _sums(records, drawn, one.name, judging, edits) for one in chosen}
    wanted = _features(records, "target")
    dims = judging.dimensions(len(records))
    rows, by_change, against = [], [], []
    for name, columns in sums.items():
        made = _features(records, name)
        draws = judging.frechet_draws(wanted, made, weights, dims)
        distance = bootstrap.spread("frechet", judging.frechet(wanted, made, dims), draws)
        seconds = round(float(np.mean([record[name]["seconds"] for record in records])), 3)
        row = {"condition": name, "edits": len(records)} | bootstrap.spreads(columns, METRICS, weights)
        rows.append(row | distance | {"seconds": seconds})
        for change in edits.CHANGES:
            which = np.array([one.change == change for one in drawn])
            if which.any():
                part = {key: values[which] for key, values in columns.items()}
                told = bootstrap.spreads(part, METRICS, bootstrap.resampled(int(which.sum())))
                by_change.append({"condition": name, "change": change, "edits": int(which.sum())} | told)
    for ours, theirs in PAIRS:
        if ours in sums and theirs in sums:
            apart = {x: bootstrap.difference(sums[ours], sums[theirs], METRICS[x], weights) for x in METRICS}
            against.append({"condition": ours, "against": theirs, **apart})
    before = judging.frechet(wanted, _features(records, "before"), dims)
    return {
        "dimensions": dims,
        "frechet_of_pictures_before": bootstrap.rounded(before),
        "rows": rows,
        "by_change": by_change,
        "against": against,
    }


def _sums(
    records: Sequence[Record], drawn: Sequence[Drawn], name: str, judging: ModuleType, edits: ModuleType
) -> dict[str, np.ndarray]:
    """Columns over the edits."""
    found = []
    for record, one in zip(records, drawn, strict=True):
        seen = record[name]
        verdict = edits.verdict(judging.Seen.of_record(seen["judge"]).found, one)
        told = {key: seen[key] for key in ("outside", "similarity", "relevance")}
        counted = {"edits": 1, "success": verdict.success, "kept": verdict.kept, "to_keep": len(one.kept)}
        found.append(counted | told)
    return {key: np.array([row[key] for row in found], dtype=np.float64) for key in found[0]}


def _features(records: Sequence[Record], name: str) -> np.ndarray:
    return np.array([record[name]["judge"]["features"] for record in records])


def _shown(
    records: Sequence[Record], drawn: Sequence[Drawn], chosen: Sequence[EditCondition]
) -> dict[str, list[tuple[str, Layout]]]:
    """The first pictures, with the box in the one that is edited."""
    names = ["before", *(one.name for one in chosen), "target"]
    found: dict[str, list[tuple[str, Layout]]] = {name: [] for name in names}
    for record, one in zip(records, drawn, strict=True):
        for name in names if "png" in record["before"] else ():
            boxes = targets([drawn_box(one)]) if name == "before" else ()
            found[name].append((record[name]["png"], Layout(one.prompt, boxes)))
    return found


def as_text(report: Report) -> str:
    """The table of conditions, and what else was measured, a line each."""
    lines = [
        f"{report['generator']} guided by {report['clip']}: {report['edits']} edits of {report['data']} "
        f"({report['split']})",
        *(f"  {name:12} {sentence}" for name, sentence in report["conditions"].items()),
        "success: what is wanted is there, and what was to go is gone. kept: of the other things, those that are found "
        "as they were. outside: mean difference of the pixels outside the box, of 255.",
        f"Fréchet: from the wanted pictures, {report['dimensions']}-d; of the pictures before the edit "
        f"{plain(report['frechet_of_pictures_before'], '.3g')}. cosine, words: by {report['clip']}, which guided.",
        f"{'condition':12}" + "".join(f"{head:>{width(form)}}" for head, form in _COLUMNS.values()),
    ]
    for row in report["rows"]:
        numbers = "".join(cell(row[name], form) for name, (_, form) in _COLUMNS.items())
        lines.append(f"{row['condition']:12}{numbers}")
    for row in report["by_change"]:
        told = f"success {ranged(row, 'success', '.2f')}, kept {ranged(row, 'kept', '.2f')}"
        lines.append(f"  {row['condition']:12} {row['change']:9} {told}")
    for one in report["against"]:
        told = ", ".join(f"{name} {ranged(one[name], 'difference', '+.3f')}" for name in METRICS)
        lines.append(f"{one['condition']} - {one['against']}: {told}")
    for gate in report["gates"]:
        met = {True: "met", False: "MISSED", None: "cannot be told"}[gate["met"]]
        lines.append(f"Gate: {gate['gate']}: {plain(gate['value'], '.2f')} ({gate['allowed']}): {met}")
    return "\n".join(lines)
