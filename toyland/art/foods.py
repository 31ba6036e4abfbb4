"""Food: apple, banana, cupcake, mushroom."""

from __future__ import annotations

from toyland.art.pen import Pen, arc, box, ellipse, mirrored, smooth, tube
from toyland.art.registry import kind


@kind("food")
def apple(pen: Pen) -> None:
    """Two round shoulders, a stalk and a leaf."""
    pen.part(tube(smooth([(0.5, 0.32), (0.5, 0.14), (0.43, 0.03)], closed=False), 0.06), fill="bark")
    pen.part(smooth([(0.53, 0.18), (0.62, 0.03), (0.86, 0.02), (0.78, 0.17)]), fill="leaf")
    pen.part(
        smooth(
            [
                (0.5, 0.3),
                (0.68, 0.22),
                (0.88, 0.3),
                (0.94, 0.54),
                (0.84, 0.82),
                (0.66, 0.98),
                (0.5, 0.94),
                (0.34, 0.98),
                (0.16, 0.82),
                (0.06, 0.54),
                (0.12, 0.3),
                (0.32, 0.22),
            ]
        )
    )
    pen.mark(ellipse(0.26, 0.46, 0.07, 0.12, 20), fill="tint")
    pen.mark(tube(arc(0.5, 0.28, 0.12, 0.06, 20, 160), 0.025), fill="dark")


@kind("food")
def banana(pen: Pen) -> None:
    """A fat crescent with a stalk at the top and a dark tip."""
    pen.part([(0.8, 0.06), (0.92, 0.03), (0.95, 0.22), (0.82, 0.24)], fill="bark")
    pen.part(
        smooth(
            [
                (0.8, 0.18),
                (0.95, 0.18),
                (0.99, 0.46),
                (0.84, 0.76),
                (0.54, 0.92),
                (0.2, 0.9),
                (0.03, 0.8),
                (0.05, 0.71),
                (0.28, 0.69),
                (0.55, 0.58),
                (0.74, 0.38),
            ]
        )
    )
    pen.mark(
        tube(smooth([(0.88, 0.28), (0.84, 0.5), (0.66, 0.7), (0.4, 0.8), (0.18, 0.81)], closed=False), 0.03),
        fill="shade",
    )
    pen.mark(smooth([(0.03, 0.8), (0.06, 0.715), (0.12, 0.715), (0.1, 0.855)]), fill="dark")


@kind("food")
def cupcake(pen: Pen) -> None:
    """Three heaps of cream in a pleated paper cup, a berry on top."""
    pen.part([(0.14, 0.58), (0.86, 0.58), (0.74, 0.98), (0.26, 0.98)], fill="shade")
    for top, foot in ((0.26, 0.33), (0.42, 0.445), (0.58, 0.555), (0.74, 0.67)):
        pen.line([(top, 0.62), (foot, 0.96)], 0.035, fill="white")
    pen.part(
        box(0.02, 0.41, 0.98, 0.64, 0.11), box(0.14, 0.25, 0.86, 0.45, 0.1), box(0.28, 0.11, 0.72, 0.29, 0.09)
    )
    pen.line([(0.18, 0.43), (0.82, 0.43)], 0.03, fill="shade")
    pen.line([(0.33, 0.27), (0.67, 0.27)], 0.03, fill="shade")
    for x, y in ((0.28, 0.35), (0.6, 0.36), (0.2, 0.53), (0.48, 0.54), (0.78, 0.52)):
        pen.mark(ellipse(x, y, 0.035), fill="spot")
    pen.part(ellipse(0.5, 0.08, 0.08), fill="dark")
    pen.mark(ellipse(0.47, 0.06, 0.025), fill="white")


@kind("food")
def mushroom(pen: Pen) -> None:
    """A wide cap with white spots on a short pale stalk."""
    pen.part(
        smooth([(0.38, 0.5), (0.62, 0.5), (0.63, 0.76), (0.68, 0.95), (0.32, 0.95), (0.37, 0.76)]),
        fill="cream",
    )
    pen.part(
        arc(0.5, 0.58, 0.5, 0.54, 180, 360)
        + smooth([(1.0, 0.58), (0.9, 0.66), (0.5, 0.68), (0.1, 0.66), (0.0, 0.58)], False)
    )
    spot = ellipse(0.2, 0.45, 0.075, 0.085, 20)
    pen.mark(
        spot, mirrored(spot), ellipse(0.5, 0.28, 0.12, 0.1), ellipse(0.5, 0.56, 0.075, 0.06), fill="spot"
    )
