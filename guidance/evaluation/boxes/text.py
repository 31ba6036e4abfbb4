"""A report of layouts as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from explain.evaluation.text import cell, plain, ranged, width
from guidance.evaluation.boxes.report import Report
from guidance.evaluation.boxes.tables import UNGUIDED

_COLUMNS = {
    "f1_50": ("F1", "8.2f"),
    "f1_30": ("F1 .3", "8.2f"),
    "precision_50": ("prec.", "8.2f"),
    "recall_50": ("recall", "8.2f"),
    "centre": ("centre", "8.2f"),
    "inside": ("inside", "8.2f"),
    "present": ("present", "9.2f"),
    "pointing": ("pointing", "10.2f"),
    "similarity": ("cosine", "8.3f"),
    "frechet": ("Fréchet", "10.3g"),
    "seconds_per_picture": ("s", "8.2f"),
}


def as_text(report: Report) -> str:
    """The table of conditions, in their order, and what else was measured, a line each."""
    lines = [*_head(report), f"{'condition':14}" + "".join(f"{h:>{width(f)}}" for h, f in _COLUMNS.values())]
    for row in report["rows"]:
        lines.append(f"{row['condition']:14}" + "".join(cell(row[n], f) for n, (_, f) in _COLUMNS.items()))
    for part in (_columns, _against, _pairs, _by_things, _by_size, _mirrored, _guiding, _gates, _left_out):
        lines += part(report)
    return "\n".join(lines)


def _head(report: Report) -> Iterator[str]:
    steps, whole = report["sampling"]["steps"], report.get("preset_steps")
    said = f"{steps} steps" + (f" (the preset has {whole})" if whole not in (None, steps) else "")
    yield (
        f"{report['generator']} guided by {report['clip']}, preset {report['preset']}, {said}: "
        f"{report['layouts']} layouts × {report['seeds']} seeds of {report['data']} ({report['split']})"
    )
    for name, condition in report["conditions"].items():
        yield f"  {name:14} {condition['sentence']}"


def _columns(report: Report) -> Iterator[str]:
    yield (
        "F1, precision, recall: a thing of the right kind and colour with an IoU of 0.5 (0.3) or more. centre, inside: "
        "middle and share of the thing in its box; a thing that is nowhere is not."
    )
    yield (
        f"cosine, pointing: {report['witness']}, which did not guide, by {report['witness_map']}. Fréchet: "
        f"{report['dimensions']}-d; of real pictures of other layouts "
        f"{plain(report['frechet_of_other_layouts'], '.3g')}."
    )


def _against(report: Report) -> Iterator[str]:
    """Every condition against the unguided one."""
    found = [one for one in report["against"] if one["against"] == UNGUIDED]
    if found:
        yield "Against unguided (95 %, paired, layouts resampled):"
    rows = {row["condition"]: row for row in report["rows"]}
    for one in found:
        frechet = ranged(rows[one["condition"]], "frechet_ratio", ".2f")
        yield f"  {one['condition']:14} F1 × {ranged(one['ratios']['f1_50'], 'ratio', '.2f')}, {_changes(one)}"
        yield f"  {'':14} Fréchet × {frechet}"


def _pairs(report: Report) -> Iterator[str]:
    for one in report["against"]:
        if one["against"] != UNGUIDED:
            yield f"{one['condition']} - {one['against']}: {_changes(one)}"


def _changes(one: dict[str, Any]) -> str:
    found = one["differences"]
    return ", ".join(
        f"{head} {ranged(found[name], 'difference', '+.2f')}"
        for name, head in (
            ("f1_50", "F1"),
            ("centre", "centre"),
            ("inside", "inside"),
            ("pointing", "pointing"),
        )
    )


def _by_things(report: Report) -> Iterator[str]:
    rows, sizes = report["by_things"], sorted({row["boxes"] for row in report["by_things"]})
    yield f"By the number of boxes ({' / '.join(map(str, sizes))}): F1, centre in box, kind and colour right anywhere"
    for name in dict.fromkeys(row["condition"] for row in rows):
        mine = [row for row in rows if row["condition"] == name]
        told = (" / ".join(plain(row[x], ".2f") for row in mine) for x in ("f1_50", "centre", "present"))
        yield f"  {name:14} {',  '.join(told)}"


def _by_size(report: Report) -> Iterator[str]:
    sizes = {"small": "smaller than", "large": "of at least"}
    if not any(row["boxes"] == "small" for row in report["by_size"]):
        return  # nothing to tell apart
    grid = "×".join(map(str, report["grid"]))
    for size, words in sizes.items():
        yield f"Boxes {words} 2×2 patches of the {grid} grid: recall at IoU 0.5, centre in box"
        for row in report["by_size"]:
            if row["boxes"] == size:
                told = ", ".join(ranged(row, name, ".2f") for name in ("recall_50", "centre"))
                yield f"  {row['condition']:14} {row['things']} things: {told}"


def _mirrored(report: Report) -> Iterator[str]:
    found = report.get("mirrored")
    if found:
        yield (
            f"Mirrored boxes: {ranged(found, 'changed', '.2f')} of {found['cases']} things change sides, "
            f"{ranged(found, 'changed_present', '.2f')} of the {found['both']} that are in both pictures; "
            f"{ranged(found, 'followed', '.2f')} are on their box's side in both"
        )


def _guiding(report: Report) -> Iterator[str]:
    yield f"What {report['clip']} says, which guided and so is no evidence: cosine, D, share of its map inside"
    for row in report["guiding_clip"]:
        cosine, *shares = (row[name] for name in ("own_similarity", "own_inside", "own_share"))
        yield f"  {row['condition']:14} {plain(cosine, '.3f')}, " + ", ".join(plain(x, ".2f") for x in shares)


def _gates(report: Report) -> Iterator[str]:
    for gate in report["gates"]:
        met = {True: "met", False: "MISSED", None: "cannot be told"}[gate["met"]]
        yield f"Gate: {gate['gate']}: {plain(gate['value'], '.2f')} ({gate['allowed']}): {met}"


def _left_out(report: Report) -> Iterator[str]:
    for text in report["left_out"]:
        yield f"Left out: {text}"
