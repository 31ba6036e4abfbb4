"""Buildings: house, castle, tent, lighthouse."""

from __future__ import annotations

from toyland.art.pen import Pen, arc, box, ellipse, mirrored
from toyland.art.registry import kind


def _arch(x: float, top: float, foot: float, half: float) -> list[tuple[float, float]]:
    """A door with a round top."""
    return [*arc(x, top + half, half, half, 180, 360), (x + half, foot), (x - half, foot)]


@kind("building")
def house(pen: Pen) -> None:
    """A wide gable with a chimney, a door and two windows."""
    pen.part(box(0.7, 0.08, 0.84, 0.4), fill="shade")
    pen.part(box(0.12, 0.44, 0.88, 0.96))
    pen.part([(0.5, 0.02), (1.0, 0.48), (0.94, 0.53), (0.06, 0.53), (0.0, 0.48)], fill="shade")
    pen.mark(box(0.41, 0.64, 0.59, 0.96))
    window = box(0.19, 0.62, 0.34, 0.78)
    pen.mark(window, mirrored(window), ellipse(0.5, 0.34, 0.075), fill="glass")


@kind("building")
def castle(pen: Pen) -> None:
    """Two towers with battlements, a wall between them, a gate and a pennant."""
    pen.part(box(0.485, 0.02, 0.515, 0.5), fill="dark")
    pen.part([(0.515, 0.02), (0.72, 0.09), (0.515, 0.17)], fill="white")
    wall = [box(0.2, 0.46, 0.8, 0.98)] + [box(x, 0.37, x + 0.1, 0.5) for x in (0.34, 0.56)]
    tower = [box(0.02, 0.28, 0.32, 0.98)] + [box(x, 0.16, x + 0.1, 0.34) for x in (-0.02, 0.12, 0.26)]
    tower.append(box(-0.02, 0.26, 0.36, 0.36))
    pen.part(*wall)
    pen.part(*tower)
    pen.part(*(mirrored(shape) for shape in tower))
    slit = _arch(0.17, 0.46, 0.64, 0.045)
    pen.mark(slit, mirrored(slit), _arch(0.5, 0.62, 0.98, 0.125))


@kind("building")
def tent(pen: Pen) -> None:
    """A ridge tent from the front: a wide triangle with a dark way in."""
    pen.part(
        [(0.43, 0.1), (0.47, 0.08), (0.56, 0.24), (0.52, 0.26)],
        [(0.57, 0.1), (0.53, 0.08), (0.44, 0.24), (0.48, 0.26)],
        fill="bark",
    )
    pen.part([(0.5, 0.17), (1.02, 0.9), (-0.02, 0.9)])
    pen.mark(
        [(0.5, 0.2), (0.62, 0.37), (0.38, 0.37)],
        [(-0.02, 0.9), (0.055, 0.8), (0.945, 0.8), (1.02, 0.9)],
        fill="shade",
    )
    pen.mark([(0.5, 0.46), (0.64, 0.9), (0.36, 0.9)])
    flap = [(0.5, 0.46), (0.36, 0.9), (0.29, 0.9), (0.38, 0.73)]
    pen.mark(flap, mirrored(flap), fill="white")


@kind("building")
def lighthouse(pen: Pen) -> None:
    """A tall tower with a pale band, a gallery, a lamp and a pointed cap."""
    pen.part(box(0.37, 0.18, 0.63, 0.36), fill="lamp")
    pen.part([(0.5, 0.0), (0.72, 0.2), (0.28, 0.2)])
    pen.part([(0.34, 0.36), (0.66, 0.36), (0.76, 0.96), (0.24, 0.96)])
    pen.mark([(0.318, 0.54), (0.682, 0.54), (0.703, 0.66), (0.297, 0.66)], fill="spot")
    pen.mark(_arch(0.5, 0.79, 0.96, 0.06))
    pen.part(box(0.25, 0.33, 0.75, 0.41))
    pen.part(box(0.14, 0.92, 0.86, 1.0, 0.03))
