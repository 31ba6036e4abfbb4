"""The run view: a picture while it is made, and afterwards every step of it to look at again.

The template is static and every text is set as text (dom.js), so that nothing a visitor types can become markup:
Gradio runs what it finds in templates.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.cards import script

_PARTS = ("said", "paint", "player", "curves", "tiles", "view")
_SCRIPTS = tuple(f"run_{part}.js" for part in _PARTS)


class RunView(gr.HTML):
    """Shows what run_drawing.RunDrawing.value() gives, again and again while a run grows. Sends no events.

    A value's `state` is "empty", "waiting", "running", "finished" or "stopped"; all else may be left out.
    """

    def __init__(
        self, value: dict[str, Any] | None = None, elem_id: str = "run-view", render: bool = True
    ) -> None:
        super().__init__(
            value=value or {"state": "empty"},
            html_template='<div class="tl-run"></div>',
            js_on_load=script(*_SCRIPTS),
            apply_default_css=False,
            elem_id=elem_id,
            elem_classes="run-view",
            render=render,  # Gradio passes it when it makes the component again for an update
        )

    def api_info(self) -> dict[str, Any]:
        return {"type": "object"}

    def example_payload(self) -> dict[str, Any]:
        return {"state": "empty"}

    def example_value(self) -> dict[str, Any]:
        return self.example_payload()
