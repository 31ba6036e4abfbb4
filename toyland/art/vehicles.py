"""Vehicles: car, boat, plane, train."""

from __future__ import annotations

from toyland.art.pen import Pen, box, ellipse, mirrored, smooth, tube, turned
from toyland.art.registry import kind


def _wheel(pen: Pen, x: float, y: float, r: float) -> None:
    pen.part(ellipse(x, y, r), fill="dark")
    pen.mark(ellipse(x, y, r * 0.45), fill="white")


@kind("vehicle")
def car(pen: Pen) -> None:
    """From the side: a rounded cabin over a long body, two wheels."""
    roof = [(0.2, 0.48), (0.26, 0.2), (0.4, 0.12), (0.6, 0.13), (0.73, 0.24), (0.82, 0.48), (0.5, 0.52)]
    pen.part(smooth(roof), box(0.0, 0.4, 1.0, 0.8, 0.14))
    pen.mark([(0.3, 0.41), (0.34, 0.24), (0.47, 0.21), (0.47, 0.41)], fill="glass")
    pen.mark([(0.54, 0.41), (0.54, 0.21), (0.63, 0.24), (0.72, 0.41)], fill="glass")
    pen.mark(box(0.05, 0.69, 0.95, 0.74), fill="shade")
    pen.mark(ellipse(0.93, 0.55, 0.04, 0.05), fill="white")
    pen.line([(0.55, 0.5), (0.62, 0.5)], 0.028)
    _wheel(pen, 0.24, 0.8, 0.115)
    _wheel(pen, 0.76, 0.8, 0.115)


@kind("vehicle")
def boat(pen: Pen) -> None:
    """A sailing boat: a round hull, a mast, one large and one small sail."""
    pen.part(tube([(0.45, 0.02), (0.45, 0.7)], 0.015), fill="dark")
    leech = smooth([(0.5, 0.02), (0.72, 0.16), (0.88, 0.36), (0.96, 0.6)], closed=False)
    pen.part([*leech, (0.5, 0.6)])
    pen.part([(0.4, 0.12), (0.4, 0.6), (0.06, 0.6)], fill="white")
    pen.part(
        [
            (0.0, 0.66),
            *smooth(
                [(1.0, 0.66), (0.93, 0.84), (0.78, 0.96), (0.22, 0.96), (0.07, 0.84), (0.0, 0.66)], False
            ),
        ]
    )
    pen.mark(box(0.06, 0.74, 0.94, 0.775), fill="spot")


@kind("vehicle")
def plane(pen: Pen) -> None:
    """From above, flying to the upper right: swept wings and a small tail."""
    wing = [(0.45, 0.36), (-0.02, 0.6), (-0.02, 0.74), (0.45, 0.6)]
    fin = [(0.46, 0.84), (0.26, 0.95), (0.26, 1.04), (0.46, 0.98)]
    body = smooth(
        [
            (0.5, -0.02),
            (0.59, 0.12),
            (0.6, 0.5),
            (0.55, 0.98),
            (0.5, 1.04),
            (0.45, 0.98),
            (0.4, 0.5),
            (0.41, 0.12),
        ]
    )
    for shape in (wing, mirrored(wing), fin, mirrored(fin)):
        pen.part(turned(shape, 45))
    pen.part(turned(body, 45))
    pen.mark(turned(smooth([(0.44, 0.17), (0.5, 0.07), (0.56, 0.17), (0.5, 0.2)]), 45), fill="glass")
    for y in (0.32, 0.46, 0.6):
        pen.mark(turned(ellipse(0.5, y, 0.035), 45), fill="glass")
    stripe = [(0.08, 0.55), (0.08, 0.71), (0.15, 0.69), (0.15, 0.515)]
    pen.mark(turned(stripe, 45), turned(mirrored(stripe), 45), fill="shade")


@kind("vehicle")
def train(pen: Pen) -> None:
    """A steam engine driving to the right: a tall cab, a boiler, a funnel, three wheels."""
    pen.part([(0.68, 0.42), (0.7, 0.24), (0.64, 0.12), (0.9, 0.12), (0.84, 0.24), (0.86, 0.42)])
    pen.part([(0.88, 0.72), (1.02, 0.94), (0.86, 0.94)], fill="dark")
    pen.part(box(0.3, 0.36, 0.95, 0.82, 0.1))
    pen.part(box(0.44, 0.28, 0.58, 0.38, 0.04))
    pen.part(box(0.05, 0.14, 0.42, 0.82))
    pen.part(box(0.0, 0.05, 0.48, 0.16, 0.03), fill="shade")
    pen.mark(box(0.14, 0.24, 0.33, 0.43), fill="glass")
    pen.mark(box(0.5, 0.38, 0.55, 0.7), box(0.74, 0.38, 0.79, 0.7), fill="shade")
    _wheel(pen, 0.22, 0.84, 0.125)
    _wheel(pen, 0.55, 0.87, 0.09)
    _wheel(pen, 0.8, 0.87, 0.09)
