"""The public endpoints, for programs: /explain, /words, /tune, /generate, /edit, /models. All else is private."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.components.picture_input import picture_input
from ui.events.queues import MODEL_LANE
from ui.models import device
from ui.models.generator_jobs import DEFAULT_GENERATOR
from ui.shared.errors import told
from ui.shared.links import FIRST_METHODS
from ui.tabs.edit.api import build_edit_endpoint
from ui.tabs.explain.api import explain
from ui.tabs.generate.api import generate
from ui.tabs.generate.examples import FIRST
from ui.tabs.lesson import api
from ui.tabs.words.api import words
from ui.tabs.words.question import FIRST_PHRASINGS


@told
def models() -> dict[str, list[dict[str, Any]]]:
    """List models and methods of /explain, generators of /generate and /edit, and which cannot be had now.

    Returns:
        models: name, label, megabytes, built_in, methods it supports, and unavailable (a reason, or null).
        methods: name, label, what the map shows and what it cannot tell, and the paper.
        generators: name, label, megabytes, built_in, and unavailable (a reason, or null).
    """
    from explain import CATALOGUE, METHODS, available
    from explain.methods import lacking
    from guidance.generators.catalogue import GENERATORS
    from ui.models.generator_jobs import unavailable

    return {
        "models": [
            {
                "name": entry.name,
                "label": entry.label,
                "megabytes": entry.megabytes,
                "built_in": entry.local,
                "methods": [name for name in METHODS if name not in lacking(entry)],
                "unavailable": available(entry),
            }
            for entry in CATALOGUE.values()
        ],
        "methods": [
            {"name": m.name, "label": m.label, "sentence": m.sentence, "limit": m.limit, "paper": m.paper}
            for m in METHODS.values()
        ],
        "generators": [
            {
                "name": entry.name,
                "label": entry.label,
                "megabytes": entry.megabytes,
                "built_in": entry.local,
                "unavailable": unavailable(entry),
            }
            for entry in GENERATORS.values()
        ],
    }


def build_endpoints() -> None:
    """Adds the endpoints to the Blocks that is open. Their components are typed but never shown."""
    inputs = [
        picture_input(label="image", visible=False),
        gr.Textbox(label="prompts", visible=False),
        gr.Textbox(device.DEFAULT_MODEL, label="model", visible=False),
        gr.Textbox(FIRST_METHODS[0], label="method", visible=False),
    ]
    wished = [
        gr.Textbox(FIRST.prompt, label="prompt", visible=False),
        gr.JSON([dict(box) for box in FIRST.boxes], label="boxes", visible=False),
        gr.Textbox(DEFAULT_GENERATOR, label="generator", visible=False),
        gr.Textbox(FIRST.preset, label="preset", visible=False),
        gr.Number(FIRST.seed, label="seed", visible=False),
        gr.Number(FIRST.weight, label="weight", visible=False),
        gr.Number(FIRST.steps, label="steps", visible=False),
    ]
    made = [
        gr.Image(label="picture", format="png", visible=False),
        gr.JSON(label="record", visible=False),
    ]
    gr.Button(visible=False).click(generate, wished, made, api_name="generate", **MODEL_LANE)
    build_edit_endpoint()
    phrased = [
        picture_input(label="image", visible=False),
        gr.Textbox(label="labels", visible=False),
        gr.Textbox(FIRST_PHRASINGS, label="phrasings", visible=False),
        gr.Textbox(device.DEFAULT_MODEL, label="model", visible=False),
    ]
    stability = gr.JSON(label="stability", visible=False)
    gr.Button(visible=False).click(words, phrased, stability, api_name="words", **MODEL_LANE)
    api.build_endpoint()
    answer, listed = gr.JSON(label="explanations", visible=False), gr.JSON(label="models", visible=False)
    gr.Button(visible=False).click(explain, inputs, answer, api_name="explain", **MODEL_LANE)
    gr.Button(visible=False).click(models, None, listed, api_name="models", concurrency_limit=4)
