"""A lesson on its way: the classes a visitor gave, and how learning them goes. Nothing is shared between visitors."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ui.models import clip_jobs, device

if TYPE_CHECKING:
    from guidance.tuning.lesson import LessonStep, Reading
    from guidance.tuning.tune import TuningStep

MAX_CLASSES, MAX_PICTURES = 8, 16
MAX_EPOCHS = 200
MAX_NAME = 100  # characters
_JOINERS = "\u200c\u200d"  # cannot be seen, and yet part of words and of emoji


@dataclass(frozen=True)
class LessonAsked:
    """Request for a lesson: names of classes, each with the files of its pictures, and how it is learnt."""

    classes: tuple[tuple[str, tuple[str, ...]], ...]
    shots: int = 1
    weight: float = 5.0
    epochs: int = 50
    seed: int = 0
    model: str = device.DEFAULT_MODEL


@dataclass(frozen=True)
class Point:
    """Result of a step: the cross entropy of its pictures, and the share of the others that found their class."""

    index: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Lesson:
    """How far a lesson is. `curves` and `readings` by way of learning, as `guidance.tuning.lesson` names them."""

    asked: LessonAsked
    tried_on: str = ""
    total: int = 0
    curves: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    readings: Mapping[str, Reading] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    finished: bool = False

    @property
    def settled(self) -> bool:
        return self.finished


def learn(asked: LessonAsked) -> Iterator[Lesson]:
    """The lesson after every step. Close it to stop. ValueError for what cannot be learnt."""
    check(asked)
    begun, now = time.perf_counter(), Lesson(asked)
    classes = {name: list(files) for name, files in asked.classes}
    for step in clip_jobs.learn(asked.model, classes, asked.shots, asked.weight, asked.epochs, asked.seed):
        now = replace(_with(now, step), seconds=time.perf_counter() - begun)
        yield now
    yield replace(now, finished=True)


def check(asked: LessonAsked) -> None:
    """ValueError for classes that a page may not have; the library says what else is wrong."""
    if len(asked.classes) > MAX_CLASSES:
        raise ValueError(f"{len(asked.classes)} classes are too many: at most {MAX_CLASSES} here")
    for name, files in asked.classes:
        if len(name) > MAX_NAME:
            raise ValueError(f"a class name has {len(name)} characters: at most {MAX_NAME}")
        if len(files) > MAX_PICTURES:
            raise ValueError(f"the class “{name}” has {len(files)} pictures: at most {MAX_PICTURES}")
    if asked.epochs > MAX_EPOCHS:
        raise ValueError(f"epochs is {asked.epochs}; allowed: 1 to {MAX_EPOCHS}")


def given(
    names: Sequence[str | None], files: Sequence[Sequence[str]]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The classes of which a visitor gave a name or pictures, in their order. ValueError for pictures without a name,
    names that cannot be read, and two classes of one name: capital letters and white space make no other.
    """
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for number, (name, pictures) in enumerate(zip(names, files, strict=True), start=1):
        name = " ".join((name or "").split())
        if not name and not pictures:
            continue
        if not name:
            raise ValueError(f"class {number} has pictures and no name: say what they show")
        if not all(character.isprintable() or character in _JOINERS for character in name):
            raise ValueError(
                f"the name of class {number} holds a character that cannot be seen: type it anew"
            )
        if name.lower() in found:
            other = found[name.lower()][0]
            same = (
                f"called “{name}”" if name == other else f"called “{other}” and “{name}”, which is one name"
            )
            raise ValueError(f"two classes are {same}: give them different names")
        found[name.lower()] = name, tuple(pictures)
    if not found:
        raise ValueError("There are no classes yet: name two or more, and give each a picture or more")
    return tuple(found.values())


def _with(now: Lesson, step: LessonStep) -> Lesson:
    now = replace(now, tried_on=step.tried_on, notes=step.notes)
    if step.reading is not None:
        return replace(now, readings={**now.readings, step.way: step.reading})
    assert step.step is not None
    points = (*now.curves.get(step.way, ()), _point(step.step))
    return replace(now, total=step.step.total, curves={**now.curves, step.way: points})


def _point(step: TuningStep) -> Point:
    (accuracy,) = step.accuracy.values()
    return Point(step.index, step.losses.get("cross_entropy", float("nan")), accuracy)
