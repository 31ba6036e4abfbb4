"""What a lesson gives: curves while it goes on, and a table of the ways to write the prompt.

The template is static and every text is set as text (dom.js), so that nothing a visitor types can become markup.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.cards import script


class LessonView(gr.HTML):
    """Shows what lesson_drawing.lesson_value() returns."""

    def __init__(self, value: dict[str, Any] | None = None, render: bool = True) -> None:
        super().__init__(
            value=value,
            html_template='<div class="tl-lesson-page"></div>',
            js_on_load=script("lesson_view.js"),
            apply_default_css=False,
            elem_id="lesson",
            render=render,
        )

    def api_info(self) -> dict[str, Any]:
        return {"type": "object"}
