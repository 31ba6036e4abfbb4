"""From raw maps to pictures: resize, normalise, colour, overlay, figures. numpy, PIL and matplotlib only.

The order is the paper's (Li et al. 2022): resize bilinearly, then min-max. matplotlib is imported when a
colour is needed, so that importing this costs nothing.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from explain.explanation import Explanation

# Perceptually uniform, monotone in lightness, readable with colour-blindness and in grey. No rainbow.
COLORMAPS = ("viridis", "cividis", "inferno", "magma", "plasma", "gray")
_BAND_PIXELS = 1 << 18  # an overlay is drawn so many pixels at a time
_FONT = "DejaVu Sans"  # comes with matplotlib


def resize(heatmap: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map (h, w) at `size` (width, height) in pixels, bilinear (pixel centres, as align_corners=False)."""
    heatmap = _checked(heatmap)
    if heatmap.shape == (size[1], size[0]):
        return heatmap
    return np.asarray(Image.fromarray(heatmap).resize(size, Image.Resampling.BILINEAR))


def normalise(heatmap: np.ndarray) -> np.ndarray:
    """Min-max to [0, 1]; a constant map becomes zeros."""
    heatmap = _checked(heatmap)
    return _scaled(heatmap, float(heatmap.min()), float(heatmap.max()))


def colour(values: np.ndarray, colormap: str = COLORMAPS[0]) -> np.ndarray:
    """Values (h, w) in [0, 1] -> (h, w, 3) uint8."""
    return _table(colormap)[(values * 255).round().clip(0, 255).astype(np.uint8)]


def overlay(
    image: Image.Image, heatmap: np.ndarray, opacity: float = 0.6, colormap: str = COLORMAPS[0]
) -> Image.Image:
    """The picture under its map, RGB, at the picture's size. `opacity` of the map in [0, 1].

    Equal to `colour(normalise(resize(...)))` blended with the picture, but a band of rows at a time: beside
    the result only the resized map, 4 bytes per pixel, is ever whole in memory.
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity is {opacity}; allowed: 0 to 1")
    whole = Image.fromarray(_checked(heatmap))
    if whole.size != image.size:
        whole = whole.resize(image.size, Image.Resampling.BILINEAR)
    low, high = whole.getextrema()
    drawn = Image.new("RGB", image.size)
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        band = (0, top, image.width, min(top + rows, image.height))
        coloured = Image.fromarray(colour(_scaled(np.asarray(whole.crop(band)), low, high), colormap))
        drawn.paste(Image.blend(image.crop(band).convert("RGB"), coloured, opacity), band)
    return drawn


def figure(
    image: Image.Image, explanations: Sequence["Explanation"], colormap: str = COLORMAPS[0]
) -> "Figure":
    """A figure for print: the picture, then each explanation's map over it with its raw range, prompt and
    cosine.

    Save it with `figure.savefig("name.pdf")` or ".png". Drawn without pyplot: safe on a server.
    """
    from matplotlib.figure import Figure

    if not explanations:
        raise ValueError("no explanations given; allowed: 1 or more")
    columns = min(4, 1 + len(explanations))
    rows = -(-(1 + len(explanations)) // columns)
    ratio = min(3.0, max(1 / 3, image.height / image.width))
    drawn = Figure(figsize=(3.2 * columns, (3.2 * ratio + 0.8) * rows), dpi=200, layout="constrained")
    axes = drawn.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    small = image.convert("RGB")
    small.thumbnail((1280, 1280))
    axes[0].imshow(small)
    axes[0].set_title("picture", fontsize=9)
    for axis, explanation in zip(axes[1:], explanations, strict=False):
        _panel(axis, small, explanation, colormap)
    return drawn


def sheet(
    image: Image.Image,
    panels: Sequence[tuple[str, str, np.ndarray]],
    heading: str = "",
    colormap: str = COLORMAPS[0],
) -> "Figure":
    """A figure for print of many maps: the picture, then one panel per (title, line below it, raw map (h, w)).

    Five in a row; every map by its own lowest and highest value. Drawn without pyplot: safe on a server.
    """
    from matplotlib.figure import Figure

    if not panels:
        raise ValueError("no maps given; allowed: 1 or more")
    columns = min(5, 1 + len(panels))
    rows = -(-(1 + len(panels)) // columns)
    ratio = min(3.0, max(1 / 3, image.height / image.width))
    drawn = Figure(figsize=(2.4 * columns, (2.4 * ratio + 0.6) * rows + 0.4), dpi=200, layout="constrained")
    axes = drawn.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    small = image.convert("RGB")
    small.thumbnail((640, 640))
    drawn.suptitle(drawable(heading), fontsize=11, parse_math=False)
    axes[0].imshow(small)
    axes[0].set_title("picture\n", fontsize=8)
    for axis, (title, below, values) in zip(axes[1:], panels, strict=False):
        axis.imshow(overlay(small, values, colormap=colormap))
        axis.set_title(f"{drawable(title)}\n{drawable(below)}", fontsize=8, parse_math=False)
    return drawn


def _panel(axis, image: Image.Image, explanation: "Explanation", colormap: str) -> None:
    heatmap = resize(explanation.heatmap, image.size)
    axis.imshow(image.convert("L"), cmap="gray")
    shown = axis.imshow(heatmap, cmap=_checked_name(colormap), alpha=0.7)
    title = f"{drawable(explanation.prompt)}\n{explanation.method}, cosine {explanation.score:.3f}"
    axis.set_title(title, fontsize=9, parse_math=False)
    axis.figure.colorbar(shown, ax=axis, shrink=0.7, format="%.3g").ax.tick_params(labelsize=7)


def drawable(text: str, limit: int = 60) -> str:
    """Text with every character that the figure's font lacks replaced by a box, cut to a title's length."""
    known = _characters()
    text = text if len(text) <= limit else text[: limit - 1] + "\u2026"
    return "".join(character if ord(character) in known else "\u25a1" for character in text)


@cache
def _characters() -> frozenset[int]:
    from matplotlib.font_manager import findfont
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(findfont(_FONT)).get_charmap())


@cache
def _table(colormap: str) -> np.ndarray:
    """256 colours (256, 3) uint8."""
    from matplotlib import colormaps

    return (colormaps[_checked_name(colormap)](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def _scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values of a map, or of a part of it, by the map's lowest and highest: to [0, 1], or zeros if constant."""
    if high - low <= 1e-12 * max(1.0, abs(high)):
        return np.zeros_like(values)
    return (values - low) / np.float32(high - low)


def _checked_name(colormap: str) -> str:
    if colormap not in COLORMAPS:
        raise ValueError(f"unknown colour map {str(colormap)[:40]!r}; allowed: {', '.join(COLORMAPS)}")
    return colormap


def _checked(heatmap: np.ndarray) -> np.ndarray:
    heatmap = np.ascontiguousarray(heatmap, dtype=np.float32)
    if heatmap.ndim != 2 or heatmap.size == 0 or not np.isfinite(heatmap).all():
        raise ValueError(f"a map must be (h, w) of finite numbers, not {heatmap.shape}")
    return heatmap
