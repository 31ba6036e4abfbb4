"""Where things are to be, as numbers in [0, 1] for every pixel of a grid of any size. numpy and PIL only."""

from collections.abc import Sequence
from io import BytesIO
from os import PathLike

import numpy as np
from PIL import Image

LONGEST = 1024  # pixels: what is larger is made smaller when it is read


def rectangles(edges: Sequence[tuple[float, float, float, float]], height: int, width: int) -> np.ndarray:
    """The share of every pixel that lies in at least one rectangle, (height, width) float32 and exact.

    `edges`: left, top, right, bottom of each in fractions of the width and the height. The picture is cut along all
    edges and all pixels' borders, so that every piece is in or out as a whole.
    """
    sides = np.asarray(edges, dtype=np.float64).reshape(-1, 4)
    rows, row_sizes = _cuts(sides[:, [1, 3]], height)
    columns, column_sizes = _cuts(sides[:, [0, 2]], width)
    inside = np.zeros((len(rows), len(columns)))
    for left, top, right, bottom in sides:
        inside[np.ix_((top < rows) & (rows < bottom), (left < columns) & (columns < right))] = 1
    area = inside * row_sizes[:, None] * column_sizes
    area = np.add.reduceat(area, _starts(rows, height), axis=0)
    area = np.add.reduceat(area, _starts(columns, width), axis=1)
    return (area * height * width).clip(0, 1).astype(np.float32)


def resized(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """A mask (H, W) at another size by area: every pixel gets the mean of what it covers. Float32."""
    if mask.shape == (height, width):
        return mask
    small = Image.fromarray(np.ascontiguousarray(mask, dtype=np.float32))
    return np.asarray(small.resize((width, height), Image.Resampling.BOX)).clip(0, 1)


def read_mask(source: str | PathLike | bytes | Image.Image) -> np.ndarray:
    """A mask (H, W) float32 in [0, 1] from a picture: white is inside; black, and what is transparent, outside.

    ValueError for what `explain.read_image` refuses. Masks larger than LONGEST are made smaller.
    """
    from explain.inputs.images import as_rgb, read_image  # here: boxes alone need neither

    if not isinstance(source, Image.Image):
        read_image(source)  # refuses every bad file, but puts what is transparent on white
        source = Image.open(BytesIO(source) if isinstance(source, bytes) else source)
    grey = np.asarray(as_rgb(_on_black(source)).convert("L"), dtype=np.float32) / 255
    longest = max(grey.shape)
    if longest > LONGEST:
        height, width = (max(1, round(side * LONGEST / longest)) for side in grey.shape)
        grey = resized(grey, height, width)
    return grey


def _on_black(picture: Image.Image) -> Image.Image:
    """The picture without transparency: what was transparent is black. Its orientation is still to be applied."""
    if not picture.has_transparency_data:
        return picture
    kept = {name: value for name, value in picture.info.items() if name == "exif"}
    if picture.mode.startswith(("I", "F")):  # 16 bits with one transparent value: the values are what counts
        flat = picture.copy()
    else:
        colours = picture.convert("RGBA")
        flat = Image.alpha_composite(Image.new("RGBA", colours.size, "black"), colours).convert("RGB")
    flat.info = kept
    return flat


def _cuts(edges: np.ndarray, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres and sizes of the pieces between all edges and all borders of pixels, in [0, 1]."""
    borders = np.unique(np.concatenate([np.arange(pixels + 1) / pixels, edges.ravel()]))
    return (borders[1:] + borders[:-1]) / 2, np.diff(borders)


def _starts(centres: np.ndarray, pixels: int) -> np.ndarray:
    """The first piece of every pixel."""
    return np.searchsorted(centres, np.arange(pixels) / pixels)
