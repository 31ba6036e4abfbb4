"""Shapes: star, heart, ring, diamond."""

from __future__ import annotations

import math

from toyland.art.pen import Pen, arc, ellipse, smooth, tube
from toyland.art.registry import kind


@kind("shape")
def star(pen: Pen) -> None:
    """Five points, the first one up."""
    reach = (0.52, 0.23)
    angles = [math.radians(36 * i - 90) for i in range(10)]
    pen.part(
        [(0.5 + reach[i % 2] * math.cos(t), 0.52 + reach[i % 2] * math.sin(t)) for i, t in enumerate(angles)]
    )
    pen.line([(0.41, 0.43), (0.46, 0.3)], 0.05, fill="tint")


@kind("shape")
def heart(pen: Pen) -> None:
    """Two lobes above one point."""
    half = [
        (0.5, 0.24),
        (0.62, 0.1),
        (0.8, 0.07),
        (0.95, 0.18),
        (0.98, 0.38),
        (0.88, 0.6),
        (0.7, 0.8),
        (0.5, 0.97),
    ]
    right = smooth(half, closed=False)
    pen.part(right + [(1 - x, y) for x, y in right[::-1]])
    pen.mark(ellipse(0.22, 0.3, 0.07, 0.1, 35), fill="tint")


@kind("shape")
def ring(pen: Pen) -> None:
    """A thick ring; the place shows through its hole."""
    pen.part(ellipse(0.5, 0.5, 0.48))
    pen.mark(tube(arc(0.5, 0.5, 0.37, 0.37, 190, 250), 0.06), fill="tint")
    pen.hole(ellipse(0.5, 0.5, 0.22))


@kind("shape")
def diamond(pen: Pen) -> None:
    """A square on its corner, a little taller than wide."""
    pen.part([(0.5, 0.0), (0.93, 0.5), (0.5, 1.0), (0.07, 0.5)])
    pen.line([(0.25, 0.46), (0.43, 0.24)], 0.05, fill="tint")
