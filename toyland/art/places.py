"""Places: the ground or sky that fills the whole picture behind the things.

Everything is in unit coordinates and drawn from one random.Random per (place, variant), so a variant is
the same picture at every resolution. Contrast is kept low and nothing looks like a kind of thing.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from PIL import Image

from toyland.art.ground import Ground
from toyland.art.pen import Shape, arc, box, ellipse, smooth, tube

Draw = Callable[[Ground, Random], None]
_PLACES: dict[str, Draw] = {}


def draw_place(place: str, variant: int, pixels: int) -> Image.Image:
    """The place as a (pixels, pixels) RGB picture; `variant` changes arrangement and tint."""
    if place not in _PLACES:
        raise ValueError(f"unknown place {place!r}; choose from {', '.join(_PLACES)}")
    if pixels < 1:
        raise ValueError(f"pixels is {pixels}; at least 1 is needed")
    random = Random(f"{place}-{variant}")
    lighter = random.randint(-6, 6)
    red, green, blue = (lighter + random.randint(-3, 3) for _ in range(3))
    ground = Ground(pixels, (red, green, blue))
    _PLACES[place](ground, random)
    return ground.finished()


def _place(draw: Draw) -> Draw:
    """File a drawing function under its own name."""
    _PLACES[draw.__name__] = draw
    return draw


def _scattered(random: Random, across: int, down: int, keep: float = 1.0) -> list[tuple[float, float]]:
    """Points spread evenly: one in each cell of a grid, moved about within it; some cells left empty."""
    cells = [(i, j) for j in range(down) for i in range(across)]
    points = [
        ((i + random.uniform(0.15, 0.85)) / across, (j + random.uniform(0.15, 0.85)) / down) for i, j in cells
    ]
    return [p for p in points if random.random() < keep]


def _wave(random: Random, y: float, height: float, cycles: int) -> Shape:
    """An open wavy line across the square."""
    shift = random.random() / cycles
    knots = range(-2, 2 * cycles + 3)
    return smooth(
        [(i / 2 / cycles + shift, y + (height if i % 2 else -height)) for i in knots], closed=False, steps=5
    )


@_place
def grass(ground: Ground, random: Random) -> None:
    """A light meadow: soft hills and tufts of three blades."""
    ground.fade((190, 224, 140), (158, 204, 110))
    for y, colour in ((0.32, (178, 217, 128)), (0.62, (166, 209, 117)), (0.85, (157, 203, 108))):
        ground.fill(colour, [*_wave(random, y, 0.03, 1), (2, 2), (-1, 2)])
    for x, y in _scattered(random, 5, 5, 0.85):
        h = random.uniform(0.05, 0.075)
        for lean in (-0.6, 0.0, 0.6):
            ground.fill(
                (112, 168, 76),
                [(x - 0.013, y), (x + lean * h, y - h * (1.1 - abs(lean) * 0.4)), (x + 0.013, y)],
            )


@_place
def sand(ground: Ground, random: Random) -> None:
    """A beach: wind ripples, pebbles and a few fan shells."""
    ground.fade((247, 228, 184), (236, 210, 158))
    for i in range(6):
        ground.fill((224, 196, 146), tube(_wave(random, (i + random.uniform(0.3, 0.7)) / 6, 0.012, 2), 0.013))
    for x, y in _scattered(random, 7, 7, 0.7):
        ground.fill((205, 174, 126), ellipse(x, y, random.uniform(0.005, 0.011)))
    for x, y in _scattered(random, 2, 2, 0.8):
        ground.fill((214, 170, 140), [*arc(x, y, 0.045, 0.045, 180, 360), (x, y + 0.03)])
        ground.fill((250, 236, 216), [*arc(x, y, 0.036, 0.036, 180, 360), (x, y + 0.018)])
        for lean in (-0.02, 0.0, 0.02):
            ground.fill((214, 170, 140), tube([(x, y + 0.01), (x + lean, y - 0.028)], 0.007))


@_place
def water(ground: Ground, random: Random) -> None:
    """A lake: bands of pale blue with short white crests."""
    ground.fade((168, 220, 240), (108, 182, 222))
    for i in range(5):
        colour = (150 - 9 * i, 210 - 8 * i, 236 - 5 * i)
        ground.fill(colour, [*_wave(random, (i + 0.6) / 5.5, 0.016, 4), (2, 2), (-1, 2)])
    for x, y in _scattered(random, 3, 6, 0.75):
        w = random.uniform(0.04, 0.06)
        for side in (x - w, x + w):
            ground.fill((222, 243, 250), tube(arc(side, y, w, 0.024, 10, 170), 0.014))


@_place
def night(ground: Ground, random: Random) -> None:
    """A dark sky: round dots of light and a full moon with a halo."""
    ground.fade((30, 32, 78), (58, 58, 116))
    for x, y in _scattered(random, 8, 8, 0.75):
        ground.fill(
            random.choice(((222, 224, 240), (170, 174, 212), (240, 228, 180))),
            ellipse(x, y, random.uniform(0.006, 0.013)),
        )
    x, y = random.choice((0.16, 0.84)) + random.uniform(-0.04, 0.04), random.uniform(0.13, 0.2)
    for r, colour in ((0.15, (62, 64, 118)), (0.125, (86, 88, 140)), (0.1, (238, 232, 204))):
        ground.fill(colour, ellipse(x, y, r))
    for dx, dy, r in ((-0.03, -0.02, 0.022), (0.035, 0.02, 0.018), (-0.015, 0.045, 0.014)):
        ground.fill((214, 206, 176), ellipse(x + dx, y + dy, r))


@_place
def snow(ground: Ground, random: Random) -> None:
    """White drifts with blue shadows, and a few falling flakes."""
    ground.fade((208, 222, 238), (222, 232, 244))
    for y, edge, colour in ((0.25, 188, 232), (0.5, 196, 238), (0.76, 202, 244)):
        line = _wave(random, y + random.uniform(-0.04, 0.04), 0.045, 1)
        ground.fill((edge, edge + 14, edge + 34), [*line, (2, 2), (-1, 2)])
        ground.fill(
            (colour, colour + 4, colour + 9), [*((px, py + 0.022) for px, py in line), (2, 2), (-1, 2)]
        )
    for x, y in _scattered(random, 6, 6, 0.8):
        ground.fill((255, 255, 255), ellipse(x, y, random.uniform(0.01, 0.018)))


@_place
def bricks(ground: Ground, random: Random) -> None:
    """A wall in stretcher bond, each brick a little different."""
    ground.fade((216, 196, 182), (206, 186, 172))
    rows, across, shift = 8, 4, random.random()
    for row in range(rows):
        for i in range(-2, across + 1):
            x = (i + shift + 0.5 * (row % 2)) / across
            d = random.randint(-12, 12)
            brick = box(x + 0.009, row / rows + 0.009, x + 1 / across - 0.009, (row + 1) / rows - 0.009)
            ground.fill((190 + d, 122 + d, 106 + d), brick)
            ground.fill(
                (201 + d, 135 + d, 119 + d),
                box(x + 0.009, row / rows + 0.009, x + 1 / across - 0.009, row / rows + 0.03),
            )


@_place
def road(ground: Ground, random: Random) -> None:
    """Grey asphalt with a dashed line in the middle and a pale line near either edge."""
    ground.fade((134, 138, 146), (118, 122, 130))
    for x, y in _scattered(random, 11, 11, 0.6):
        ground.fill(
            random.choice(((108, 112, 120), (146, 150, 158))), ellipse(x, y, random.uniform(0.006, 0.011))
        )
    middle, shift = 0.5 + random.uniform(-0.06, 0.06), random.random() * 0.36
    for y in (middle - 0.42, middle + 0.38):
        ground.fill((206, 206, 200), box(-0.1, y, 1.1, y + 0.035))
    for i in range(-1, 4):
        ground.fill(
            (222, 214, 168), box(i * 0.36 + shift, middle - 0.022, i * 0.36 + shift + 0.2, middle + 0.022)
        )


@_place
def wood(ground: Ground, random: Random) -> None:
    """Floor boards with grain, staggered joints and nails."""
    ground.fade((150, 110, 66), (142, 102, 60))
    boards = 5
    for i in range(boards):
        top, bottom, joint = i / boards + 0.007, (i + 1) / boards - 0.007, random.uniform(0.15, 0.85)
        for left, right in ((-0.1, joint - 0.006), (joint + 0.006, 1.1)):
            d = random.randint(-9, 9)
            ground.fill((210 + d, 166 + d, 104 + d), box(left, top, right, bottom))
        for _ in range(4):
            x, y = random.uniform(-0.1, 0.9), random.uniform(top + 0.03, bottom - 0.03)
            ground.fill(
                (188, 142, 84),
                tube([(x, y), (x + random.uniform(0.1, 0.3), y + random.uniform(-0.01, 0.01))], 0.009),
            )
        for x in (joint - 0.03, joint + 0.03):
            ground.fill((128, 90, 58), *(ellipse(x, y, 0.009) for y in (top + 0.035, bottom - 0.035)))


PLACES: tuple[str, ...] = tuple(_PLACES)
