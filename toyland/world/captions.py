"""Captions as people write them, and the reverse: which things a prompt speaks of.

A caption may use synonyms or the hypernym, leave out colours, things or the place, count, and say where things stand
relative to each other. It never says anything false.
"""

from __future__ import annotations

import re
from collections import Counter
from random import Random

from toyland.art import COLOURS, KINDS, PLACES
from toyland.world.scene import Scene, Thing, _listed, sample_scene
from toyland.world.vocabulary import (
    CATEGORY_NOUNS,
    COLOUR_WORDS,
    COUNT_WORDS,
    NOUNS,
    PLACE_NOUNS,
    PLACE_PHRASES,
    SIZE_WORDS,
    with_article,
)

_OPENINGS = ("{}",) * 8 + (
    "a photo of {}",
    "a picture of {}",
    "a drawing of {}",
    "an image of {}",
    "a scene with {}",
    "here is {}",
    "there is {}",
    "look, {}",
    "i can see {}",
    "we see {}",
    "you can see {}",
    "this is {}",
    "a lovely picture of {}",
    "a cartoon of {}",
)

RELATIONS: dict[str, tuple[str, ...]] = {
    "left": ("to the left of", "left of"),
    "right": ("to the right of", "right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
_NEAR = ("next to", "beside", "near", "with")
_MARGIN = 0.15  # centres must differ by this share of the picture before a relation is said


def relation(a: Thing, b: Thing) -> str | None:
    """How `a` stands to `b` ("left", "right", "above", "below"), or None where it is not clear-cut."""
    dx, dy = a.x - b.x, a.y - b.y
    if max(abs(dx), abs(dy)) < _MARGIN or abs(abs(dx) - abs(dy)) < _MARGIN / 2:
        return None
    if abs(dx) > abs(dy):
        return "left" if dx < 0 else "right"
    return "above" if dy < 0 else "below"


def sample_captions(count: int, seed: int = 0) -> list[str]:
    """Captions of the first `count` training scenes."""
    rng = Random(seed)
    return [write_caption(sample_scene(number, "train"), rng) for number in range(count)]


def write_caption(scene: Scene, rng: Random, colours: bool = True) -> str:
    """A caption in lower case, as somebody might write it under the picture. True of the scene, seldom complete.

    Without `colours` none is named: for the picture in grey.
    """
    if rng.random() < 0.04:
        return _opened(rng.choice(PLACE_NOUNS[scene.place]), rng)
    things = list(scene.things)
    rng.shuffle(things)
    kept = things if rng.random() < 0.75 else things[: rng.randint(1, len(things))]
    if len(kept) == 2 and rng.random() < 0.5:
        body = _pair(kept, rng, colours)
    else:
        body = _listed(_groups(kept, scene, rng, colours))
    if rng.random() >= 0.55:
        return _opened(body, rng)
    place = rng.choice(PLACE_PHRASES[scene.place])
    form = rng.random()
    if form < 0.8:
        return _opened(f"{body} {place}", rng)
    if form < 0.9:
        return f"{place}, {body}"
    return f"{_opened(body, rng)}, {rng.choice(PLACE_NOUNS[scene.place])}"


def _groups(things: list[Thing], scene: Scene, rng: Random, colours: bool) -> list[str]:
    """A phrase per group of like things: "two red cats", "a big ship"."""

    def alike(thing: Thing) -> tuple[str, str]:
        return thing.kind, thing.colour if colours else ""

    counted, total = (Counter(map(alike, those)) for those in (things, scene.things))
    phrases = []
    for group, number in counted.items():
        first = next(thing for thing in things if alike(thing) == group)
        phrases.append(_phrase(first, rng, colours, total[group] if number > 1 else 1))
    return phrases


def _phrase(thing: Thing, rng: Random, colours: bool, number: int = 1) -> str:
    """A noun phrase with its article or number: sometimes the hypernym, sometimes without the colour."""
    nouns = CATEGORY_NOUNS[thing.category] if rng.random() < 0.07 else NOUNS[thing.kind]
    noun = (nouns[0] if rng.random() < 0.6 else rng.choice(nouns))[number > 1]
    words = COLOUR_WORDS[thing.colour]
    colour = words[0] if rng.random() < 0.8 else rng.choice(words)
    coloured = rng.random() < 0.85 and colours
    size = rng.choice(SIZE_WORDS[thing.size]) if number == 1 and rng.random() < 0.15 else ""
    if number == 1 and coloured and rng.random() < 0.05:
        return f"{with_article(' '.join(filter(None, (size, noun))))} that is {colour}"
    said = " ".join(filter(None, (size, colour if coloured else "", noun)))
    return with_article(said) if number == 1 else f"{COUNT_WORDS[number]} {said}"


def _pair(things: list[Thing], rng: Random, colours: bool) -> str:
    """Two things and how they stand to each other."""
    a, b = things
    stands = relation(a, b)
    joint = rng.choice(RELATIONS[stands]) if stands and rng.random() < 0.75 else rng.choice(_NEAR)
    return f"{_phrase(a, rng, colours)} {joint} {_phrase(b, rng, colours)}"


def _opened(body: str, rng: Random) -> str:
    return rng.choice(_OPENINGS).format(body)


def _mentions(prompt: str, phrases: object) -> bool:
    return any(re.search(rf"\b{re.escape(phrase)}\b", prompt) for phrase in phrases)  # type: ignore[attr-defined]


# What stands between two things of a caption: a colour on one side does not speak of the noun on the other.
_JOINTS = ("and", *(phrase for phrases in RELATIONS.values() for phrase in phrases), *_NEAR)
_CLAUSES = re.compile(r"[,;.]|" + "|".join(rf"\b{re.escape(joint)}\b" for joint in _JOINTS))


def match_things(scene: Scene, prompt: str) -> tuple[int, ...]:
    """Indices of the scene's things that a prompt speaks of; empty if it names no kind or category.

    Each clause is read alone. Its nouns choose kinds (a hypernym chooses its category); if it also names colours, only
    things of those colours count.
    """
    found = {index for clause in _CLAUSES.split(prompt.lower()) for index in _match_clause(scene, clause)}
    return tuple(sorted(found))


def _match_clause(scene: Scene, clause: str) -> list[int]:
    kinds = {kind for kind in KINDS if _mentions(clause, (form for noun in NOUNS[kind] for form in noun))}
    for category, nouns in CATEGORY_NOUNS.items():
        if _mentions(clause, (category, *(form for noun in nouns for form in noun))):
            kinds |= {kind for kind in KINDS if KINDS[kind].category == category}
    colours = {colour for colour in COLOURS if _mentions(clause, COLOUR_WORDS[colour])} or set(COLOURS)
    return [i for i, t in enumerate(scene.things) if t.kind in kinds and t.colour in colours]


def match_place(scene: Scene, prompt: str) -> bool:
    """Whether a prompt names the scene's place, as a noun ("snow") or a phrase ("in winter")."""
    names = {place: (place, *PLACE_NOUNS[place], *PLACE_PHRASES[place]) for place in PLACES}
    return _mentions(prompt.lower(), names[scene.place])
