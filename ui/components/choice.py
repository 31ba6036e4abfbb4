"""A choice in which some items cannot be taken now, greyed, with the reason: Gradio's Dropdown cannot do that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

STATIC = Path(__file__).resolve().parents[1] / "static"


@dataclass(frozen=True)
class Option:
    """One item. `reason` says why it cannot be chosen now; None if it can."""

    name: str
    label: str
    reason: str | None = None


class Choice(gr.HTML):
    """A drop-down list. Set it with choice_value(); handlers receive the chosen name. Event: `choose`."""

    def __init__(
        self, value: dict[str, Any] | None = None, elem_id: str | None = None, render: bool = True
    ) -> None:
        super().__init__(
            value=value,
            html_template='<label class="tl-choice"><span></span><select></select></label>',
            js_on_load=(STATIC / "choice.js").read_text(encoding="utf-8"),
            apply_default_css=False,
            elem_id=elem_id,
            elem_classes="choice",
            render=render,  # Gradio passes it when it makes the component again for an update
        )

    def preprocess(self, payload: Any) -> str:  # type: ignore[override]
        chosen = payload.get("selected") if isinstance(payload, dict) else payload
        return chosen if isinstance(chosen, str) else ""

    def api_info(self) -> dict[str, Any]:
        return {"type": "object"}


def choice_value(title: str, selected: str, groups: Mapping[str, Sequence[Option]]) -> dict[str, Any]:
    """The JSON that Choice shows. A group with the empty name stands without a heading."""
    return {
        "title": title,
        "selected": selected,
        "groups": [
            {
                "label": label,
                "options": [{"name": o.name, "label": o.label, "reason": o.reason} for o in options],
            }
            for label, options in groups.items()
            if options
        ],
    }
