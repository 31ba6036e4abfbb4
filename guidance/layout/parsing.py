"""Boxes as people and pages write them: read, checked, and written. The door to what is to be where.

Everything that cannot be used is a ValueError that names the value and what is allowed; what was put right is said in
notes, sentences that are returned beside the result.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from os import PathLike

from PIL import Image

from guidance.checks import listed, number, shown
from guidance.layout import masks
from guidance.layout.places import (
    EDGES,
    FRACTIONS,
    MAX_BOXES,
    MAX_PHRASE,
    Box,
    Layout,
    Region,
    Target,
    check_count,
    check_order,
    checked_phrase,
    targets,
)

__all__ = [
    "MAX_BOXES",
    "MAX_PHRASE",
    "Box",
    "Layout",
    "Region",
    "Target",
    "as_json",
    "clipped",
    "grid_notes",
    "parse_box",
    "parse_boxes",
    "read_region",
    "targets",
]
MAX_JSON = 100_000  # characters
_KEYS = ("phrase", *EDGES)


def clipped(phrase: str, left: float, top: float, right: float, bottom: float) -> tuple[Box, tuple[str, ...]]:
    """A box that may reach out of the picture, cut at its border, and notes that say so."""
    phrase = checked_phrase(phrase)
    given = tuple(number(name, value) for name, value in zip(EDGES, (left, top, right, bottom), strict=True))
    if max(map(abs, given)) > 2:
        raise ValueError(
            f"the box of {phrase!r} is {listed(given)}, which looks like pixels; allowed: {FRACTIONS}"
        )
    check_order(phrase, given)
    if given[0] >= 1 or given[1] >= 1 or given[2] <= 0 or given[3] <= 0:
        raise ValueError(
            f"the box of {phrase!r}, {listed(given)}, lies outside the picture; allowed: {FRACTIONS}"
        )
    box = Box(phrase, *(min(max(value, 0.0), 1.0) for value in given))
    if box.edges == given:
        return box, ()
    return box, (f"the box of {phrase!r} was cut at the picture's border: it is {listed(box.edges)}",)


def parse_box(text: str) -> tuple[Box, tuple[str, ...]]:
    """A box written as "red ball: 0.1, 0.1, 0.45, 0.5" (left, top, right, bottom), and notes.

    What stands before the last colon is the phrase.
    """
    if not isinstance(text, str):
        raise ValueError(f"a box is {shown(text)}; allowed: text like 'red ball: 0.1, 0.1, 0.45, 0.5'")
    phrase, _, rest = text[:MAX_JSON].rpartition(":")
    pieces = [piece.strip() for piece in rest.split(",")]
    if not phrase.strip() or len(pieces) != 4:
        raise ValueError(f"a box is {shown(text)}; allowed: 'phrase: left, top, right, bottom'")
    return clipped(phrase, *(_written(name, piece) for name, piece in zip(EDGES, pieces, strict=True)))


def parse_boxes(source: str | Sequence[Mapping[str, object]]) -> tuple[tuple[Box, ...], tuple[str, ...]]:
    """Boxes from JSON or from a list of mappings with the keys phrase, left, top, right, bottom, and notes."""
    if isinstance(source, str):
        source = _json(source)
    if isinstance(source, (bytes, Mapping)) or not isinstance(source, Sequence):
        raise ValueError(f"the boxes are {shown(source)}; allowed: a list of boxes")
    check_count(len(source))
    boxes: list[Box] = []
    notes: list[str] = []
    for place, item in enumerate(source, start=1):
        try:
            if not isinstance(item, Mapping):
                raise ValueError(f"it is {shown(item)}; allowed: an object with {', '.join(_KEYS)}")
            wrong = [key for key in _KEYS if key not in item] or [key for key in item if key not in _KEYS]
            if wrong:
                what = "unknown" if wrong[0] in item else "missing"
                raise ValueError(f"{shown(wrong[0])} is {what}; allowed: {', '.join(_KEYS)}")
            box, said = clipped(*(item[key] for key in _KEYS))  # type: ignore[arg-type]  # checked there
        except ValueError as error:
            raise ValueError(f"box {place}: {error}") from error
        boxes.append(box)
        notes += said
    return tuple(boxes), tuple(notes)


def as_json(boxes: Iterable[Box]) -> str:
    """Returns boxes as the JSON that `parse_boxes` reads."""
    return json.dumps([asdict(box) for box in boxes], ensure_ascii=False)


def read_region(phrase: str, source: str | PathLike | bytes | Image.Image) -> Region:
    """A region from a picture of any size: white is inside; black, and what is transparent, outside."""
    return Region(phrase, masks.read_mask(source))


def grid_notes(boxes: Iterable[Box], grid: tuple[int, int]) -> tuple[str, ...]:
    """Which boxes are too small for a grid (rows, columns) of patches: a map has no more than its patches."""
    notes = []
    for box in boxes:
        rows, columns = (box.bottom - box.top) * grid[0], (box.right - box.left) * grid[1]
        if min(rows, columns) < 2 - 1e-9:
            least = "one patch" if min(rows, columns) < 1 - 1e-9 else "2 × 2 patches"
            size = f"the model's {grid[0]} × {grid[1]} grid"
            notes.append(
                f"the box of {box.phrase!r} is smaller than {least} of {size}: it is seen only roughly"
            )
    return tuple(notes)


def _json(text: str) -> object:
    if len(text) > MAX_JSON:
        raise ValueError(f"the boxes are {len(text)} characters of JSON; allowed: up to {MAX_JSON}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, json.JSONDecodeError) else "numbers or lists without end"
        raise ValueError(
            f"the boxes are no JSON ({reason}); allowed: a list of objects with {', '.join(_KEYS)}"
        ) from error


def _written(name: str, piece: str) -> float:
    try:
        return number(name, float(piece.replace("_", "?")))
    except ValueError:
        raise ValueError(f"{name} is {shown(piece)}; allowed: a number, from 0 to 1") from None
