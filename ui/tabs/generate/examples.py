"""Layouts to begin with: each a wish that the built-in generator can fulfil, with a seed, of the first eight, that
shows it well. Numbers alone; nothing is computed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ui.tabs.generate.run import Wish


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
STORED = Path(__file__).resolve().parents[3] / "assets" / "examples" / "run.json"
STORED_WISH = replace(FIRST, generator="toy-sd")


def stored() -> dict[str, Any]:
    """Reads what RunView shows of the stored run."""
    found: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Make the run, and write it."""
    from ui.tabs.generate.drawing import RunDrawing
    from ui.tabs.generate.run import make

    *_, run = make(STORED_WISH)
    value = RunDrawing().value(run)
    STORED.parent.mkdir(exist_ok=True)
    STORED.write_text(json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
