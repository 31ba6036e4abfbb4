"""The two public endpoints, for programs: /explain and /models. Everything else on the page is private."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui import device
from ui.errors import told
from ui.lanes import MODEL_LANE
from ui.link import FIRST_METHODS
from ui.picture_input import picture_input
from ui.view import Picture, parse_prompts


@told
def explain(image: str | None, prompts: str, model: str, method: str) -> list[dict[str, Any]]:
    """Explain a picture with CLIP: where it matches each prompt, and which words of the prompt count.

    Args:
        image: The picture: JPEG, PNG, WebP, GIF, BMP or TIFF, at most 50 megapixels.
        prompts: What to look for, one prompt per line, at most 12.
        model: A name from /models, for example "toy-vit". One that has to be downloaded is refused until it has
            been chosen on the page.
        method: A method's name from /models, for example "itsm" or "relevance".

    Returns:
        One object per prompt: prompt, score (cosine), probability (softmax among the prompts),
        map (rows of raw values at grid size), words (word and relevance, which sum to 1) and notes.
    """
    asked = parse_prompts(prompts)
    opened = Picture(path=image).open()
    found = device.explain_picture(model, opened, asked, [method])
    return [
        {
            "prompt": e.prompt,
            "score": e.score,
            "probability": e.probability,
            "map": e.heatmap.tolist(),
            "words": [{"word": word, "relevance": share} for word, share in e.tokens],
            "notes": list(e.notes),
        }
        for e in found[method]
    ]


@told
def models() -> dict[str, list[dict[str, Any]]]:
    """List the models and the methods that /explain knows, and which models cannot be had now.

    Returns:
        models: name, label, megabytes, built_in, methods it supports, and unavailable (a reason, or null).
        methods: name, label, what the map shows and what it cannot tell, and the paper.
    """
    from explain import CATALOGUE, METHODS, available

    return {
        "models": [
            {
                "name": entry.name,
                "label": entry.label,
                "megabytes": entry.megabytes,
                "built_in": entry.local,
                "methods": list(entry.supports),
                "unavailable": available(entry),
            }
            for entry in CATALOGUE.values()
        ],
        "methods": [
            {"name": m.name, "label": m.label, "sentence": m.sentence, "limit": m.limit, "paper": m.paper}
            for m in METHODS.values()
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
    answer, listed = gr.JSON(label="explanations", visible=False), gr.JSON(label="models", visible=False)
    gr.Button(visible=False).click(explain, inputs, answer, api_name="explain", **MODEL_LANE)
    gr.Button(visible=False).click(models, None, listed, api_name="models", concurrency_limit=4)
