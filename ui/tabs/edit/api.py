"""The public endpoint /edit, for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
from PIL import Image

from ui.components.picture_input import picture_input
from ui.events.queues import BETWEEN, MODEL_LANE
from ui.events.streaming import paced
from ui.models.generator_jobs import DEFAULT_GENERATOR
from ui.shared.errors import in_plain_words
from ui.shared.inputs import whole
from ui.shared.pictures import Picture
from ui.tabs.edit.examples import FIRST
from ui.tabs.edit.run import EditWish
from ui.tabs.edit.run import edit as run_edit
from ui.tabs.edit.share import as_json


def edit(
    image: str | None,
    prompt: str,
    words: list[str] | dict[str, float] | None,
    caption: str,
    box: dict[str, Any] | None,
    generator: str,
    way: str,
    strength: float,
    word_weight: float,
    seed: float,
    steps: float,
) -> Iterator[tuple[Image.Image, dict[str, Any]]]:
    """Change a picture until it shows what a text says, with the words in mind that must count.

    Args:
        image: The picture: JPEG, PNG, WebP, GIF, BMP or TIFF, at most 50 megapixels.
        prompt: The wanted picture, all of it, for example "a pink tree and a red ring on the sand".
        words: Words of the prompt that must count, as a list, or as an object with weights from 0 to 1. Empty: none.
        caption: What the picture shows now, which tells what need not change. May be empty.
        box: The change stays within: an object with phrase, left, top, right and bottom, in fractions of the picture,
            where the phrase says what is to be there. Empty: no box.
        generator: A name from /models, for example "toy-sd". One that has to be downloaded is refused until it has
            been chosen on the page.
        way: "diffusion" or "latents". Empty: the generator's first.
        strength: For diffusion, how much of the picture may go: above 0, up to 1.
        word_weight: How much the words count (lambda); 0 leaves them out. With diffusion the picture is made without
            them too, and the one that CLIP finds more like the prompt is sent at the end.
        seed: The same one makes the same picture: a whole number from 0.
        steps: How many, or 0 for the usual number.

    Returns:
        The picture, and all its settings with the losses of every step, and similarity and the relevance of every word
        in the picture before and after. Both come about once a second, with what is there so far, and at the end.
    """
    with in_plain_words():
        wish = EditWish(
            Picture(path=image),
            prompt,
            words,
            caption or "",
            box,
            generator,
            way,
            strength,
            word_weight,
            whole("seed", seed),
            whole("steps", steps),
            compare=False,
        )
        runs = run_edit(wish)
    for run in paced(runs, BETWEEN):
        if run.last is not None:
            yield run.last.image, as_json(run)


def build_edit_endpoint() -> None:
    """Adds the endpoint to the Blocks that is open. Its components are typed but never shown."""
    asked = [
        picture_input(label="image", visible=False),
        gr.Textbox(FIRST.prompt, label="prompt", visible=False),
        gr.JSON(list(FIRST.words), label="words", visible=False),
        gr.Textbox("", label="caption", visible=False),
        gr.JSON(None, label="box", visible=False),
        gr.Textbox(DEFAULT_GENERATOR, label="generator", visible=False),
        gr.Textbox("", label="way", visible=False),
        gr.Number(FIRST.strength, label="strength", visible=False),
        gr.Number(FIRST.word_weight, label="word_weight", visible=False),
        gr.Number(FIRST.seed, label="seed", visible=False),
        gr.Number(FIRST.steps, label="steps", visible=False),
    ]
    made = [
        gr.Image(label="picture", format="png", visible=False),
        gr.JSON(label="record", visible=False),
    ]
    gr.Button(visible=False).click(edit, asked, made, api_name="edit", **MODEL_LANE)
