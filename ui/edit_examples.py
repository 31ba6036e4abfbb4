"""Edits to begin with: each of a drawn scene, with a seed that shows it well. Numbers alone; nothing is computed."""

from __future__ import annotations

from collections.abc import Mapping

from ui.editing import EditWish
from ui.view import scene_picture

_SCENE = scene_picture(10)
_CAPTION = "a yellow tree and a red ring on the sand"
_TREE = {"left": 0.14, "top": 0.44, "right": 0.57, "bottom": 0.94}

EXAMPLES: Mapping[str, EditWish] = {
    "Recolour": EditWish(_SCENE, "a pink tree and a red ring on the sand", ("pink",), _CAPTION),
    "Replace": EditWish(
        _SCENE,
        "a yellow diamond and a red ring on the sand",
        ("diamond",),
        _CAPTION,
        ({"phrase": "yellow diamond", **_TREE},),
    ),
    "Add": EditWish(
        _SCENE,
        "a yellow tree, a red ring and a red heart on the sand",
        ("heart",),
        _CAPTION,
        ({"phrase": "red heart", "left": 0.05, "top": 0.05, "right": 0.45, "bottom": 0.45},),
        seed=1,
    ),
    "Remove": EditWish(_SCENE, "a red ring on the sand", ("sand",), _CAPTION, ({"phrase": "sand", **_TREE},)),
}
FIRST = EXAMPLES["Recolour"]
