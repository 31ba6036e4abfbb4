"""Lessons to begin with: some classes of Toyland's tasks, with drawn pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image

from toyland.tasks import TASKS

PICTURES = 8  # of each class: some to learn from, the others to try it on


@dataclass(frozen=True)
class LessonExample:
    """Classes of a task by their numbers, the set that their pictures are of, and how many are learnt from."""

    task: str
    labels: tuple[int, ...]
    pictures_of: str = "balanced"
    shots: int = 3

    @property
    def names(self) -> list[str]:
        """The classes' names."""
        return [TASKS[self.task].names[label] for label in self.labels]

    def pictures(self) -> list[list[Image.Image]]:
        """Those of each class."""
        return [
            [picture.copy() for picture in _drawn(self.task, self.pictures_of, label)]
            for label in self.labels
        ]


@lru_cache(maxsize=32)  # more than all examples have classes
def _drawn(task: str, pictures_of: str, label: int) -> tuple[Image.Image, ...]:
    return tuple(TASKS[task].picture(pictures_of, label, number) for number in range(PICTURES))


EXAMPLES: Mapping[str, LessonExample] = {
    "In company": LessonExample("company", (0, 1, 4, 6, 8)),
    "In pencil": LessonExample("synonyms", (0, 6, 13, 17, 18), "drawings"),
    "Small and large": LessonExample("fine", (0, 1, 4, 5, 8), "rendered"),
}
FIRST = "In company"
