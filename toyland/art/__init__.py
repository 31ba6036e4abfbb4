"""The drawn things and places of Toyland: vectors, painted at any size.

    draw_thing("cat", "red", 64)      # RGBA, alpha is the silhouette
    draw_place("snow", 3, 256)        # RGB

The same arguments always give the same pixels, and another size gives the same picture.
"""

from __future__ import annotations

from functools import cache

from PIL import Image

from toyland.art import animals, buildings, foods, plants, shapes, vehicles  # noqa: F401  (they fill KINDS)
from toyland.art.palette import COLOURS, palette
from toyland.art.pen import Pen, paint
from toyland.art.places import PLACES, draw_place
from toyland.art.registry import CATEGORIES, KINDS, Kind

__all__ = ["CATEGORIES", "COLOURS", "KINDS", "PLACES", "Kind", "draw_place", "draw_thing"]


def draw_thing(kind: str, colour: str, pixels: int) -> Image.Image:
    """One thing as a (pixels, pixels) RGBA picture.

    It is centred and its longest side takes 96 % of the square. Alpha is the silhouette, outline included.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; choose from {', '.join(KINDS)}")
    if colour not in COLOURS:
        raise ValueError(f"unknown colour {colour!r}; choose from {', '.join(COLOURS)}")
    if pixels < 8:
        raise ValueError(f"pixels is {pixels}; at least 8 are needed to draw a thing")
    pen, bounds = _recorded(kind)
    return paint(pen, bounds, palette(colour), pixels)


@cache
def _recorded(kind: str) -> tuple[Pen, tuple[float, float, float, float]]:
    """The strokes of a kind and their bounds, drawn once."""
    pen = Pen()
    KINDS[kind].draw(pen)
    return pen, pen.bounds()
