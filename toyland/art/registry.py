"""Kinds of thing by name: a frozen record each, filed by a decorator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from toyland.art.pen import Pen

CATEGORIES = ("animal", "vehicle", "food", "building", "plant", "shape")


@dataclass(frozen=True)
class Kind:
    """A kind of thing: its noun, its category, and the function that draws it with a pen."""

    name: str
    category: str
    draw: Callable[[Pen], None]


KINDS: dict[str, Kind] = {}


def kind(category: str) -> Callable[[Callable[[Pen], None]], Callable[[Pen], None]]:
    """File a drawing function in KINDS under its own name."""
    if category not in CATEGORIES:
        raise ValueError(f"unknown category {category!r}; choose from {', '.join(CATEGORIES)}")

    def file(draw: Callable[[Pen], None]) -> Callable[[Pen], None]:
        KINDS[draw.__name__] = Kind(draw.__name__, category, draw)
        return draw

    return file
