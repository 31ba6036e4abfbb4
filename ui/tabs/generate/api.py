"""The endpoint /generate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from PIL import Image

from ui.events.queues import BETWEEN
from ui.events.streaming import paced
from ui.shared.errors import in_plain_words
from ui.shared.inputs import whole
from ui.tabs.generate.run import Wish, make


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
