"""Pictures of Toyland in other circumstances: as line drawings, distorted, and in other styles."""

from __future__ import annotations

from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

LINE = 24  # difference of neighbouring pixels, of 255, from which there is a line


def as_drawing(image: Image.Image, rng: Random) -> Image.Image:
    """Coloured pencil: what has an edge is a line of the darker side's colour, all else is paper of some white."""
    dark, light = image.filter(ImageFilter.MinFilter(3)), image.filter(ImageFilter.MaxFilter(3))
    lines = np.asarray(ImageChops.difference(light, dark)).max(axis=-1) > LINE
    paper = Image.new(
        "RGB", image.size, (rng.randint(240, 255), rng.randint(240, 255), rng.randint(225, 255))
    )
    paper.paste(dark, mask=Image.fromarray(lines))
    return paper


def distorted(image: Image.Image, rng: Random) -> Image.Image:
    """Seen askew, out of focus and in poor light."""
    side = image.width
    corners = [(0, 0), (0, side), (side, side), (side, 0)]
    moved = [(x + rng.uniform(-0.14, 0.14) * side, y + rng.uniform(-0.14, 0.14) * side) for x, y in corners]
    quad = tuple(value for corner in moved for value in corner)
    image = image.transform(image.size, Image.Transform.QUAD, quad, Image.Resampling.BICUBIC)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 1.2) * side / 100))
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, rng.uniform(5, 25), (side, side, 1))
    light = rng.uniform(0.6, 1.2)
    values = np.asarray(image, dtype=np.float64) * light + noise
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def rendered(image: Image.Image, rng: Random) -> Image.Image:
    """In another style: a mosaic, a painting with few colours, or on dark paper."""
    style = rng.choice(("mosaic", "painting", "dark"))
    if style == "mosaic":
        tiles = rng.choice((24, 32))
        small = image.resize((tiles, tiles), Image.Resampling.BOX)
        return small.resize(image.size, Image.Resampling.NEAREST)
    if style == "painting":
        return ImageOps.posterize(image.filter(ImageFilter.ModeFilter(7)), 2)
    # Light and dark exchanged, hues kept.
    bright = ImageOps.invert(image).convert("HSV").split()
    hue = image.convert("HSV").getchannel("H")
    return Image.merge("HSV", (hue, *bright[1:])).convert("RGB")
