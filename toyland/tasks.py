"""Few-shot classification in Toyland: classes to tell apart, pictures to learn from, and pictures of other kinds.

A picture shows one thing of its class, larger than all else in it. Those to learn from, and the set `usual`, are like
the training split: things where they usually are. The other sets are to them what ImageNet-V2, -Sketch, -A and -R are
to ImageNet: the same classes in other circumstances (`world/altered.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from PIL import Image

from toyland.art import COLOURS, KINDS, PLACES
from toyland.world.altered import as_drawing, distorted, rendered
from toyland.world.drawing import draw_scene
from toyland.world.scene import UNSEEN_PAIRS, USUAL_PLACES, VARIANTS, Scene, Thing, place_thing

PIXELS = 128
# To learn from, to choose settings on, and to report on: none shares a scene with another.
SETS = ("shots", "validation", "usual", "balanced", "drawings", "distorted", "rendered")
TESTS = SETS[2:]


@dataclass(frozen=True)
class ThingClass:
    """A class: its name, the kind of its thing, and its colour and size where the name says them."""

    name: str
    kind: str
    colour: str = ""
    size: str = "large"


@dataclass(frozen=True)
class Task:
    """Classes to tell apart. `company`: whether small things of other classes stand around the one that counts."""

    name: str
    sentence: str
    classes: tuple[ThingClass, ...]
    company: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The classes' names, in their order."""
        return tuple(each.name for each in self.classes)

    def scene(self, set_name: str, label: int, number: int) -> Scene:
        """Scene `number` of a class, from 0, in a set. Equal numbers, equal scenes. ValueError for an unknown set."""
        if set_name not in SETS:
            raise ValueError(f"there is no set {set_name!r}; allowed: {', '.join(SETS)}")
        rng = Random(f"task {self.name} {set_name} {label} {number}")
        wanted = self.classes[label]
        home = USUAL_PLACES[wanted.kind]
        usual = set_name in ("shots", "validation", "usual") or (
            set_name != "balanced" and rng.random() < 0.5
        )
        place = rng.choice(home if usual else tuple(PLACES))
        colour = wanted.colour or _colour(rng, wanted.kind)
        first = None
        while first is None:  # alone in a picture, it finds a spot at once
            first = place_thing(rng, wanted.kind, colour, wanted.size)
        things = [first]
        others = 3 if set_name == "distorted" else rng.choice((1, 2)) if self.company else rng.choice((0, 1))
        for kind in rng.sample(self._others(wanted), others):
            other = place_thing(rng, kind, _colour(rng, kind), "small", things)
            if other is not None and other.scale < first.scale:
                things.append(other)
        return Scene(number, set_name, place, rng.randrange(VARIANTS), tuple(things))

    def picture(self, set_name: str, label: int, number: int) -> Image.Image:
        """That scene as its set shows it, PIXELS x PIXELS."""
        image = draw_scene(self.scene(set_name, label, number), PIXELS)
        rng = Random(f"altered {self.name} {set_name} {label} {number}")
        changes = {"drawings": as_drawing, "distorted": distorted, "rendered": rendered}
        return changes[set_name](image, rng) if set_name in changes else image

    def pictures(self, set_name: str, per_class: int, first: int = 0) -> Iterator[tuple[Image.Image, int]]:
        """`per_class` pictures of every class with its label, class by class, from number `first` on."""
        for label in range(len(self.classes)):
            for number in range(first, first + per_class):
                yield self.picture(set_name, label, number), label

    def _others(self, wanted: ThingClass) -> list[str]:
        """Kinds that may stand beside: of other classes that share a place, in company; else of no class."""
        mine = {each.kind for each in self.classes}
        if not self.company:
            return [kind for kind in KINDS if kind not in mine] or [k for k in KINDS if k != wanted.kind]
        home = set(USUAL_PLACES[wanted.kind])
        near = [kind for kind in mine if kind != wanted.kind and home & set(USUAL_PLACES[kind])]
        rest = sorted(mine - {wanted.kind} - set(near))
        return (sorted(near) + rest)[: max(3, len(near))]


def _colour(rng: Random, kind: str) -> str:
    """One that this kind has in training."""
    return rng.choice([colour for colour in COLOURS if (kind, colour) not in UNSEEN_PAIRS])


def _fine() -> tuple[ThingClass, ...]:
    """Five animals and cars, each in two colours and two sizes."""
    pairs = {
        "cat": ("orange", "white"),
        "rabbit": ("white", "pink"),
        "bird": ("blue", "yellow"),
        "fish": ("orange", "blue"),
        "car": ("red", "green"),
    }
    return tuple(
        ThingClass(f"{size} {colour} {kind}", kind, colour, size)
        for kind, colours in pairs.items()
        for colour in colours
        for size in ("small", "large")
    )


_RARE = {
    "cat": "kitty",
    "rabbit": "hare",
    "fish": "goldfish",
    "bird": "birdie",
    "house": "cottage",
    "castle": "fortress",
    "tent": "teepee",
    "lighthouse": "beacon",
    "cupcake": "muffin",
    "mushroom": "toadstool",
    "tree": "fir",
    "flower": "blossom",
    "cactus": "potted cactus",
    "heart": "love heart",
    "ring": "hoop",
    "diamond": "rhombus",
    "car": "automobile",
    "boat": "ship",
    "plane": "aeroplane",
    "train": "steam engine",
}
_TOGETHER = (
    *("fish", "boat", "leaf", "lighthouse"),
    *("star", "castle", "plane", "diamond"),
    *("car", "train", "house", "tree"),
    *("cat", "banana", "cupcake", "apple"),
)

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("fine", "Animals and cars that differ in colour and size alone.", _fine()),
        Task(
            "synonyms",
            "Every kind by a word that people seldom use for it.",
            tuple(ThingClass(name, kind) for kind, name in _RARE.items()),
        ),
        Task(
            "company",
            "Kinds that stand in the same places, with others of them around.",
            tuple(ThingClass(kind, kind) for kind in _TOGETHER),
            company=True,
        ),
    )
}


def find_task(name: str) -> Task:
    """A task by its name. ValueError for another."""
    if name not in TASKS:
        raise ValueError(f"there is no task {name[:40]!r} in Toyland; allowed: {', '.join(TASKS)}")
    return TASKS[name]


def largest(scene: Scene) -> Thing:
    """The thing that a picture's label is of."""
    return max(scene.things, key=lambda thing: thing.scale)
