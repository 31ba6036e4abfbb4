"""Pictures with captions to train on: a CSV file, or a package that draws its own."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image

from explain.inputs.images import read_image


def captioned(source: str, size: tuple[int, int]) -> Iterator[Captioned]:
    """Pictures with captions from a CSV file with the columns `image` (a path, relative to the file's folder) and
    `caption`, or from a package by its name: what its `pictures.captioned(size)` yields, endless or not.

    `size` (height, width): as large as the model sees pictures. ValueError for anything else, naming the line.
    """
    path = Path(source)
    if path.suffix.lower() == ".csv":
        return _rows(path)
    if (
        source.isidentifier()
        and find_spec(source) is not None
        and find_spec(f"{source}.pictures") is not None
    ):
        return import_module(f"{source}.pictures").captioned(size)
    raise ValueError(f"{source!r} is neither a .csv file nor a package that draws pictures")


def drawn(source: str) -> ModuleType | None:
    """The module that draws a package's pictures, by the package's name ("toyland"); None if there is none."""
    if not source.isidentifier() or find_spec(source) is None or find_spec(f"{source}.pictures") is None:
        return None
    return import_module(f"{source}.pictures")


def _rows(path: Path) -> Iterator[Captioned]:
    if not path.is_file():
        raise ValueError(f"{path} does not exist")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if not {"image", "caption"} <= set(reader.fieldnames or ()):
            raise ValueError(f"{path.name} needs the columns image and caption; it has {reader.fieldnames}")
        try:
            for row in reader:
                if not row["image"] or not (row["caption"] or "").strip():
                    raise ValueError("no image or no caption")
                yield Captioned(read_image(path.parent / row["image"]), row["caption"])
        except (ValueError, OSError, csv.Error) as error:
            raise ValueError(f"{path.name}, line {reader.line_num}: {error}") from error


@dataclass(frozen=True)
class Captioned:
    """A picture with a caption, and, where it is known, the exact mask (H, W) of what is in it."""

    image: Image.Image
    caption: str
    mask: np.ndarray | None = None


def has_module(name: str, module: str) -> bool:
    """Whether there is a package of this name, and it has the module."""
    try:
        return (
            name.isidentifier() and find_spec(name) is not None and find_spec(f"{name}.{module}") is not None
        )
    except (ModuleNotFoundError, ValueError):  # a module that is no package; one that has no spec
        return False
