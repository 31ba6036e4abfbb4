"""A comparison and how to draw it -> what the tiles show. Runs no model."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from ui.components.choice import Option, choice_value
from ui.shared.drawing import encoded, scale, waiting
from ui.shared.pictures import Picture
from ui.shared.text import duration, map_title, score, sentence, signed, what_it_is
from ui.tabs.compare import text
from ui.tabs.compare.comparison import FIRST_ORDER, NEEDS_TRUTH, ORDERS, Comparison, Style

TILE = 480  # pixels of the longer side of a tile's picture; files have more


class Tiles:
    """Draws a comparison that grows: what has been drawn is not drawn again."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self._tiles: dict[str, dict[str, Any]] = {}
        self._small: Image.Image | None = None
        self._plain: dict[str, Any] = {}
        self._depth: dict[str, Any] | None = None

    def value(self, found: Comparison) -> dict[str, Any]:
        """Returns what the component shows, as JSON; pictures travel inside it and are never a public file."""
        self._draw(found)
        return {
            "scale": scale(self.style.colormap),
            "heading": found.first.prompt if found.first else found.asked.words,
            "score": score(found.first.score) if found.first else "",
            "remarks": text.remarks(found),
            "plain": self._plain,
            "ranked": self.style.order in NEEDS_TRUTH and found.truth is not None,
            "order": order(found, self.style.order),
            "tiles": list(self._tiles.values()),
            "depth": self._depth,
            "lacking": [
                {"term": _label(name), "reason": sentence(reason)} for name, reason in found.lacking.items()
            ],
        }

    def _draw(self, found: Comparison) -> None:
        if self._small is None:
            self._small = _small(found.image)
            self._plain = _shown(self._small)
        if found.depth and self._depth is None:
            self._depth = _depth(found, self.style, self._small)
        for name in found.answers:
            if name not in self._tiles:
                self._tiles[name] = _tile(found, self.style, self._small, name)


def before_the_first(picture: Picture) -> dict[str, Any]:
    """Returns what the component shows until the first answer."""
    return {"tiles": [], "order": [], **waiting(picture)}


def order_choice(selected: str = FIRST_ORDER) -> dict[str, Any]:
    """The list of ORDERS."""
    return choice_value("Sort by", selected, {"": [Option(name, label) for name, label in ORDERS.items()]})


def order(found: Comparison, by: str) -> list[str]:
    """The methods that answered, best first; by kind where the truth that `by` needs is not known."""
    from explain import METHODS

    names = [name for name in METHODS if name in found.answers]
    if by == "seconds":
        return sorted(names, key=lambda name: found.seconds[name])
    if by in NEEDS_TRUTH and found.truth is not None:
        return sorted(names, key=lambda name: -getattr(found.measured[name], by))
    return names


def _tile(found: Comparison, style: Style, small: Image.Image, name: str) -> dict[str, Any]:
    from explain import METHODS

    method, measured = METHODS[name], found.measured.get(name)
    tile: dict[str, Any] = {
        "name": name,
        "title": map_title(method, False),
        "term": method.label,
        "sentence": what_it_is(method),
        "paper": method.paper,
        "seconds": duration(found.seconds[name]),
    }
    if measured is not None:
        before = found.before.get(name)
        tile["contrast"] = signed(measured.contrast)
        tile["overlap"] = f"{measured.overlap:.0f} %"
        tile["hit"] = measured.hit
        if before is not None:
            tile["before"] = signed(before.contrast)
    return tile | _map(small, found.answers[name].heatmap, style)


def _depth(found: Comparison, style: Style, small: Image.Image) -> dict[str, Any] | None:
    """The similarity map after every block; None for a tower that has only one place to read."""
    if len(found.depth) < 2:
        return None
    frames = [_map(small, heatmap, style) for heatmap in found.depth]
    for frame, contrast in zip(
        frames, found.depth_contrasts, strict=False
    ):  # none where the truth is not known
        frame["contrast"] = signed(contrast)
    return {
        "frames": frames,
        "title": "How the similarity map comes about",
        "term": "each block's tokens read as if it were the last",
    }


def _map(small: Image.Image, heatmap: np.ndarray, style: Style) -> dict[str, Any]:
    from explain import heatmap as drawing

    values = np.asarray(heatmap, dtype=np.float32)
    return _shown(drawing.overlay(small, values, style.opacity, style.colormap))


def _shown(image: Image.Image) -> dict[str, Any]:
    return {"src": encoded(image), "width": image.width, "height": image.height}


def _small(image: Image.Image) -> Image.Image:
    small = image.copy()
    small.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    return small


def _label(name: str) -> str:
    from explain import METHODS

    return METHODS[name].label
