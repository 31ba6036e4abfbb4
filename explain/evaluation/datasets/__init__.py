"""Pictures with masks, read from folders in the layouts of PASCAL VOC 2012, COCO 2017 and ImageNet-S:

    from explain.evaluation.datasets import open_dataset

    for labelled in open_dataset("VOCdevkit", limit=100):
        image = labelled.read_image()
        for name, mask in labelled.masks.items():
            ...

Nothing is downloaded and nothing is bundled: the folders are the user's.
"""

import os
from os import PathLike
from pathlib import Path

from explain.evaluation.datasets import coco, imagenet_s, voc
from explain.evaluation.datasets.labelled import Dataset, Labelled

LAYOUTS = (voc.LAYOUT, coco.LAYOUT, imagenet_s.LAYOUT)

__all__ = ["LAYOUTS", "Dataset", "Labelled", "open_dataset"]


def open_dataset(folder: str | PathLike, limit: int | None = None) -> Dataset:
    """The labelled pictures of a folder in one of LAYOUTS, at most `limit`; where several fit, the first does.

    No picture is opened yet. ValueError, naming the layouts, for any other folder; for a list or a json file
    that is broken, or that names files outside the folder; and where there is no picture.
    """
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise ValueError(f"limit is {limit!r}; allowed: 1 picture or more, or None for all")
    root = Path(folder)
    shown = repr(os.fspath(folder))[:200]
    if not os.path.isdir(folder):
        raise ValueError(f"there is no folder {shown}; allowed: a folder of {_CHOICES}")
    for layout in (voc, coco, imagenet_s):
        found = layout.find(root)
        if found is not None:
            return layout.read(found, limit)
    raise ValueError(f"{shown} is no data set that can be read here; allowed: a folder of {_CHOICES}")


_CHOICES = "; or ".join(LAYOUTS)
