"""Base of the page's own components: JSON from Python that JavaScript draws.

The template is static and every text is set as text (dom.js), so that nothing a visitor types can become markup:
Gradio runs what it finds in templates.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

STATIC = Path(__file__).resolve().parents[1] / "static"


class DrawnHTML(gr.HTML):
    """`ROOT`: the class of the element that the `SCRIPTS` fill; they build on dom.js. `CLASSES`: of what is around it.
    `EXAMPLE`: a value, which is also the one at first where none is given.
    """

    ROOT: ClassVar[str]
    SCRIPTS: ClassVar[tuple[str, ...]]
    CLASSES: ClassVar[str | None] = None
    EXAMPLE: ClassVar[dict[str, Any] | None] = None

    def __init__(
        self, value: dict[str, Any] | None = None, elem_id: str | None = None, render: bool = True
    ) -> None:
        super().__init__(
            value=value or self.example_payload(),
            html_template=f'<div class="{self.ROOT}"></div>',
            js_on_load=self.script(),
            apply_default_css=False,
            elem_id=elem_id,
            elem_classes=self.CLASSES,
            render=render,  # Gradio passes it when it makes the component again for an update
        )

    @classmethod
    def script(cls) -> str:
        """All that runs when the component is there."""
        return "\n".join((STATIC / part).read_text(encoding="utf-8") for part in ("dom.js", *cls.SCRIPTS))

    def api_info(self) -> dict[str, Any]:
        return {"type": "object"}

    def example_payload(self) -> dict[str, Any] | None:
        return deepcopy(self.EXAMPLE)  # Gradio may change what it is given

    def example_value(self) -> dict[str, Any] | None:
        return self.example_payload()
