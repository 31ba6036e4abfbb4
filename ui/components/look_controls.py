"""Controls of how maps are drawn."""

from __future__ import annotations

import gradio as gr

from ui.components.choice import Choice, Option, choice_value
from ui.shared.drawing import COLORMAPS


def strength(value: float, elem_id: str) -> gr.Slider:
    """How strongly maps are drawn over the picture."""
    return gr.Slider(
        0,
        1,
        value,
        step=0.05,
        label="Strength",
        buttons=[],
        min_width=140,
        elem_id=elem_id,
        elem_classes="strength",
    )


def colours(value: str, elem_id: str) -> Choice:
    """The colour maps to choose from."""
    options = {"": [Option(name, label) for name, label in COLORMAPS.items()]}
    return Choice(choice_value("Colours", value, options), elem_id=elem_id)
