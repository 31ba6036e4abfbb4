"""The Compare tab's tiles: one per method, with its map, what it measured, and what it is; and the depth slider."""

from __future__ import annotations

from ui.drawn_html import DrawnHTML


class TileGrid(DrawnHTML):
    """Shows what comparison_drawing.Tiles gives."""

    ROOT = "tl-tiles-page"
    SCRIPTS = ("tiles.js",)
