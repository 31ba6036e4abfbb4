"""Subjects of a measurement: pictures with masks, prompts and captions, read a range at a time so that a run can
go on where it stopped. Drawn by a package, or read from a data folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from explain.evaluation.datasets import Dataset, open_dataset
from explain.inputs.captions import drawn


@dataclass(frozen=True)
class Thing:
    """One question: the class that its scores count for, the prompt, and the mask (H, W)."""

    name: str
    prompt: str
    mask: np.ndarray


@dataclass(frozen=True)
class Subject:
    """A picture to measure on. `valid` (H, W) is False on void pixels, None where there are none.

    `caption` is a sentence that is true of it and `content` the words of it that carry the meaning, for the
    measures of words; where the caption is empty, those leave the picture out.
    """

    image: Image.Image
    things: tuple[Thing, ...]
    valid: np.ndarray | None = None
    caption: str = ""
    content: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pictures:
    """Pictures number 0 to `count` - 1. `read(first, stop, skipped)` gives those of a range, each with its number;
    one that cannot be used is left out, and what is wrong with it appended to `skipped`.

    `digest` is of their names, where they have any. `classes`: all of the data set's, where they are known.
    """

    count: int
    read: Callable[[int, int, list[str]], Iterator[tuple[int, Subject]]]
    digest: str = ""
    classes: tuple[str, ...] = ()


def tuning_and_testing(
    data: str, split: str, pictures: int, size: tuple[int, int]
) -> tuple[Pictures, Pictures]:
    """Pictures to choose thresholds on, and pictures to report: at most so many of each, no picture in both.

    `data` is a package that draws ("toyland": its validation split and `split`, at `size`) or a data folder
    (every other picture). ValueError for anything else, and for a folder with fewer than two pictures.
    """
    drawing = drawn(data)
    if drawing is not None:
        return _drawn(drawing, "validation", pictures, size), _drawn(drawing, split, pictures, size)
    dataset = open_dataset(data, limit=2 * pictures)
    if len(dataset) < 2:
        raise ValueError(f"{data} has {len(dataset)} pictures; half of them choose thresholds, so at least 2")
    count = len(dataset) // 2
    return _folder(dataset, dataset.keys[0::2][:count]), _folder(dataset, dataset.keys[1::2])


def _drawn(drawing, split: str, pictures: int, size: tuple[int, int]) -> Pictures:
    def read(first: int, stop: int, skipped: list[str]) -> Iterator[tuple[int, Subject]]:
        return enumerate(drawing.labelled(split, size, stop - first, first), first)

    if next(drawing.labelled(split, size, 1, pictures - 1), None) is None:  # before hours of work
        pictures = sum(1 for _ in drawing.labelled(split, size, pictures))  # as many as there are
    return Pictures(pictures, read)


def _folder(dataset: Dataset, keys: tuple[str, ...]) -> Pictures:
    def read(first: int, stop: int, skipped: list[str]) -> Iterator[tuple[int, Subject]]:
        for number, key in enumerate(keys[first:stop], first):
            try:
                one = dataset.read(key)
                image = one.read_image()
            except ValueError as error:
                skipped.append(f"{key}: {error}")
                continue
            things = tuple(Thing(name, name, mask) for name, mask in one.masks.items())
            caption = f"a photo of a {things[0].name}" if things else ""
            content = tuple(things[0].name.split()) if things else ()
            yield number, Subject(image, things, None if one.valid.all() else one.valid, caption, content)

    digest = hashlib.sha256("\n".join(keys).encode("utf-8", "surrogateescape")).hexdigest()
    return Pictures(len(keys), read, digest, dataset.classes)
