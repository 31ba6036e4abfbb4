"""Pictures of classes: to learn from, and to see on others what was learnt.

A folder with a folder per class, lists of pictures (as a page has them), or a task of a package that draws its own
("toyland:fine"), of which only its module `tasks` is asked.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

from explain.clip.model import Clip
from explain.inputs.captions import has_module
from explain.inputs.folders import read_folder
from explain.inputs.images import opened
from guidance.checks import shown, whole
from guidance.seeding import MAX_SEED
from guidance.tuning.crops import encoded, enough
from guidance.tuning.tune import HeldOut

MAX_SHOTS = 16
PER_CLASS = 25  # drawn pictures of a class in a set
REST = "rest"  # of a folder's pictures
Source = Path | str | Image.Image


@dataclass(frozen=True, eq=False)
class Draw:
    """Pictures that one seed learns from, and what it is tried on: sets of encoded pictures by name."""

    pictures: tuple[Image.Image, ...]
    labels: tuple[int, ...]
    held_out: Mapping[str, HeldOut]


class Examples(Protocol):
    """Classes with pictures. `notes` are sentences on what was left out."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def notes(self) -> tuple[str, ...]: ...

    def draw(self, clip: Clip, shots: int, seed: int) -> Draw:
        """`shots` pictures of every class, by a seed. ValueError where a class has not as many."""
        ...


@dataclass(eq=False)
class GivenExamples:
    """Pictures that somebody gave, class by class. Those that are not learnt from are the set `rest`. `skipped`: what
    was wrong with others that were given.

    Every picture is encoded once per model. One that cannot be read is left out and named in `notes`, one that a class
    has twice is left out and counted. ValueError for fewer than two classes, a class of which no picture is left, or a
    picture that is in two classes.
    """

    classes: Mapping[str, Sequence[Source]]
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    _read: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise ValueError(f"{len(self.classes)} classes with pictures; allowed: 2 or more")
        for name, sources in self.classes.items():
            if not sources:
                raise ValueError(
                    f"the class {shown(name)} has no pictures; allowed: 1 or more in every class"
                )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.classes)

    def draw(self, clip: Clip, shots: int, seed: int) -> Draw:
        whole("shots", shots, 1, MAX_SHOTS)
        whole("seed", seed, 0, MAX_SEED, "2^63 - 1")
        sources, labels, features = self._encoded(clip)
        rng, chosen = Random(f"shots {seed}"), []
        for label, name in enumerate(self.names):
            mine = [number for number, other in enumerate(labels) if other == label]
            if len(mine) < shots:
                told = "".join(f" ({note})" for note in self.notes if shown(name) in note)
                raise ValueError(
                    f"the class {shown(name)} has {len(mine)} pictures and {shots} shots were asked for; "
                    f"allowed: 1 to {len(mine)}{told}"
                )
            chosen += rng.sample(mine, shots)
        rest = sorted(set(range(len(labels))) - set(chosen))
        held = HeldOut(features[rest], torch.tensor(labels, device=clip.device)[rest])
        pictures = tuple(enough(clip, opened(sources[number])) for number in chosen)
        return Draw(pictures, tuple(labels[number] for number in chosen), {REST: held} if rest else {})

    def _encoded(self, clip: Clip) -> tuple[list[Source], list[int], Tensor]:
        """The pictures that can be read, their labels, and their features (N, D)."""
        if self._read.get("clip") is not clip:
            sources: list[Source] = []
            labels: list[int] = []
            features = encoded(clip, self._readable(sources, labels))
            self._read = {"clip": clip, "found": (sources, labels, features)}
        return self._read["found"]

    def _readable(self, sources: list[Source], labels: list[int]) -> Iterator[Image.Image]:
        """Each picture that can be read, after it was added to `sources` and its class to `labels`."""
        seen: dict[bytes, int] = {}
        skipped, twice = list(self.skipped), list[str]()
        for label, (name, given) in enumerate(self.classes.items()):
            before = len(labels)
            for source in given:
                try:
                    picture = opened(source)
                except ValueError as error:
                    skipped.append(str(error))
                    continue
                digest = hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).digest()
                if digest in seen and seen[digest] != label:
                    raise ValueError(
                        f"the same picture is in the classes {shown(self.names[seen[digest]])} and {shown(name)}; "
                        "allowed: every picture in one class"
                    )
                if digest in seen:  # what is learnt must not be what it is tried on
                    twice.append(name)
                    continue
                seen[digest] = label
                sources.append(source)
                labels.append(label)
                yield picture
            if len(labels) == before:
                why = f" ({skipped[-1]})" if skipped else ""
                raise ValueError(f"no picture of the class {shown(name)} can be read{why}")
        unread = f"{len(skipped)} of {len(skipped) + len(labels)} pictures could not be read"
        self.notes = (unread, *(f"left out: {each}" for each in skipped)) if skipped else ()
        self.notes += tuple(
            f"left out: {count} of the class {shown(name)}, because the same picture is there already"
            for name, count in Counter(twice).items()
        )


@dataclass(eq=False)
class DrawnExamples:
    """A task of a package that draws: `names`, and `pictures(set_name, per_class, first)`."""

    task: Any
    tests: tuple[str, ...]
    per_class: int = PER_CLASS
    notes: tuple[str, ...] = ()
    _sets: dict[str, HeldOut] = field(default_factory=dict, repr=False)
    _clip: Clip | None = field(default=None, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.task.names)

    def draw(self, clip: Clip, shots: int, seed: int) -> Draw:
        whole("shots", shots, 1, MAX_SHOTS)
        whole("seed", seed, 0, MAX_SEED, "2^63 - 1")
        found = list(self.task.pictures("shots", shots, seed * MAX_SHOTS))
        if self._clip is not clip:
            self._sets, self._clip = {}, clip
        held_out = {name: self._set(clip, name) for name in self.tests}
        return Draw(tuple(picture for picture, _ in found), tuple(label for _, label in found), held_out)

    def _set(self, clip: Clip, name: str) -> HeldOut:
        if name not in self._sets:
            labels: list[int] = []

            def pictures() -> Iterator[Image.Image]:
                for picture, label in self.task.pictures(name, self.per_class):
                    labels.append(label)
                    yield picture

            features = encoded(clip, pictures())
            self._sets[name] = HeldOut(features, torch.tensor(labels, device=clip.device))
        return self._sets[name]


def open_examples(data: str, tests: Sequence[str] | None = None, per_class: int = PER_CLASS) -> Examples:
    """A folder, or "PACKAGE:TASK" with the sets to be tried on (default: all that are for reporting) and how many
    pictures of a class they have.

    ValueError for anything else.
    """
    package, colon, task = data.partition(":")
    if colon and has_module(package, "tasks"):
        module = import_module(f"{package}.tasks")
        return DrawnExamples(
            module.find_task(task), tuple(module.TESTS if tests is None else tests), per_class
        )
    return examples_in(Path(data))


def examples_in(folder: Path) -> GivenExamples:
    """The pictures of a folder that has a folder for each class, named as the class is. Nothing is opened."""
    found = read_folder(folder)
    if not found.classes:
        raise ValueError(f"{shown(folder.name)} holds no folders; allowed: one for each class, with pictures")
    twice = [name for name in found.classes if found.classes.count(name) > 1]
    if twice:
        raise ValueError(f"two folders are called {shown(twice[0])}; allowed: one for each class")
    skipped: list[str] = []
    return GivenExamples(found.by_class(skipped), tuple(skipped))
