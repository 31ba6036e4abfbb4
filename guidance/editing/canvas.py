"""The picture that is edited: at the generator's size, and where it may change, in pixels and on the latent grid."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from explain.inputs.images import as_rgb, picture_notes
from guidance.checks import shown
from guidance.layout import masks
from guidance.layout.parsing import Box


@dataclass(frozen=True, eq=False)
class Canvas:
    """`image` (1, 3, H, W) in [0, 1] on the CPU. `cells` (1, 1, h, w): 1 where latents may change, 0 where not;
    `pixels` (1, 1, H, W) in [0, 1]: how much of a pixel is the edited picture's, with a soft edge. None: all of it.
    """

    image: Tensor
    notes: tuple[str, ...]
    cells: Tensor | None = None
    pixels: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.image.shape[-2], self.image.shape[-1]

    @property
    def place(self) -> np.ndarray | None:
        """Where the picture may change, (H, W) float32 in [0, 1], for people."""
        return None if self.pixels is None else self.pixels[0, 0].numpy().copy()

    def composed(self, images: Tensor) -> Tensor:
        """Returns the edited picture (1, 3, H, W), on the CPU, with the picture itself where it may not change."""
        images = images.detach().float().cpu()
        if self.pixels is None:
            return images
        # Not a sum of both: where the share is 0, the picture stays to the bit.
        return torch.lerp(self.image, images, self.pixels.expand_as(images))


def read_picture(picture: Image.Image, size: tuple[int, int]) -> Canvas:
    """A PIL picture of any kind, brought to the size (height, width) that a generator makes.

    ValueError for what is none, or cannot be read.
    """
    if not isinstance(picture, Image.Image):
        raise ValueError(f"the picture is {shown(picture)}; allowed: a PIL picture, as read_image opens them")
    notes = list(picture_notes(picture))
    picture, (height, width) = as_rgb(picture), size
    if picture.size != (width, height):
        stretched = abs(picture.width * height - picture.height * width) > max(picture.size)
        how = "resized and stretched" if stretched else "resized"
        notes.append(f"the picture was {how} from {picture.width} x {picture.height} to {width} x {height}")
        smaller = picture.width >= width and picture.height >= height
        kind = Image.Resampling.BOX if smaller else Image.Resampling.BICUBIC
        picture = picture.resize((width, height), kind)
    values = torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).permute(2, 0, 1)
    return Canvas(values[None].contiguous(), tuple(notes))


def within_box(canvas: Canvas, box: Box, grid: int, edge: float) -> Canvas:
    """One that may change in a box alone: in its pixels, and in every cell, `grid` pixels wide, that it touches."""
    height, width = canvas.size
    cells = torch.from_numpy(masks.rectangles([box.edges], height // grid, width // grid))
    pixels = torch.from_numpy(masks.rectangles([box.edges], height, width))
    return replace(canvas, cells=(cells > 0).float()[None, None], pixels=soft(pixels[None, None], edge))


def to_cells(box: Box, size: tuple[int, int], grid: int) -> Box:
    """The box of all cells, `grid` pixels wide, that a box touches in a picture of a size (height, width)."""
    rows, columns = (side // grid for side in size)
    return replace(
        box,
        left=math.floor(box.left * columns) / columns,
        top=math.floor(box.top * rows) / rows,
        right=math.ceil(box.right * columns) / columns,
        bottom=math.ceil(box.bottom * rows) / rows,
    )


def within_cells(canvas: Canvas, cells: Tensor, edge: float) -> Canvas:
    """One that may change in some cells (1, 1, h, w) alone."""
    cells = cells.float().cpu()
    return replace(canvas, cells=cells, pixels=soft(F.interpolate(cells, size=canvas.size), edge))


def soft(pixels: Tensor, edge: float) -> Tensor:
    """A mask (1, 1, H, W) with an edge that falls outside it, over twice the share `edge` of its shorter side."""
    reach = round(edge * min(pixels.shape[-2:]))
    if not reach:
        return pixels
    # One that is as much larger as it is then blurred is 1 where it was.
    large = F.max_pool2d(pixels, 2 * reach + 1, 1, reach)
    return F.avg_pool2d(large, 2 * reach + 1, 1, reach, count_include_pad=False).clamp(0, 1)
