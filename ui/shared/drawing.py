"""How all tabs draw: colour maps, scales, words as chips, pictures inside JSON."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ui.shared import text as wording
from ui.shared.pictures import Picture, shrink

if TYPE_CHECKING:
    import explain
    from guidance.layout.parsing import Box
    from guidance.objectives.word_relevance import WordReading

PREVIEW = 384  # pixels of the longer side of pictures that are on their way; the finished one is whole

COLORMAPS = {  # all of them keep their order for colour-blind readers and in print
    "viridis": "Purple–yellow",
    "cividis": "Blue–yellow",
    "magma": "Black–rose",
    "gray": "Black–white",
}
CANVAS = 640  # pixels of the longer side


@dataclass(frozen=True)
class Look:
    """How maps are drawn: opacity in [0, 1], a key of COLORMAPS, and whether the first map is turned around. `boxes`:
    where the visitor says that things are, in a picture that is not drawn.
    """

    opacity: float = 0.6
    colormap: str = "viridis"
    turned: bool = False
    boxes: tuple[Box, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.opacity <= 1:
            raise ValueError(f"opacity is {self.opacity}: it goes from 0 to 1")
        if self.colormap not in COLORMAPS:
            raise ValueError(f"unknown colour map {self.colormap!r}; choose from {', '.join(COLORMAPS)}")


def waiting(picture: Picture) -> dict[str, Any]:
    """Returns what the cards show before the first answer: the picture, and that its maps are on their way."""
    return {"cards": [], "waiting": encoded(shrink(picture.open()))}


def drawn_map(explanation: explain.Explanation, turned: bool) -> np.ndarray:
    """The raw map (h, w), or the map turned around: what scored lowest becomes highest."""
    heatmap = np.asarray(explanation.heatmap, dtype=np.float32)
    return heatmap.max() + heatmap.min() - heatmap if turned else heatmap


def word_list(words: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    """Words and their shares as the page colours them: the strongest fully."""
    strongest = max((share for _, share in words), default=1.0) or 1.0
    return [
        {"text": text, "percent": wording.percent(share), "strength": share / strongest}
        for text, share in words
    ]


def told_words(words: Sequence[WordReading]) -> list[dict[str, Any]]:
    """The words of a prompt with how much a picture makes of them, the strongest content word 1; those neglected are
    marked.
    """
    from explain.inputs.content_words import is_content, shares_of_strongest
    from guidance.objectives.word_relevance import neglected

    weak = neglected(words)
    shares = shares_of_strongest([word.text for word in words], [word.height for word in words])
    return [
        chip(word.text, share, is_content(word.text), word.text in weak)
        for word, share in zip(words, shares, strict=True)
    ]


def chip(text: str, relevance: float, content: bool, neglected: bool) -> dict[str, Any]:
    """A word as `wordChip` of dom.js draws it. `relevance`: the strongest content word has 1."""
    return {
        "text": text,
        "percent": wording.percent(relevance),
        "strength": min(1.0, max(0.0, relevance)),
        "content": content,
        "neglected": neglected,
    }


def contrast_points(values: np.ndarray, mask: np.ndarray) -> float:
    """Mean score contrast of a raw map (h, w) on a mask of any size, -100 to 100."""
    from explain import metrics

    return 100 * metrics.msc(values, mask)


@cache
def scale(colormap: str, colours: int = 9) -> list[str]:
    """A colour map as so many colours from low to high, "#rrggbb"."""
    from explain import heatmap

    return ["#" + bytes(step).hex() for step in heatmap.colour(np.linspace(0, 1, colours)[None], colormap)[0]]


def encoded(image: Image.Image) -> str:
    """A picture as a data address: JPEG, for looking at; what people measure they download."""
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=88, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def png(picture: Image.Image) -> str:
    """A picture as a data address, to the bit."""
    file = BytesIO()
    picture.save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
