"""Edits to be made of drawn pictures: a scene, the same scene with one thing of it changed, and what that is in words.

Both scenes are drawn by the same rules, so that the wanted picture of every edit is known to exist. Scenes of a
balanced split, with two and three things in turn before or after the edit: there is always something that is to stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from random import Random

from PIL import Image

from toyland.art import COLOURS, KINDS
from toyland.detector.finding import Found, Wanted, matches
from toyland.layouts import AREAS, LAYOUT_SPLITS
from toyland.pictures import FUNCTION_WORDS
from toyland.world.drawing import Corners, draw_scene, scene_boxes
from toyland.world.scene import SPLITS, UNSEEN_PAIRS, Scene, Thing, plain_caption, sample_scene
from toyland.world.vocabulary import PLACE_NOUNS, PLACE_PHRASES, plain_noun

CHANGES = ("recolour", "replace", "add", "remove")  # in turn
COUNTS = (2, 3)  # things of the fuller of both scenes


@dataclass(frozen=True)
class DrawnEdit:
    """Edit to be made of a picture. `change`: one of CHANGES. `words`: those of the prompt that say what changes;
    where a thing is removed, those that say what is behind it. `box`: all that the thing concerned covers, before and
    after. `wanted`: the thing that is to be there, and `gone` the one that is not; None where there is none. `kept`:
    the others, which are to stay as they are.
    """

    change: str
    before: Scene
    after: Scene
    words: tuple[str, ...]
    box: Corners
    wanted: Wanted | None
    gone: Wanted | None
    kept: tuple[Wanted, ...]

    @property
    def prompt(self) -> str:
        """The wanted picture, in plain words."""
        return plain_caption(self.after)

    @property
    def caption(self) -> str:
        """The picture as it is, in plain words."""
        return plain_caption(self.before)

    @property
    def phrase(self) -> str:
        """Phrase of what is to be seen where the thing concerned is: "red cat", or what is behind it."""
        if self.wanted is None:
            return PLACE_NOUNS[self.after.place][0]
        return f"{self.wanted.colour} {plain_noun(self.wanted.kind)}"

    def picture(self, pixels: int) -> Image.Image:
        return draw_scene(self.before, pixels)

    def target(self, pixels: int) -> Image.Image:
        """A picture in which nothing but the wanted has changed."""
        return draw_scene(self.after, pixels)


@dataclass(frozen=True)
class EditVerdict:
    """How an edited picture does. `success`: a thing of the wanted kind and colour is in it, and none of those of the
    one that is to be gone. `kept`: how many of the things that are to stay are found with their kind, their colour, and
    an intersection over union of 0.5 or more with their box.
    """

    success: bool
    kept: int


def verdict(found: Sequence[Found], edit: DrawnEdit) -> EditVerdict:
    """Judges what was found, surest first, against what was wanted."""

    def there(thing: Wanted) -> bool:
        return any((one.kind, one.colour) == (thing.kind, thing.colour) for one in found)

    success = (edit.wanted is None or there(edit.wanted)) and (edit.gone is None or not there(edit.gone))
    return EditVerdict(success, sum(match is not None for match in matches(found, edit.kept)))


def sample_edits(split: str, count: int, first: int = 0) -> list[DrawnEdit]:
    """Edits number `first` to `first` + `count` - 1 of a split, one of LAYOUT_SPLITS; equal numbers, equal edits.

    No two things of a scene have the same colour and kind, neither before nor after; a new colour is that of nothing
    else in the scene, and so is a new kind. The thing concerned takes a share in AREAS of the picture. ValueError for
    another split, no edit, or more than the split has.
    """
    if split not in LAYOUT_SPLITS:
        raise ValueError(
            f"there are no edits of split {str(split)[:40]!r}; allowed: {', '.join(LAYOUT_SPLITS)}"
        )
    if count < 1 or first < 0:
        raise ValueError(f"{count} edits from number {first}; allowed: 1 or more, from number 0 or later")
    if first + count > SPLITS[split].count:  # every edit takes a scene: no need to look at all of them
        raise ValueError(f"split {split!r} has no {count} edits from number {first}")
    found = list(islice(_edits(split), first, first + count))
    if len(found) < count:
        raise ValueError(f"split {split!r} has no {count} edits from number {first}, only {len(found)}")
    return found


def _edits(split: str) -> Iterator[DrawnEdit]:
    """All edits of a split, in the order of its scenes."""
    numbers = iter(range(SPLITS[split].count))
    for count in cycle(COUNTS):
        for change in CHANGES:
            found = None
            while found is None:
                number = next(numbers, None)
                if number is None:
                    return
                found = _edit(sample_scene(number, split, things=count), count, change)
            yield found


def _edit(scene: Scene, count: int, change: str) -> DrawnEdit | None:
    """The scene with one thing of it changed, or None if it is none to change."""
    if len(scene.things) != count or len({thing.phrase for thing in scene.things}) != count:
        return None
    boxes = scene_boxes(scene)
    if not all(AREAS[0] <= (right - left) * (low - top) <= AREAS[1] for left, top, right, low in boxes):
        return None
    rng = Random(f"edit-{scene.split}-{scene.seed}")
    about = rng.randrange(count)
    thing = scene.things[about]
    without = replace(scene, things=scene.things[:about] + scene.things[about + 1 :])
    if change == "remove":
        return _drawn(change, scene, without, about, _place_words(scene), None)
    if change == "add":
        return _drawn(change, without, scene, about, tuple(thing.phrase.split()), thing)
    other = _recoloured(scene, thing, rng) if change == "recolour" else _replaced(scene, thing, rng)
    after = replace(scene, things=(*scene.things[:about], other, *scene.things[about + 1 :]))
    word = other.colour if change == "recolour" else plain_noun(other.kind)
    return _drawn(change, scene, after, about, tuple(word.split()), other)


def _drawn(
    change: str, before: Scene, after: Scene, about: int, words: tuple[str, ...], new: Thing | None
) -> DrawnEdit:
    """`about`: the number of the thing concerned, in the scenes that have it."""
    old = None if change == "add" else before.things[about]
    boxes = [scene_boxes(scene)[about] for scene, thing in ((before, old), (after, new)) if thing is not None]
    fuller = after if old is None else before
    kept = [
        Wanted(thing.kind, thing.colour, box)
        for number, (thing, box) in enumerate(zip(fuller.things, scene_boxes(fuller), strict=True))
        if number != about
    ]
    return DrawnEdit(
        change,
        before,
        after,
        words,
        _around(boxes),
        None if new is None else Wanted(new.kind, new.colour, boxes[-1]),
        None if old is None else Wanted(old.kind, old.colour, boxes[0]),
        tuple(kept),
    )


def _around(boxes: Sequence[Corners]) -> Corners:
    lefts, tops, rights, lows = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(lows)


def _recoloured(scene: Scene, thing: Thing, rng: Random) -> Thing:
    taken = {other.colour for other in scene.things}
    free = [colour for colour in COLOURS if colour not in taken and (thing.kind, colour) not in UNSEEN_PAIRS]
    return replace(thing, colour=rng.choice(free))


def _replaced(scene: Scene, thing: Thing, rng: Random) -> Thing:
    taken = {other.kind for other in scene.things}
    free = [kind for kind in KINDS if kind not in taken and (kind, thing.colour) not in UNSEEN_PAIRS]
    return replace(thing, kind=rng.choice(free))


def _place_words(scene: Scene) -> tuple[str, ...]:
    words = re.findall(r"\w+", PLACE_PHRASES[scene.place][0])
    return tuple(word for word in words if word not in FUNCTION_WORDS)
