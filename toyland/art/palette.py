"""The eight colours, and the few fixed ones that every drawing may use for its details."""

from __future__ import annotations

from toyland.art.pen import DARK, Colour

COLOURS: dict[str, Colour] = {
    "red": (222, 36, 44),
    "orange": (255, 138, 20),
    "yellow": (255, 222, 38),
    "green": (38, 158, 68),
    "blue": (36, 108, 232),
    "purple": (134, 58, 190),
    "pink": (255, 142, 196),
    "white": (252, 252, 252),
}

ACCENTS: dict[str, Colour] = {
    "dark": DARK,
    "white": (255, 255, 255),
    "glass": (206, 232, 246),
    "cream": (250, 236, 208),
    "lamp": (255, 240, 170),
    "amber": (245, 168, 48),
    "bark": (122, 80, 54),
    "leaf": (60, 116, 70),
}


def palette(colour: str) -> dict[str, Colour]:
    """Roles of a drawing to RGB: the body, a shade and a tint of it, and the accents."""
    body = COLOURS[colour]
    if colour == "white":
        own = {"body": body, "shade": (214, 218, 230), "tint": (228, 232, 242), "spot": (196, 202, 218)}
    else:
        own = {"body": body, "shade": _mixed(body, DARK, 0.18), "tint": _mixed(body, (255, 255, 255), 0.5)}
        own["spot"] = (255, 255, 255)
    if colour == "yellow":
        own["shade"] = (240, 196, 20)  # darker yellow reads as brown; gold stays yellow
    return {**ACCENTS, **own}


def _mixed(colour: Colour, other: Colour, share: float) -> Colour:
    r, g, b = (round(a + (c - a) * share) for a, c in zip(colour, other, strict=True))
    return r, g, b
