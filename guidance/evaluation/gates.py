"""Gates of a report: what it should reach, beside what it reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Gate = dict[str, Any]


def gates(report: dict[str, Any]) -> list[Gate]:
    """Those that the report has the numbers for."""
    return list(_gates(report))


def _gates(report: dict[str, Any]) -> Iterator[Gate]:
    rows = {row["condition"]: row for row in report["rows"]}
    against = {(one["condition"], one["against"]): one for one in report["against"]}
    for row in report["by_things"]:
        if (row["condition"], row["boxes"]) == ("unguided", 1):
            yield least("single things, unguided: kind and colour right", row["present"], 0.5)
    for name, lowest in (("real", 0.9), ("reconstructed", 0.75)):
        if name in rows:
            yield least(f"F1 of {name} pictures", rows[name]["f1_50"], lowest)
    if "preset" in rows:
        yield least("centre in box, preset", rows["preset"]["centre"], 0.7)
    if ("preset", "unguided") in against:
        found = against["preset", "unguided"]["ratios"]["f1_50"]
        yield least("F1, preset / unguided", found["ratio"], 2.5)
        yield _above("F1, preset / unguided: lower end", found["ratio_low"], 1.0)
    if {"control", "unguided"} <= rows.keys():
        low, high = (rows["unguided"][f"f1_50_{end}"] for end in ("low", "high"))
        value = rows["control"]["f1_50"]
        met = None if None in (value, low) else low <= value <= high
        yield {
            "gate": "F1 of the control",
            "value": value,
            "allowed": f"unguided's, {low} to {high}",
            "met": met,
        }
    if "mirrored" in report:
        yield least("things that change sides with mirrored boxes", report["mirrored"]["changed"], 0.7)
    if ("paper_a", "whole") in against:
        low = against["paper_a", "whole"]["differences"]["centre"]["difference_low"]
        yield _above("centre in box, paper A - whole views: lower end", low, 0.0)


def least(gate: str, value: float | None, lowest: float) -> Gate:
    """One that a value meets from `lowest` on."""
    met = None if value is None else value >= lowest
    return {"gate": gate, "value": value, "allowed": f"at least {lowest}", "met": met}


def _above(gate: str, value: float | None, least: float) -> Gate:
    met = None if value is None else value > least
    return {"gate": gate, "value": value, "allowed": f"above {least}", "met": met}
