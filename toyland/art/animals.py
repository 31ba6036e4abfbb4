"""Animals: cat, rabbit, fish, bird."""

from __future__ import annotations

from toyland.art.pen import Pen, arc, ellipse, mirrored, smooth, tube
from toyland.art.registry import kind


@kind("animal")
def cat(pen: Pen) -> None:
    """Sitting, seen from the front: pointed ears, whiskers, the tail up at the side."""
    tail = smooth(
        [(0.56, 0.9), (0.76, 0.93), (0.88, 0.85), (0.89, 0.7), (0.85, 0.57), (0.94, 0.46)], closed=False
    )
    pen.part(tube(tail, 0.11))
    pen.part(
        smooth(
            [(0.42, 0.5), (0.6, 0.58), (0.68, 0.84), (0.62, 0.97), (0.22, 0.97), (0.16, 0.84), (0.24, 0.58)]
        )
    )
    pen.line([(0.42, 0.8), (0.42, 0.96)], 0.02)
    ear = [(0.12, 0.34), (0.1, 0.02), (0.38, 0.16)]
    pen.part(ear, mirrored(ear, 0.42), ellipse(0.42, 0.36, 0.34, 0.26))
    inner = [(0.17, 0.2), (0.16, 0.1), (0.26, 0.15)]
    pen.mark(inner, mirrored(inner, 0.42), fill="shade")
    pen.eye(0.28, 0.33, 0.055)
    pen.eye(0.56, 0.33, 0.055)
    pen.mark(ellipse(0.42, 0.49, 0.11, 0.07), fill="white")
    pen.mark([(0.37, 0.43), (0.47, 0.43), (0.42, 0.49)])
    for y in (0.42, 0.49):
        whisker = [(0.12, y + 0.02), (0.25, y + 0.01)]
        pen.line(whisker, 0.018)
        pen.line(mirrored(whisker, 0.42), 0.018)


@kind("animal")
def rabbit(pen: Pen) -> None:
    """Sitting, seen from the front: two long ears and big front teeth."""
    ear = ellipse(0.29, 0.24, 0.11, 0.26, -14)
    foot = ellipse(0.33, 0.93, 0.16, 0.075)
    pen.part(ellipse(0.5, 0.82, 0.3, 0.17))
    pen.part(foot, mirrored(foot))
    pen.part(ear, mirrored(ear), ellipse(0.5, 0.58, 0.35, 0.235))
    inner = ellipse(0.285, 0.22, 0.05, 0.18, -14)
    pen.mark(inner, mirrored(inner), fill="shade")
    pen.eye(0.33, 0.55, 0.052)
    pen.eye(0.67, 0.55, 0.052)
    pen.mark(ellipse(0.5, 0.64, 0.045, 0.03))
    pen.mark([(0.45, 0.68), (0.55, 0.68), (0.55, 0.77), (0.45, 0.77)], fill="white")
    pen.line([(0.5, 0.66), (0.5, 0.77)], 0.016)


@kind("animal")
def fish(pen: Pen) -> None:
    """Swimming to the left: a round body and a wide forked tail."""
    tail = [(0.66, 0.5), (0.98, 0.2), (0.93, 0.5), (0.98, 0.8)]
    pen.part(smooth([(0.28, 0.3), (0.44, 0.1), (0.62, 0.16), (0.6, 0.34)]), fill="shade")
    pen.part(smooth([(0.36, 0.7), (0.44, 0.88), (0.58, 0.84), (0.54, 0.68)]), fill="shade")
    pen.part(
        tail,
        smooth(
            [
                (0.02, 0.52),
                (0.14, 0.32),
                (0.4, 0.22),
                (0.62, 0.34),
                (0.76, 0.5),
                (0.62, 0.68),
                (0.4, 0.79),
                (0.14, 0.71),
            ]
        ),
    )
    pen.mark(tube(arc(0.2, 0.5, 0.16, 0.22, -70, 70), 0.03), fill="shade")
    for x, y in ((0.47, 0.4), (0.47, 0.6), (0.58, 0.5)):
        pen.mark(tube(arc(x, y, 0.05, 0.07, -80, 80), 0.025), fill="shade")
    pen.mark(ellipse(0.18, 0.44, 0.085), fill="white")
    pen.mark(ellipse(0.17, 0.44, 0.05))
    pen.mark(tube(arc(0.04, 0.56, 0.07, 0.06, 10, 80), 0.022))


@kind("animal")
def bird(pen: Pen) -> None:
    """Perched and looking to the right: a beak, a wing, a tail held up, two thin legs."""
    for x in (0.42, 0.56):
        pen.part(tube([(x, 0.78), (x, 0.96), (x + 0.09, 0.97)], 0.025), fill="dark")
    pen.part([(0.84, 0.26), (1.0, 0.36), (0.84, 0.45)], fill="amber")
    pen.part(
        [(0.3, 0.58), (0.0, 0.26), (0.0, 0.46), (0.3, 0.76)],
        smooth(
            [
                (0.66, 0.1),
                (0.84, 0.18),
                (0.88, 0.38),
                (0.82, 0.62),
                (0.62, 0.82),
                (0.36, 0.82),
                (0.16, 0.66),
                (0.2, 0.52),
                (0.4, 0.44),
                (0.48, 0.2),
            ]
        ),
    )
    pen.part(smooth([(0.62, 0.5), (0.56, 0.7), (0.34, 0.7), (0.2, 0.56), (0.42, 0.48)]), fill="shade")
    pen.eye(0.7, 0.29, 0.055)
