"""The Words tab's matrix: phrasings as rows, labels as columns, and the words of the row that is selected.

The template is static and every text is set as text (dom.js), so that nothing a visitor types can become markup.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.cards import script


class WordsMatrix(gr.HTML):
    """Shows what words_drawing.matrix() returns."""

    def __init__(self, value: dict[str, Any] | None = None, render: bool = True) -> None:
        super().__init__(
            value=value,
            html_template='<div class="tl-words-page"></div>',
            js_on_load=script("words_matrix.js"),
            apply_default_css=False,
            elem_id="matrix",
            render=render,
        )

    def api_info(self) -> dict[str, Any]:
        return {"type": "object"}
