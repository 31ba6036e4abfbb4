"""Photographs for the commands of `explain`: with masks to measure on, with captions to train ECLIP on, with a name.

`python -m explain evaluate --data photographs`, `train-eclip --data photographs` and `words photographs` find these by
name. The folder is that of TOKENLIGHT_PHOTOS.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

from PIL import Image

from explain.evaluation.subjects import Subject
from explain.inputs.captions import Captioned
from explain.inputs.images import read_image
from photographs.data import largest, masked_photos, subjects, training_photos

SPLITS = {"validation": "choose", "test": "report"}
# All labels of `singles`: COCO's people, vehicles, animals and large furniture.
KINDS = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"),
    *("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"),
    *("chair", "couch", "bed", "dining table", "toilet"),
)


def data_folder(given: Path | None = None) -> Path:
    """The folder of photographs: the given one, or that of TOKENLIGHT_PHOTOS. ValueError where there is none."""
    named = os.environ.get("TOKENLIGHT_PHOTOS", "").strip()
    folder = given or (Path(named) if named else None)
    if folder is None or not folder.is_dir():
        where = "no folder was named" if folder is None else f"there is no folder {str(folder)!r}"
        raise ValueError(f"{where}; give the folder of photographs as --data or in TOKENLIGHT_PHOTOS")
    return folder


def labelled(split: str, size: tuple[int, int], count: int, first: int = 0) -> Iterator[Subject]:
    """`count` photographs with masks from number `first`: "validation" to choose on, "test" to report. `size` is not
    used: photographs have their own.
    """
    return islice(subjects(data_folder(), _half(split)), first, first + count)


def singles(split: str, size: tuple[int, int], count: int) -> Iterator[tuple[Image.Image, str]]:
    """At most `count` photographs of a split whose largest object is one of KINDS, and its name. `size` is not used."""
    named = ((path, largest(masks)) for path, masks in masked_photos(data_folder(), _half(split)) if masks)
    return (
        (read_image(path), name) for path, name in islice((one for one in named if one[1] in KINDS), count)
    )


def _half(split: str) -> str:
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; choose from {', '.join(SPLITS)}")
    return SPLITS[split]


def captioned(size: tuple[int, int]) -> Iterator[Captioned]:
    """The training photographs, each with one of its captions, again and again in another order. Endless."""
    photos = [photo for photo in training_photos(data_folder()) if photo.captions]
    rng = Random(0)
    while True:
        rng.shuffle(photos)
        for photo in photos:
            yield Captioned(read_image(photo.path), rng.choice(photo.captions))
