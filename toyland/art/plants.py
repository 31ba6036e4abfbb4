"""Plants: tree, flower, cactus, leaf."""

from __future__ import annotations

import math

from toyland.art.pen import Pen, ellipse, mirrored, smooth, tube
from toyland.art.registry import kind


@kind("plant")
def tree(pen: Pen) -> None:
    """A fir: three tiers of branches over a short trunk."""
    pen.part([(0.43, 0.8), (0.57, 0.8), (0.57, 0.99), (0.43, 0.99)], fill="bark")
    for top, foot, half in ((0.46, 0.86, 0.42), (0.24, 0.62, 0.34), (0.0, 0.37, 0.25)):
        pen.part([(0.5, top), (0.5 + half, foot), (0.5, foot - 0.045), (0.5 - half, foot)])
    for x, y in ((0.42, 0.27), (0.58, 0.5), (0.36, 0.53), (0.28, 0.77), (0.5, 0.72), (0.7, 0.76)):
        pen.mark(ellipse(x, y, 0.025), fill="tint")


@kind("plant")
def flower(pen: Pen) -> None:
    """Six round petals about a dark middle, on a stem with two leaves."""
    pen.part(tube([(0.5, 0.5), (0.5, 0.96)], 0.06), fill="leaf")
    blade = smooth([(0.52, 0.94), (0.6, 0.8), (0.84, 0.76), (0.74, 0.93)])
    pen.part(blade, mirrored(blade), fill="leaf")
    around = [math.radians(60 * i + 30) for i in range(6)]
    pen.part(*(ellipse(0.5 + 0.25 * math.cos(t), 0.37 + 0.25 * math.sin(t), 0.17) for t in around))
    for t in around:
        x, y = math.cos(t + math.pi / 6), math.sin(t + math.pi / 6)
        pen.line([(0.5 + 0.1 * x, 0.37 + 0.1 * y), (0.5 + 0.3 * x, 0.37 + 0.3 * y)], 0.03, fill="shade")
    pen.part(ellipse(0.5, 0.37, 0.12), fill="bark")


@kind("plant")
def cactus(pen: Pen) -> None:
    """A column with an arm raised on either side, and pale thorns."""
    left = smooth([(0.5, 0.66), (0.24, 0.66), (0.15, 0.58), (0.14, 0.34)], closed=False)
    right = smooth([(0.5, 0.52), (0.76, 0.52), (0.85, 0.44), (0.86, 0.22)], closed=False)
    pen.part(tube(left, 0.17), tube(right, 0.17), tube([(0.5, 0.13), (0.5, 0.87)], 0.27))
    pen.part([(0.3, 0.86), (0.7, 0.86), (0.66, 1.0), (0.34, 1.0)], fill="bark")
    for x, y in (
        (0.44, 0.18),
        (0.56, 0.28),
        (0.44, 0.4),
        (0.56, 0.64),
        (0.44, 0.76),
        (0.14, 0.42),
        (0.86, 0.3),
    ):
        pen.line([(x, y), (x, y + 0.06)], 0.03, fill="spot")


@kind("plant")
def leaf(pen: Pen) -> None:
    """One pointed leaf with its veins, the stalk at the lower left."""
    pen.part(tube(smooth([(0.3, 0.72), (0.14, 0.86), (0.02, 0.98)], closed=False), 0.06), fill="bark")
    edge = [(0.4, 0.12), (0.62, 0.03), (0.97, 0.02)]
    lower = [(1 - y, 1 - x) for x, y in edge[::-1][1:]]
    pen.part(smooth([(0.2, 0.8), (0.16, 0.55), (0.22, 0.3), *edge, *lower, (0.7, 0.78), (0.45, 0.84)]))
    for t in (0.36, 0.52, 0.68):
        vein = [(t, 1 - t), (t + 0.05, 0.8 - t)]
        pen.line(vein, 0.028, fill="shade")
        pen.line([(1 - y, 1 - x) for x, y in vein], 0.028, fill="shade")
    pen.line([(0.22, 0.78), (0.86, 0.14)], 0.035, fill="dark")
