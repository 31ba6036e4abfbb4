"""PASCAL VOC 2012, validation set of the segmentation task (Everingham et al. 2010)."""

from pathlib import Path

import numpy as np

from explain.evaluation.datasets.labelled import Dataset, Labelled, label, read_labels, read_text
from explain.inputs.folders import inside, plain

LAYOUT = (
    "PASCAL VOC 2012 (JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/val.txt, "
    "in it or in its VOC2012/ or VOCdevkit/VOC2012/)"
)
# The index of a pixel's colour is the class, from 1; 0 is the background.
CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
VOID = 255  # the outlines of things, and what is hard to tell
_LIST = "ImageSets/Segmentation/val.txt"
_MASK = f"a palette PNG (mode P) whose pixels are 0 to {len(CLASSES)}, or {VOID} for void"


def find(folder: Path) -> Path | None:
    """The folder that has the layout: this one, or what is usually unpacked in it."""
    for root in (folder, folder / "VOC2012", folder / "VOCdevkit" / "VOC2012"):
        if (root / _LIST).is_file() and all((root / n).is_dir() for n in ("JPEGImages", "SegmentationClass")):
            return root
    return None


def read(root: Path, limit: int | None) -> Dataset:
    """In the order of the list. Which classes have no picture shows only when all masks are read."""
    names = (line.strip() for line in read_text(root / _LIST).splitlines())
    keys = tuple(dict.fromkeys(plain(name, _LIST) for name in names if name))[:limit]
    if not keys:
        raise ValueError(f"{_LIST} lists no picture; allowed: 1 or more names, one on each line")
    return Dataset("PASCAL VOC 2012", CLASSES, (), keys, lambda key: _labelled(root, key))


def _labelled(root: Path, key: str) -> Labelled:
    path = inside(root / "SegmentationClass", f"{key}.png")
    labels = read_labels(path, "P", _MASK)
    present = np.unique(labels)
    things = present[(present > 0) & (present != VOID)]
    if len(things) and things[-1] > len(CLASSES):
        raise ValueError(f"the mask {path.name!r} has pixels of {things[-1]}; allowed: {_MASK}")
    masks = {CLASSES[index - 1]: labels == index for index in things}
    image_path = inside(root / "JPEGImages", f"{key}.jpg")
    return label(image_path, masks, labels != VOID, key, f"the mask {path.name!r}")
