"""Layouts to begin with: each a wish that the built-in generator can fulfil, with a seed, of the first eight, that
shows it well. Numbers alone; nothing is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ui.making import Wish


def _box(phrase: str, left: float, top: float, right: float, bottom: float) -> dict[str, Any]:
    return {"phrase": phrase, "left": left, "top": top, "right": right, "bottom": bottom}


EXAMPLES: Mapping[str, Wish] = {
    "Cat and car": Wish(
        "a red cat and a blue car on the grass",
        (_box("red cat", 0.05, 0.3, 0.45, 0.8), _box("blue car", 0.53, 0.4, 0.95, 0.82)),
        seed=0,
    ),
    "Swapped": Wish(
        "a red cat and a blue car on the grass",
        (_box("red cat", 0.55, 0.3, 0.95, 0.8), _box("blue car", 0.05, 0.4, 0.47, 0.82)),
        seed=0,
    ),
    "High and low": Wish(
        "a yellow star and a green boat on the water",
        (_box("yellow star", 0.3, 0.04, 0.7, 0.44), _box("green boat", 0.25, 0.52, 0.78, 0.97)),
        seed=4,
    ),
    "Three things": Wish(
        "a red apple, a purple heart and an orange tree in the snow",
        (
            _box("red apple", 0.04, 0.5, 0.36, 0.86),
            _box("purple heart", 0.34, 0.08, 0.66, 0.44),
            _box("orange tree", 0.62, 0.44, 0.97, 0.92),
        ),
        seed=1,
    ),
}
FIRST = EXAMPLES["Cat and car"]
