"""A view and how to draw it -> what the cards show. Runs no model: colours, opacity and reversal use the kept maps."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ui import wording
from ui.box_canvas import canvas_value
from ui.view import Picture, Subject, View, shrink
from ui.where import found_in, known_subject
from ui.wording import sentence

if TYPE_CHECKING:
    import explain
    from guidance.boxes import Box
    from guidance.words import WordReading

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


def cards(view: View, look: Look) -> dict[str, Any]:
    """Everything that the cards component shows, as JSON; pictures travel inside it and are never a public file."""
    return {
        "scale": scale(look.colormap),
        "cards": [_card(view, look, index) for index in range(len(view.prompts))],
    }


def waiting(picture: Picture) -> dict[str, Any]:
    """What the cards show before the first answer: the picture, and that its maps are on their way."""
    return {"cards": [], "waiting": encoded(shrink(picture.open()))}


def canvas_over(view: View) -> dict[str, Any]:
    """An empty canvas for boxes over the view's picture, which is made small: it travels with every event."""
    shown = view.shown
    return canvas_value((), encoded(shrink(shown, CANVAS)), shown.width / shown.height, "Your picture")


def drawn_map(explanation: explain.Explanation, turned: bool) -> np.ndarray:
    """The raw map (h, w), or the map turned around: what scored lowest becomes highest."""
    heatmap = np.asarray(explanation.heatmap, dtype=np.float32)
    return heatmap.max() + heatmap.min() - heatmap if turned else heatmap


def _card(view: View, look: Look, index: int) -> dict[str, Any]:
    first = view.explanations[view.methods[0]][index]
    truth = known_subject(view, look.boxes, index)
    notes = [sentence(note) for found in view.explanations.values() for note in found[index].notes]
    if view.picture.scene is not None and truth is None:
        notes.append(
            "Nothing in this scene goes by that name, so there is no right place to compare the maps with."
        )
    return {
        "prompt": first.prompt,
        "score": wording.score(first.score),
        "probability": first.probability,
        "percent": wording.percent(first.probability),
        "selected": view.selected.get(index),
        "words": word_list(view.words(index)),
        "notes": list(dict.fromkeys(notes)),
        "maps": [_map(view, look, index, method, truth) for method in view.methods],
    }


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
    from explain.contentwords import is_content, shares_of_strongest
    from guidance.words import neglected

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


def _map(view: View, look: Look, index: int, method: str, truth: Subject | None) -> dict[str, Any]:
    from explain import METHODS, heatmap

    turned = look.turned and method == view.methods[0]
    explanation = view.shown_explanation(index, method)
    values = drawn_map(explanation, turned)
    overlay = heatmap.overlay(view.shown, values, look.opacity, look.colormap)
    drawn: dict[str, Any] = {
        "title": wording.map_title(method, turned),
        "term": METHODS[method].label,
        "sentence": wording.what_it_is(METHODS[method]),
        "width": overlay.width,
        "height": overlay.height,
        "src": encoded(overlay),
    }
    if truth is not None:
        msc = contrast_points(values, truth.mask)
        drawn["contrast"] = wording.signed(msc)
        drawn["caption"] = wording.contrast(method, msc, truth.name, truth.rest, turned)
        if view.picture.scene is None:
            drawn["caption"] += " " + found_in(values, truth)
    return drawn


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
