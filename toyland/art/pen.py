"""The pen: closed outlines in unit coordinates (x right, y down), recorded once and painted at any size.

A drawing is a list of groups. The outlines of a group are stroked dark before any of them is filled, so
that overlapping shapes of one group melt into one body. Painting is antialiased by supersampling.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

Point = tuple[float, float]
Shape = list[Point]
Colour = tuple[int, int, int]

DARK: Colour = (38, 30, 48)
SPAN = 0.96  # share of the square that the longest side of a thing takes, outline included


def ellipse(x: float, y: float, rx: float, ry: float | None = None, tilt: float = 0.0) -> Shape:
    """An ellipse about (x, y), turned clockwise by `tilt` degrees."""
    ry = rx if ry is None else ry
    ring = [(x + rx * math.cos(t), y + ry * math.sin(t)) for t in _angles(0, 360, 48)[:-1]]
    return turned(ring, tilt, (x, y)) if tilt else ring


def arc(x: float, y: float, rx: float, ry: float, start: float, stop: float) -> Shape:
    """Points along an ellipse from `start` to `stop` degrees; 0 is right, 90 is down."""
    return [(x + rx * math.cos(t), y + ry * math.sin(t)) for t in _angles(start, stop, 24)]


def box(left: float, top: float, right: float, bottom: float, round_by: float = 0.0) -> Shape:
    """A rectangle, with corners rounded by `round_by`."""
    if not round_by:
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    r = round_by
    corners = [(right - r, bottom - r, 0), (left + r, bottom - r, 90)]
    corners += [(left + r, top + r, 180), (right - r, top + r, 270)]
    return [p for x, y, start in corners for p in arc(x, y, r, r, start, start + 90)[::4]]


def smooth(points: Sequence[Point], closed: bool = True, steps: int = 12) -> Shape:
    """A Catmull-Rom curve through the points."""
    n = len(points)
    pick = (lambda i: points[i % n]) if closed else (lambda i: points[min(max(i, 0), n - 1)])
    curve: Shape = []
    for i in range(n if closed else n - 1):
        a, b, c, d = (pick(i + k) for k in (-1, 0, 1, 2))
        for t in (k / steps for k in range(steps)):
            curve.append((_spline(a[0], b[0], c[0], d[0], t), _spline(a[1], b[1], c[1], d[1], t)))
    return curve if closed else [*curve, points[-1]]


def tube(path: Sequence[Point], width: float) -> Shape:
    """The outline of a thick line along the path, with round ends."""
    r, left, right = width / 2, [], []
    for i, (x, y) in enumerate(path):
        (ax, ay), (bx, by) = path[max(i - 1, 0)], path[min(i + 1, len(path) - 1)]
        length = math.hypot(bx - ax, by - ay) or 1.0
        nx, ny = -(by - ay) / length * r, (bx - ax) / length * r
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    return left + _cap(path[-1], left[-1], r) + right[::-1] + _cap(path[0], right[0], r)


def turned(shape: Iterable[Point], degrees: float, about: Point = (0.5, 0.5)) -> Shape:
    """The shape turned clockwise about a point."""
    c, s, (ox, oy) = math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), about
    return [(ox + (x - ox) * c - (y - oy) * s, oy + (x - ox) * s + (y - oy) * c) for x, y in shape]


def mirrored(shape: Iterable[Point], x: float = 0.5) -> Shape:
    """The shape reflected left to right about the vertical at `x`."""
    return [(2 * x - px, py) for px, py in shape]


@dataclass
class Pen:
    """Records groups of shapes as (manner, fill role, shapes); `paint` turns them into pixels."""

    groups: list[tuple[str, str, tuple[Shape, ...]]] = field(default_factory=list)

    def part(self, *shapes: Shape, fill: str = "body") -> None:
        """Shapes with one common dark outline."""
        self.groups.append(("part", fill, shapes))

    def mark(self, *shapes: Shape, fill: str = "dark") -> None:
        """Shapes without an outline; keep them inside a part."""
        self.groups.append(("mark", fill, shapes))

    def hole(self, *shapes: Shape) -> None:
        """Openings through which the place is seen."""
        self.groups.append(("hole", "dark", shapes))

    def line(self, path: Sequence[Point], width: float, fill: str = "dark") -> None:
        """A thick line without an outline, inside a part."""
        self.mark(tube(path, width), fill=fill)

    def eye(self, x: float, y: float, r: float) -> None:
        """A dark eye with a white glint."""
        self.mark(ellipse(x, y, r, r * 1.15))
        self.mark(ellipse(x + r * 0.3, y - r * 0.4, r * 0.38), fill="white")

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of every part, without the outline."""
        points = [p for manner, _, shapes in self.groups if manner == "part" for s in shapes for p in s]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return min(xs), min(ys), max(xs), max(ys)


def paint(
    pen: Pen, bounds: tuple[float, float, float, float], palette: dict[str, Colour], pixels: int
) -> Image.Image:
    """Paint the groups, centred, as (pixels, pixels) RGBA; alpha is the silhouette, outline included."""
    factor = 4 if pixels >= 48 else 8
    rim = max(0.022 * pixels, 0.8) * factor
    side = pixels * factor
    left, top, right, bottom = bounds
    scale = (SPAN * side - 2 * rim) / max(right - left, bottom - top)
    dx, dy = (side - scale * (left + right) - 1) / 2, (side - scale * (top + bottom) - 1) / 2
    picture = Image.new("RGBA", (side, side), (*DARK, 0))
    draw = ImageDraw.Draw(picture)
    for manner, fill, shapes in pen.groups:
        placed = [[(x * scale + dx, y * scale + dy) for x, y in shape] for shape in shapes]
        if manner == "part":
            for shape in placed:
                _stroke(draw, shape, rim)
        for shape in placed:
            draw.polygon(shape, fill=(*DARK, 0) if manner == "hole" else (*palette[fill], 255))
            if manner == "hole":
                _stroke(draw, shape, rim / 2)
    return picture.reduce(factor)


def _stroke(draw: ImageDraw.ImageDraw, shape: Shape, reach: float) -> None:
    """A dark line along the closed shape that reaches `reach` pixels to either side."""
    width = max(round(2 * reach), 1)
    draw.line([*shape, shape[0], shape[1]], fill=(*DARK, 255), width=width, joint="curve")


def _angles(start: float, stop: float, steps: int) -> list[float]:
    return [math.radians(start + (stop - start) * i / steps) for i in range(steps + 1)]


def _cap(centre: Point, start: Point, r: float) -> Shape:
    """A half circle about `centre` from `start`, against the clock: the round end of a tube."""
    first = math.degrees(math.atan2(start[1] - centre[1], start[0] - centre[0]))
    return arc(*centre, r, r, first, first - 180)[2:-1:3]


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
