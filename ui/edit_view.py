"""The edit view: a picture before and after, with a slider between; the same without the words; and what each word has.

The template is static and every text is set as text (dom.js), so that nothing a visitor types can become markup:
Gradio runs what it finds in templates.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.cards import script


class EditView(gr.HTML):
    """Shows what edit_drawing.drawn() gives, again and again while an edit goes on. Sends no events.

    A value's `state` is "empty", "running", "finished" or "stopped"; all else may be left out.
    """

    def __init__(
        self, value: dict[str, Any] | None = None, elem_id: str = "edit-view", render: bool = True
    ) -> None:
        super().__init__(
            value=value or {"state": "empty"},
            html_template='<div class="tl-edit"></div>',
            js_on_load=script("edit_stage.js", "edit_words.js", "edit_view.js"),
            apply_default_css=False,
            elem_id=elem_id,
            elem_classes="edit-view",
            render=render,  # Gradio passes it when it makes the component again for an update
        )

    def api_info(self) -> dict[str, Any]:
        return {"type": "object"}

    def example_payload(self) -> dict[str, Any]:
        return {"state": "empty"}

    def example_value(self) -> dict[str, Any]:
        return self.example_payload()
