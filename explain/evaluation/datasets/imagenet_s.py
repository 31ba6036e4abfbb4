"""ImageNet-S, validation set (Gao et al. 2022, Large-scale Unsupervised Semantic Segmentation, arXiv 2106.03149).

A pixel of class i, from 1 in the order of the classes, is red + 256 * green = i; 0 is whatever else is in the
picture, 1000 void.
"""

from itertools import zip_longest
from pathlib import Path

import numpy as np

from explain.evaluation.datasets.labelled import Dataset, Labelled, label, read_labels, read_text
from explain.inputs.folders import inside

LAYOUT = (
    "ImageNet-S (validation/ and validation-segmentation/, each with a folder per class, and perhaps "
    "classes.txt with a line per class: its folder and its name, or its name)"
)
VOID = 1000
_PICTURES = (".jpeg", ".jpg", ".png")
_MASK = "an RGB PNG whose red + 256 * green is a class, 0 for others or 1000 for void"


def find(folder: Path) -> Path | None:
    """The folder itself, if it has the layout."""
    found = all((folder / name).is_dir() for name in ("validation", "validation-segmentation"))
    return folder if found else None


def read(root: Path, limit: int | None) -> Dataset:
    """The first picture of each class, then the second of each: a limit then takes a few of all.

    Without classes.txt the classes are the folders in alphabetical order, and a name is the folder's. So part
    of a data set, with folders missing, needs that file: else its numbers would mean other classes.
    """
    folders = sorted(path.name for path in (root / "validation").iterdir() if path.is_dir())
    names = _names(root / "classes.txt", folders)
    pictures = {folder: _pictures(root / "validation" / folder) for folder in folders}
    turns = zip_longest(*([f"{folder}/{name}" for name in found] for folder, found in pictures.items()))
    keys = tuple(key for turn in turns for key in turn if key is not None)[:limit]
    if not keys:
        raise ValueError(
            f"there is no picture in {root.name}/validation; allowed: folders with {', '.join(_PICTURES)} files"
        )
    empty = tuple(name for folder, name in names.items() if not pictures.get(folder))
    classes = tuple(names.values())
    return Dataset("ImageNet-S", classes, empty, keys, lambda key: _labelled(root, classes, key))


def _pictures(folder: Path) -> list[str]:
    return sorted(
        path.name for path in folder.iterdir() if path.suffix.lower() in _PICTURES and path.name[0] != "."
    )


def _names(path: Path, folders: list[str]) -> dict[str, str]:
    """Folder -> name of its class, in the order of the classes' numbers."""
    if not path.exists():
        return {folder: folder for folder in folders}
    rows = [line.split(maxsplit=1) for line in read_text(path).splitlines() if line.strip()]
    if len(rows) == len(folders) and not {row[0] for row in rows} & set(folders):  # names alone
        rows = [[folder, " ".join(row)] for folder, row in zip(folders, rows, strict=True)]
    names = {row[0]: row[-1].strip() for row in rows}
    missing = sorted(set(folders) - set(names))
    if missing:
        raise ValueError(
            f"classes.txt lacks the folder {missing[0]!r} ({len(missing)} in all); "
            "allowed: a line for every class in the order of their numbers, 'n01443537 goldfish'"
        )
    if not len(rows) == len(names) == len(set(names.values())):
        raise ValueError("classes.txt has a folder or a name twice; allowed: one line for each class")
    return names


def _labelled(root: Path, classes: tuple[str, ...], key: str) -> Labelled:
    path = inside(root / "validation-segmentation", str(Path(key).with_suffix(".png")))
    pixels = read_labels(path, "RGB", _MASK).astype(np.int32)
    labels = pixels[..., 0] + 256 * pixels[..., 1]
    present = np.unique(labels)
    things = present[(present > 0) & (present != VOID)]
    if len(things) and things[-1] > len(classes):
        raise ValueError(
            f"the mask {path.name!r} has pixels of class {things[-1]}; allowed: 1 to {len(classes)}, "
            "the number of classes (where folders are missing, classes.txt must list them all)"
        )
    masks = {classes[index - 1]: labels == index for index in things}
    return label(inside(root / "validation", key), masks, labels != VOID, key, f"the mask {path.name!r}")
