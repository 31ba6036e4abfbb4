"""Numbers of a report as text: None is a dash, whatever the number would have looked like."""

from __future__ import annotations

from collections.abc import Mapping


def width(form: str) -> int:
    """Of a column whose numbers have this form, such as "9.1f"."""
    return int(float(form.rstrip("fg")))


def cell(value: float | None, form: str) -> str:
    """A number in its column."""
    return f"{'-':>{width(form)}}" if value is None else f"{value:{form}}"


def plain(value: float | None, form: str) -> str:
    """A number in a sentence."""
    return "-" if value is None else f"{value:{form}}"


def ranged(row: Mapping[str, float | None], name: str, form: str) -> str:
    """A number with its interval, from `name`, `name_low` and `name_high`."""
    if row[name] is None:
        return "-"
    low, high = (plain(row[f"{name}_{end}"], form) for end in ("low", "high"))
    return f"{row[name]:{form}} ({low} to {high})"
