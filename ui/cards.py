"""The cards under the picture: one per prompt, with its maps, numbers and words.

The template is static and every text is set as text (cards.js), so that nothing a visitor types can become markup:
Gradio runs what it finds in templates.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

_HERE = Path(__file__).parent


class Cards(gr.HTML):
    """Shows what drawing.cards() returns. Events: `word` {card, word} and `save` {card, map}."""

    def __init__(self, value: dict[str, Any] | None = None) -> None:
        super().__init__(
            value=value,
            html_template='<div class="tl-cards"></div>',
            js_on_load=(_HERE / "cards.js").read_text(encoding="utf-8"),
            apply_default_css=False,
            elem_id="cards",
        )

    def api_info(self) -> dict[str, Any]:
        return {"type": "object"}
