"""The public endpoints, for programs: /explain, /words, /tune, /generate, /edit, /models. All else is private."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
from PIL import Image

from ui import answers, device, lesson_endpoint
from ui.answering import answering
from ui.edit_endpoint import BETWEEN, build_edit_endpoint
from ui.errors import in_plain_words, told
from ui.generate_examples import FIRST
from ui.generators import DEFAULT_GENERATOR
from ui.lanes import MODEL_LANE
from ui.link import FIRST_METHODS
from ui.making import Wish, make, whole
from ui.picture_input import picture_input
from ui.streaming import paced
from ui.view import Picture, parse_prompts
from ui.words_question import FIRST_PHRASINGS, WordsAsked, ask


@told
def explain(image: str | None, prompts: str, model: str, method: str) -> list[dict[str, Any]]:
    """Explain a picture with CLIP: where it matches each prompt, and which words of the prompt count.

    Args:
        image: The picture: JPEG, PNG, WebP, GIF, BMP or TIFF, at most 50 megapixels.
        prompts: What to look for, one prompt per line, at most 12.
        model: "automatic", which is the best one here for the picture, or a name from /models. One that has to be
            downloaded is refused until it has been chosen on the page.
        method: A method's name from /models, for example "itsm" or "relevance".

    Returns:
        One object per prompt: model (that answered), prompt, score (cosine), probability (softmax among the prompts),
        map (rows of raw values at grid size), words (word and relevance, which sum to 1) and notes.
    """
    asked = parse_prompts(prompts)
    picture = Picture(path=image)
    name = answering(model, picture).name
    found = answers.explain_picture(name, picture.open(), asked, [method])
    return [
        {
            "model": name,
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
def words(image: str | None, labels: str, phrasings: str, model: str) -> dict[str, Any]:
    """Ask CLIP in many phrasings which label fits a picture: does the answer stay, and which words does it use?

    Args:
        image: The picture: JPEG, PNG, WebP, GIF, BMP or TIFF, at most 50 megapixels.
        labels: What may be in the picture, one per line or with commas, at most 12.
        phrasings: One per line, at most 32, with {} where the label goes, for example "a photo of a {}".
        model: "automatic", which is the best one here for the picture, or a name from /models. One that has to be
            downloaded is refused until it has been chosen on the page.

    Returns:
        labels, phrasings, and texts: a row per phrasing and a column per label, each with its prompt, score (cosine),
        probability (softmax among the labels) and words (relevance as a share of the strongest content word's,
        content, named: of the label, neglected: below the threshold, drop: what the cosine loses without it, or null).
        decisions: the label of each phrasing; ensemble and decided: probabilities and label of all phrasings together;
        flips: numbers of the phrasings that decide otherwise; instability: the share of pairs that disagree; notes.
    """
    from explain.stabilityreport import as_record

    picture = Picture(path=image)
    return as_record(ask(WordsAsked(picture, labels, phrasings, answering(model, picture).name)).found)


def generate(
    prompt: str,
    boxes: list[dict[str, Any]],
    generator: str,
    preset: str,
    seed: float,
    weight: float,
    steps: float,
) -> Iterator[tuple[Image.Image, dict[str, Any]]]:
    """Make a picture in which every thing is in its box.

    Args:
        prompt: The whole scene, for example "a red cat and a blue car on the grass". Empty: what is in the boxes.
        boxes: A list of at most 16 objects with phrase, left, top, right and bottom, in fractions of the picture.
        generator: A name from /models, for example "toy-sd". One that has to be downloaded is refused until it has
            been chosen on the page.
        preset: "fast", "best" or "paper".
        seed: The same one makes the same picture: a whole number from 0.
        weight: How strong the guidance is: 1 as the preset has it, 0 none.
        steps: How many, or 0 for the preset's.

    Returns:
        The picture, and all its settings with the losses of every step, similarity and the share of its map inside the
        box of every phrase: what `python -m guidance generate --from` reads. Both come about once a second, with what
        is there so far, and at the end.
    """
    from guidance.records import as_record

    with in_plain_words():
        wish = Wish(prompt, boxes, generator, preset, "", whole("seed", seed), weight, whole("steps", steps))
        runs = make(wish)
    for run in paced(runs, BETWEEN):
        yield run.steps[-1].image, as_record(run.recipe, run.steps)


@told
def models() -> dict[str, list[dict[str, Any]]]:
    """List models and methods of /explain, generators of /generate and /edit, and which cannot be had now.

    Returns:
        models: name, label, megabytes, built_in, methods it supports, and unavailable (a reason, or null).
        methods: name, label, what the map shows and what it cannot tell, and the paper.
        generators: name, label, megabytes, built_in, and unavailable (a reason, or null).
    """
    from explain import CATALOGUE, METHODS, available
    from guidance.catalogue import GENERATORS
    from ui.generators import unavailable

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
    lesson_endpoint.build_endpoint()
    answer, listed = gr.JSON(label="explanations", visible=False), gr.JSON(label="models", visible=False)
    gr.Button(visible=False).click(explain, inputs, answer, api_name="explain", **MODEL_LANE)
    gr.Button(visible=False).click(models, None, listed, api_name="models", concurrency_limit=4)
