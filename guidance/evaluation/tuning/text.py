"""The report as people read it."""

from __future__ import annotations

from typing import Any

from guidance.evaluation.tuning.report import shown

_RIVALS = {
    "zero_shot": "zero-shot, one prompt",
    "templates_80": "zero-shot, 80 templates",
    "linear_probe": "linear probe",
    "tip_adapter": "Tip-Adapter",
}


def as_text(report: dict[str, Any]) -> str:
    """Tables of every task: accuracy by way and set, relevance of names, other ways to tune, phrasings."""
    lines = [f"{report['model']}, {report['seeds']} seeds; mean over seeds (95 % interval)"]
    for task, found in report["tasks"].items():
        lines += ["", f"{task}: {len(found['classes'])} classes, lambda {found['lambda']:g}", *_task(found)]
    return "\n".join(lines)


def _task(found: dict[str, Any]) -> list[str]:
    sets = list(found["paper_a"]["accuracy"]["coop"])
    rows = [["", *sets]]
    for name, title in _RIVALS.items():
        rows.append([title, *(shown(found["rivals"][name][key]) for key in sets)])
    for what, title in (("accuracy", "accuracy"), ("relevance", "name's share")):
        part = found["paper_a"][what]
        rows.append([f"CoOp, {title}", *(shown(part["coop"][key]) for key in sets)])
        rows.append([f"paper A, {title}", *(shown(part["ours"][key]) for key in sets)])
        rows.append(["  paired", *(shown(part["paired"][key], "difference", True) for key in sets)])
    for name, other in (found["by_lambda"] | found["others"]).items():
        gains = other["accuracy"]["paired"]
        title = f"  lambda {name}" if name in found["by_lambda"] else f"  {name}"
        rows.append([f"{title}, paired", *(shown(gains[key], "difference", True) for key in sets)])
    for way, spread in found["phrasings"].get("spread", {}).items():
        rows.append([f"phrasings, {way}", *(_spread(spread[key]) for key in sets)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _spread(found: dict[str, float]) -> str:
    return f"{found['mean']:.2f} ± {found['deviation']:.3f} ({found['least']:.2f} to {found['most']:.2f})"
