"""The Compare tab's tiles: one per method, with its map, what it measured, and what it is; and the depth slider.

The template is static and every text is set as text (dom.js), so that nothing a visitor types can become markup.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.cards import script


class TileGrid(gr.HTML):
    """Shows what comparison_drawing.Tiles gives."""

    def __init__(self, value: dict[str, Any] | None = None, render: bool = True) -> None:
        super().__init__(
            value=value,
            html_template='<div class="tl-tiles-page"></div>',
            js_on_load=script("tiles.js"),
            apply_default_css=False,
            elem_id="tiles",
            render=render,
        )

    def api_info(self) -> dict[str, Any]:
        return {"type": "object"}
