"""Edits to begin with: each of a drawn scene, with a seed, of the first three, that shows it well. Numbers alone;
nothing is computed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ui.shared.pictures import scene_picture
from ui.tabs.edit.run import EditWish

_SCENE = scene_picture(10)
_CAPTION = "a yellow tree and a red ring on the sand"
_TREE = {"left": 0.14, "top": 0.44, "right": 0.57, "bottom": 0.94}
_FREE = {"left": 0.05, "top": 0.05, "right": 0.45, "bottom": 0.45}

EXAMPLES: Mapping[str, EditWish] = {
    "Add": EditWish(
        _SCENE,
        "a yellow tree, a red ring and a red heart on the sand",
        ("heart",),
        _CAPTION,
        ({"phrase": "red heart", **_FREE},),
        seed=1,
    ),
    "Replace": EditWish(
        _SCENE,
        "a yellow diamond and a red ring on the sand",
        ("diamond",),
        _CAPTION,
        ({"phrase": "yellow diamond", **_TREE},),
    ),
    "Recolour": EditWish(
        _SCENE,
        "a pink tree and a red ring on the sand",
        ("pink",),
        _CAPTION,
        ({"phrase": "pink tree", **_TREE},),
        seed=2,
    ),
    "Remove": EditWish(
        _SCENE,
        "a red ring on the sand",
        ("sand",),
        _CAPTION,
        ({"phrase": "on the sand", **_TREE},),
        seed=2,
    ),
}
FIRST = EXAMPLES["Add"]
STORED = Path(__file__).resolve().parents[3] / "assets" / "examples" / "edit.json"
STORED_WISH = replace(FIRST, generator="toy-sd")


def stored() -> dict[str, Any]:
    """Reads what EditView shows of the stored edit."""
    found: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Make the edit, and write it."""
    from ui.tabs.edit.drawing import drawn
    from ui.tabs.edit.run import edit

    *_, run = edit(STORED_WISH)
    STORED.parent.mkdir(exist_ok=True)
    text = json.dumps(drawn(run), separators=(",", ":"), ensure_ascii=False)
    STORED.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
