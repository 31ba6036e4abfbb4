"""Reads photographs: with captions to train on, with masks to measure on.

The folder (`--data`) holds the sets that README names; a set that is missing is left out of the training and refused by
the measure that needs it. Nothing is downloaded.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from explain.evaluation.datasets.coco_masks import decode
from explain.evaluation.subjects import Subject, Thing
from explain.inputs.images import read_image

SHARES = (0.01, 0.60)  # of the picture that an object must cover to be measured
COMMON = 3  # photographs of a class that its mean needs
HALVES = ("choose", "report")
MASKED = {"choose": "coco-masks", "report": "coco-instances"}
_LAST_OBJECT = 90  # ids above are COCO's stuff: sky, grass, ...


@dataclass(frozen=True)
class Photo:
    """A photograph and what people wrote about it: sentences, and rough statements made of questions."""

    path: Path
    captions: tuple[str, ...]
    statements: tuple[str, ...] = ()


def training_photos(data: Path) -> list[Photo]:
    """All photographs that may be trained on, in the order of their names; Flickr8k's dev is kept out."""
    found = []
    if (data / "flickr8k.tsv").is_file():
        found += _grouped(
            data, "flickr8k", [(file, "caption", text) for file, text in _flickr(data, "train")]
        )
    if (data / "coco-captioned.tsv").is_file():
        rows = [(file, "caption", text) for file, text in _rows(data, "coco-captioned", 2)]
        found += _grouped(data, "coco-captioned", rows)
    if (data / "coco-statements.tsv").is_file():
        found += _grouped(data, "coco-statements", _rows(data, "coco-statements", 3))
    if not found:
        raise ValueError(f"{data} has no flickr8k.tsv, coco-captioned.tsv or coco-statements.tsv to train on")
    return found


def retrieval_photos(data: Path, half: str) -> list[Photo]:
    """One half of Flickr8k's dev: of the sorted names the 1st, 3rd, ... to "choose" on, the others to "report"."""
    if half not in HALVES:
        raise ValueError(f"half {half!r} is unknown; allowed: {', '.join(HALVES)}")
    rows = [(file, "caption", text) for file, text in _flickr(data, "dev")]
    return _grouped(data, "flickr8k", rows)[HALVES.index(half) :: 2]


def masked_photos(data: Path, half: str) -> Iterator[tuple[Path, dict[str, np.ndarray]]]:
    """The photographs with masks of one half, in order, and the mask (H, W) of each class of objects in them."""
    if half not in HALVES:
        raise ValueError(f"half {half!r} is unknown; allowed: {', '.join(HALVES)}")
    folder = data / MASKED[half]
    classes = {int(key): name for key, name in json.loads((folder / "classes.json").read_text()).items()}
    listed = folder / "instances.json"
    drawn = json.loads(listed.read_text()) if listed.is_file() else None
    for path in sorted((folder / "images").iterdir()):
        yield path, _labels(folder, path, classes) if drawn is None else _polygons(path, drawn[path.name])


def subjects(data: Path, half: str) -> Iterator[Subject]:
    """The photographs with masks as subjects to measure maps on: one question a class that covers 1 to 60 %."""
    for path, masks in masked_photos(data, half):
        things = tuple(
            Thing(name, with_article(name), mask)
            for name, mask in masks.items()
            if SHARES[0] <= mask.mean() <= SHARES[1]
        )
        yield Subject(read_image(path), things)


def largest(masks: dict[str, np.ndarray]) -> str:
    """The class of the largest mask."""
    return max(masks, key=lambda name: masks[name].sum())


def with_article(name: str) -> str:
    """The name of a class as a prompt: "a dog", "an apple"."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _labels(folder: Path, path: Path, classes: dict[int, str]) -> dict[str, np.ndarray]:
    ids = np.asarray(Image.open(folder / "masks" / f"{path.stem}.png"))
    return {
        classes[int(number)]: ids == number
        for number in np.unique(ids)
        if 0 < number <= _LAST_OBJECT and int(number) in classes
    }


def _polygons(path: Path, drawn: list[dict]) -> dict[str, np.ndarray]:
    with Image.open(path) as image:
        size = (image.height, image.width)
    masks: dict[str, np.ndarray] = {}
    for entry in drawn:
        mask = decode(entry["segmentation"], size)
        masks[entry["name"]] = masks[entry["name"]] | mask if entry["name"] in masks else mask
    return {name: mask for name, mask in masks.items() if mask.any()}


def _flickr(data: Path, split: str) -> list[tuple[str, str]]:
    return [(file, text) for file, part, text in _rows(data, "flickr8k", 3) if part == split]


def _rows(data: Path, name: str, columns: int) -> list[tuple[str, ...]]:
    """The lines of a set's table. ValueError naming the first line that has another number of columns."""
    path = data / f"{name}.tsv"
    if not path.is_file():
        raise ValueError(f"there is no {path.name} in {data}")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        row = tuple(line.split("\t"))
        if len(row) != columns:
            raise ValueError(f"{path.name}, line {number}: {len(row)} columns; allowed: {columns}")
        rows.append(row)
    return rows


def _grouped(data: Path, folder: str, rows: Sequence[tuple[str, ...]]) -> list[Photo]:
    """Rows (file, kind, text) as photographs, sorted by name."""
    texts: dict[str, dict[str, list[str]]] = defaultdict(lambda: {"caption": [], "statement": []})
    for file, kind, text in rows:
        texts[file][kind].append(text.strip())
    return [
        Photo(data / folder / file, tuple(found["caption"]), tuple(found["statement"]))
        for file, found in sorted(texts.items())
    ]
