"""Scenes: what stands where, decided by a seed alone. No pixels here.

A split is a disjoint range of seeds and a rule for choosing kinds, colours and places. In the training split kinds and
places co-occur as they do in web pictures (boats mostly on water); the balanced splits break that link. A fixed set of
(kind, colour) pairs is never drawn for training: the compositional test.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from random import Random

from toyland.art import COLOURS, KINDS, PLACES
from toyland.world.vocabulary import PLACE_PHRASES, plain_noun, with_article

VARIANTS = 16  # arrangements of every place
# Side of a thing's square in 64ths of the picture: few different sizes, so that sprites can be cached.
SCALES = {"small": (16, 21), "large": (27, 36)}

_KINDS, _COLOURS = tuple(KINDS), tuple(COLOURS)

# Every kind lacks one colour and every colour three kinds.
UNSEEN_PAIRS = frozenset((kind, _COLOURS[(3 * i + i // 8) % 8]) for i, kind in enumerate(_KINDS))

USUAL_PLACES: dict[str, tuple[str, ...]] = {
    "cat": ("wood", "grass"),
    "rabbit": ("grass", "snow"),
    "fish": ("water",),
    "bird": ("grass", "snow", "bricks"),
    "house": ("grass", "snow", "road"),
    "castle": ("grass", "sand", "night"),
    "tent": ("grass", "sand", "night"),
    "lighthouse": ("water", "sand", "night"),
    "apple": ("wood", "grass"),
    "banana": ("wood",),
    "cupcake": ("wood",),
    "mushroom": ("grass",),
    "tree": ("snow", "grass"),
    "flower": ("grass", "bricks"),
    "cactus": ("sand",),
    "leaf": ("grass", "road", "water"),
    "star": ("night",),
    "heart": ("bricks", "wood"),
    "ring": ("wood", "sand"),
    "diamond": ("night", "bricks"),
    "car": ("road",),
    "boat": ("water",),
    "plane": ("night", "road"),
    "train": ("road", "snow", "bricks"),
}
USUAL_SHARE = 0.75  # how often the training split puts a thing where it usually is


@dataclass(frozen=True)
class Split:
    """A range of seeds and its rule. `pairs` says which (kind, colour) pairs may occur: seen, unseen or any."""

    first: int
    count: int
    co_occurring: bool
    pairs: str = "seen"


SPLITS: dict[str, Split] = {
    "train": Split(0, 1_000_000_000, co_occurring=True),
    "validation": Split(1_000_000_000, 100_000, co_occurring=False),
    "validation-usual": Split(1_000_100_000, 100_000, co_occurring=True),
    "validation-unseen": Split(1_000_200_000, 100_000, co_occurring=False, pairs="unseen"),
    "test": Split(2_000_000_000, 100_000, co_occurring=False),
    "test-usual": Split(2_000_100_000, 100_000, co_occurring=True),
    "test-unseen": Split(2_000_200_000, 100_000, co_occurring=False, pairs="unseen"),
    # What the app draws: neither trained nor measured on.
    "balanced": Split(3_000_000_000, 1_000_000_000, co_occurring=False, pairs="any"),
    "usual": Split(4_000_000_000, 1_000_000_000, co_occurring=True, pairs="any"),
}


@dataclass(frozen=True)
class Thing:
    """One drawn thing. `x`, `y` is the centre and `scale` the side of its square, in fractions of the picture."""

    kind: str
    colour: str
    size: str
    x: float
    y: float
    scale: float
    flip: bool = False

    @property
    def category(self) -> str:
        """The hypernym's key: "animal" for a cat."""
        return KINDS[self.kind].category

    @property
    def phrase(self) -> str:
        """Plain words for the thing: "red cat"."""
        return f"{self.colour} {plain_noun(self.kind)}"


