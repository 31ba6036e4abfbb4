"""Data that every layout of a data folder gives, and the checks that all of them share."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import ExifTags, Image

from explain.inputs.folders import _shown
from explain.inputs.images import MAX_PIXELS, read_image

_UNDO = {  # EXIF orientation -> what brings an upright picture back to how its pixels are stored
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True, eq=False)
class Labelled:
    """A picture and the masks of its things: class name -> (H, W) booleans, all of a class in one. Only
    classes that are in the picture are there. `valid` (H, W) is False on void pixels. `key` is the picture's
    name in its data set.
    """

    image_path: Path
    masks: Mapping[str, np.ndarray]
    valid: np.ndarray
    key: str

    def read_image(self) -> Image.Image:
        """The picture as its masks see it, RGB.

        People drew the masks on pixels as they are stored, before any EXIF rotation: a picture whose stored
        size is the masks' is read that way, whatever its EXIF says; only else is it turned upright.
        """
        image = read_image(self.image_path)
        stored, orientation = _header(self.image_path)
        if orientation in _UNDO and stored == self.valid.shape[::-1]:
            return image.transpose(_UNDO[orientation])
        return image


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled pictures in a stable order, read one at a time as they are asked for.

    `classes` are all of the data set's; `empty_classes` those known to have no picture (before any `limit`),
    as far as that shows without opening every mask: nothing yields them, so no mean may count them.
    """

    layout: str
    classes: tuple[str, ...]
    empty_classes: tuple[str, ...]
    keys: tuple[str, ...]
    read: Callable[[str], Labelled]

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Labelled]:
        """In the order of `keys`. ValueError at the first picture or mask that cannot be used."""
        return map(self.read, self.keys)

    def readable(self, skipped: list[str]) -> Iterator[Labelled]:
        """As iterating, but one that cannot be used is left out, and what is wrong appended to `skipped`.

        Pictures are decoded here to find out, so this takes longer.
        """
        for key in self.keys:
            try:
                labelled = self.read(key)
                labelled.read_image()
            except ValueError as error:
                skipped.append(f"{key}: {error}")
            else:
                yield labelled


def label(
    image_path: Path, masks: dict[str, np.ndarray], valid: np.ndarray, key: str, source: str
) -> Labelled:
    """A Labelled whose masks cannot be written to. `source`: what gave the masks, for messages.

    ValueError where the picture is of another size, both as stored and upright.
    """
    (width, height), orientation = _header(image_path)
    rows, columns = valid.shape
    turned = orientation in (5, 6, 7, 8)
    if (width, height) != (columns, rows) and not (turned and (height, width) == (columns, rows)):
        raise ValueError(
            f"{source} is {columns} x {rows} pixels, its picture {image_path.name!r} {width} x {height}; "
            "allowed: masks of their picture's size"
        )
    for array in (valid, *masks.values()):
        array.setflags(write=False)
    return Labelled(image_path, MappingProxyType(masks), valid, key)


def read_labels(path: Path, mode: str, meaning: str) -> np.ndarray:
    """The numbers of a PNG (H, W) or (H, W, 3) of one PIL mode; `meaning` says in messages what that is."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            found, size = image.mode, image.size
            if found == mode and size[0] * size[1] <= MAX_PIXELS:
                return np.array(image)
    except FileNotFoundError as error:
        raise ValueError(f"there is no mask {_shown(path)}; allowed: one for every picture") from error
    except Exception as error:  # decoders raise all kinds on damaged files
        raise ValueError(f"the mask {_shown(path)} cannot be read; allowed: {meaning}") from error
    raise ValueError(
        f"the mask {_shown(path)} is a picture of mode {found}, {size[0]} x {size[1]}; "
        f"allowed: {meaning}, of at most {MAX_PIXELS // 1_000_000} megapixels"
    )


def read_text(path: Path) -> str:
    """A small text file in UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{_shown(path)} cannot be read; allowed: a text file in UTF-8") from error


def _header(path: Path) -> tuple[tuple[int, int], int]:
    """(width, height) as stored, and the EXIF orientation, 1 where there is none; no JPEG is decoded."""
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            size = image.size
            try:
                return size, int(image.getexif().get(ExifTags.Base.Orientation, 1))
            except Exception:  # damaged EXIF: the pixels are still good, and stay as they are
                return size, 1
    except FileNotFoundError as error:
        raise ValueError(f"there is no picture {_shown(path)}; allowed: one for every entry") from error
    except Exception as error:  # decoders raise all kinds on damaged files
        raise ValueError(f"the picture {_shown(path)} cannot be read; allowed: JPEG or PNG") from error
