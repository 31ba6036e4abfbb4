"""Layouts to be drawn by generators, taken from real scenes: so a picture of every layout is known to exist.

Scenes of a balanced split, so that things stand in unusual places too, of one, two and three things in turn. Boxes are
exact: those of what can be seen of each thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice

from PIL import Image

from toyland.world.drawing import Corners, draw_scene, scene_boxes
from toyland.world.scene import SPLITS, VARIANTS, Scene, plain_caption, sample_scene

LAYOUT_SPLITS = ("validation", "test")  # choices are made on one, and the other is only reported
COUNTS = (1, 2, 3)  # things of a layout, in turn
AREAS = (0.05, 0.40)  # of a box, as a share of the picture


@dataclass(frozen=True)
class DrawnLayout:
    """Layout of a picture: a prompt, and for every thing its phrase, its box, its kind and its colour.

    `scene` is where all but the boxes comes from; the boxes are the scene's too unless `mirrored` or `exchanged` made
    them others.
    """

    scene: Scene
    prompt: str
    phrases: tuple[str, ...]
    boxes: tuple[Corners, ...]
    kinds: tuple[str, ...]
    colours: tuple[str, ...]

    def picture(self, pixels: int, take: int = 0) -> Image.Image:
        """The scene itself. `take` above 0: the same things before another arrangement of the same place."""
        variant = (self.scene.variant + take) % VARIANTS
        return draw_scene(replace(self.scene, variant=variant), pixels)


def sample_layouts(split: str, count: int, first: int = 0) -> list[DrawnLayout]:
    """Layouts number `first` to `first` + `count` - 1 of a split, one of LAYOUT_SPLITS; equal numbers, equal layouts.

    Phrases are all different, every box takes a share in AREAS of the picture, and no scene is taken twice. ValueError
    for another split, no layout, or more than the split has.
    """
    if split not in LAYOUT_SPLITS:
        raise ValueError(
            f"there are no layouts of split {str(split)[:40]!r}; allowed: {', '.join(LAYOUT_SPLITS)}"
        )
    if count < 1 or first < 0:
        raise ValueError(f"{count} layouts from number {first}; allowed: 1 or more, from number 0 or later")
    found = list(islice(_layouts(split), first, first + count))
    if len(found) < count:
        raise ValueError(f"split {split!r} has no {count} layouts from number {first}, only {len(found)}")
    return found


def mirrored(layout: DrawnLayout) -> DrawnLayout:
    """Exchanges left and right of a layout's boxes. The prompt says nothing of places, so it stays."""
    return replace(
        layout, boxes=tuple((1 - right, top, 1 - left, low) for left, top, right, low in layout.boxes)
    )


def exchanged(layouts: Sequence[DrawnLayout]) -> list[DrawnLayout]:
    """Every layout with the boxes of another one: of the next that has as many, and the last with those of the first.

    ValueError where a layout is the only one with its number of boxes.
    """
    found = list(layouts)
    for count in {len(layout.boxes) for layout in layouts}:
        alike = [number for number, layout in enumerate(layouts) if len(layout.boxes) == count]
        if len(alike) < 2:
            raise ValueError(
                f"only one of {len(layouts)} layouts has {count} boxes, so none can be exchanged with it; "
                f"allowed: {2 * len(COUNTS)} layouts or more"
            )
        for number, other in zip(alike, alike[1:] + alike[:1], strict=True):
            found[number] = replace(layouts[number], boxes=layouts[other].boxes)
    return found


def _layouts(split: str) -> Iterator[DrawnLayout]:
    """All layouts of a split, in the order of its scenes."""
    numbers = iter(range(SPLITS[split].count))
    for count in cycle(COUNTS):
        found = None
        while found is None:
            number = next(numbers, None)
            if number is None:
                return
            found = _layout(sample_scene(number, split, things=count), count)
        yield found


def _layout(scene: Scene, count: int) -> DrawnLayout | None:
    """The scene as a layout of so many things, or None if it is none."""
    phrases = tuple(thing.phrase for thing in scene.things)
    if len(phrases) != count or len(set(phrases)) != count:
        return None
    boxes = scene_boxes(scene)
    if not all(AREAS[0] <= (right - left) * (low - top) <= AREAS[1] for left, top, right, low in boxes):
        return None
    kinds, colours = ([getattr(thing, name) for thing in scene.things] for name in ("kind", "colour"))
    return DrawnLayout(scene, plain_caption(scene), phrases, boxes, tuple(kinds), tuple(colours))