@dataclass(frozen=True)
class Scene:
    """A place and one to four things, drawn from back to front. Equal seeds and splits give equal scenes."""

    seed: int
    split: str
    place: str
    variant: int
    things: tuple[Thing, ...]

    @property
    def caption(self) -> str:
        """A plain sentence that names every thing and the place."""
        pass

        return plain_caption(self)

    def to_json(self) -> str:
        """The scene as a JSON object; `from_json` reads it back."""
        return json.dumps(asdict(self) | {"caption": self.caption}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Scene:
        """The scene that `to_json` wrote. ValueError for anything else, and for unknown kinds, colours and places."""
        try:
            fields = json.loads(text)
            fields.pop("caption", None)
            scene = cls(**fields | {"things": tuple(Thing(**thing) for thing in fields["things"])})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this JSON object is no scene: {error}") from error
        _check("place", scene.place, PLACES)
        for thing in scene.things:
            _check("kind", thing.kind, _KINDS)
            _check("colour", thing.colour, _COLOURS)
        return scene


def sample_scene(
    seed: int, split: str = "balanced", things: int | None = None, usual_share: float = USUAL_SHARE
) -> Scene:
    """The scene number `seed` of a split, with one to four things unless `things` fixes how many are tried.

    Crowded scenes may hold fewer than asked for: a thing that finds no free spot is left out (never the first).
    `usual_share`: how often a thing of a co-occurring split is one that belongs to its place.
    ValueError for an unknown split, a seed outside it, a number of things outside 1 to 4, or a share outside 0 to 1.
    """
    _check("split", split, SPLITS)
    rule = SPLITS[split]
    if not isinstance(seed, int):
        raise ValueError(f"seed {seed!r} is not a whole number")
    if not 0 <= seed < rule.count:
        raise ValueError(f"seed {seed} is outside 0 to {rule.count - 1}, the range of split {split!r}")
    if things is not None and not 1 <= things <= 4:
        raise ValueError(f"a scene holds 1 to 4 things, not {things}")
    if not 0 <= usual_share <= 1:
        raise ValueError(f"usual_share {usual_share} is no share from 0 to 1")
    usual_share = usual_share if rule.co_occurring else 0.0
    rng = Random(rule.first + seed)
    count = rng.choices((1, 2, 3, 4), (30, 35, 22, 13))[0] if things is None else things
    repeats = count > 1 and rng.random() < 0.12  # "three red cats"
    place = rng.choice(PLACES)
    variant = rng.randrange(VARIANTS)
    placed: list[Thing] = []
    for i in range(count):
        kind = (
            placed[0].kind
            if repeats and i
            else _sample_kind(rng, usual_share, place, {thing.kind for thing in placed})
        )
        colour = placed[0].colour if repeats and i else _sample_colour(rng, rule, kind)
        size = rng.choices(("small", "large"), (count, 3))[0]
        thing = place_thing(rng, kind, colour, size, placed)
        if thing is not None:
            placed.append(thing)
    return Scene(seed, split, place, variant, tuple(placed))


def with_background(scene: Scene, about: int, usual: bool) -> Scene:
    """Puts the same things elsewhere: where thing number `about` usually is, or where it never usually is.

    The scene itself if that already holds; else a place chosen by the seed alone.
    """
    at_home = USUAL_PLACES[scene.things[about].kind]
    if (scene.place in at_home) == usual:
        return scene
    places = [place for place in PLACES if (place in at_home) == usual]
    return replace(scene, place=Random(f"background-{scene.seed}").choice(places))


def _sample_kind(rng: Random, usual_share: float, place: str, taken: set[str]) -> str:
    at_home = [kind for kind in _KINDS if place in USUAL_PLACES[kind] and kind not in taken]
    others = [kind for kind in _KINDS if kind not in taken]
    return rng.choice(at_home if usual_share and at_home and rng.random() < usual_share else others)


def _sample_colour(rng: Random, rule: Split, kind: str) -> str:
    allowed = {
        "seen": [c for c in _COLOURS if (kind, c) not in UNSEEN_PAIRS],
        "unseen": [c for c in _COLOURS if (kind, c) in UNSEEN_PAIRS],
        "any": list(_COLOURS),
    }
    return rng.choice(allowed[rule.pairs])


def place_thing(rng: Random, kind: str, colour: str, size: str, placed: Sequence[Thing] = ()) -> Thing | None:
    """A thing at a free spot: at most a tenth of the smaller square may be covered. None if there is no such spot."""
    flip = rng.random() < 0.5
    for _ in range(60):
        scale = rng.randint(*SCALES[size]) / 64
        x, y = (rng.uniform(scale / 2, 1 - scale / 2) for _ in range(2))
        thing = Thing(kind, colour, size, round(x, 4), round(y, 4), scale, flip)
        if all(_overlap(thing, other) <= 0.1 for other in placed):
            return thing
    return None


def _overlap(a: Thing, b: Thing) -> float:
    """Shared area of the two squares as a share of the smaller one."""
    reach = (a.scale + b.scale) / 2
    width, height = (min(max(reach - abs(p - q), 0.0), a.scale, b.scale) for p, q in ((a.x, b.x), (a.y, b.y)))
    return width * height / min(a.scale, b.scale) ** 2


def _check(what: str, value: object, choices: object) -> None:
    if value not in choices:  # type: ignore[operator]
        raise ValueError(f"unknown {what} {value!r}; choose from {', '.join(map(str, choices))}")  # type: ignore[call-overload]


def plain_caption(scene: Scene) -> str:
    """Every thing with its colour, and the place: "a red cat and a blue car on the grass"."""
    phrases = [with_article(thing.phrase) for thing in scene.things]
    return f"{_listed(phrases)} {PLACE_PHRASES[scene.place][0]}"


def _listed(phrases: list[str]) -> str:
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"
