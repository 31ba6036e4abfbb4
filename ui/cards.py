"""The cards under the picture: one per prompt, with its maps, numbers and words.

The template is static and every text is set as text (dom.js), so that nothing a visitor types can become markup:
Gradio runs what it finds in templates.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

_HERE = Path(__file__).parent


def script(*names: str) -> str:
    """A component's scripts after dom.js, on which they build."""
    return "\n".join((_HERE / part).read_text(encoding="utf-8") for part in ("dom.js", *names))


class Cards(gr.HTML):
    """Shows what drawing.cards() returns. Events: `word` {card, word} and `save` {card, map}."""

    def __init__(self, value: dict[str, Any] | None = None, render: bool = True) -> None:
        super().__init__(
            value=value,
            html_template='<div class="tl-cards"></div>',
            js_on_load=script("cards.js"),
            apply_default_css=False,
            elem_id="cards",
            render=render,
        )

    def api_info(self) -> dict[str, Any]:
        return {"type": "object"}
