"""A view as the query of a link, and back: ?seed=18&prompts=a+cat%0Aa+boat&model=toy-vit&method=itsm&with=relevance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

import toyland
from ui import device
from ui.view import SPLIT, Picture, View, scene_picture, suggested_prompts

FIRST_SEED = 18
FIRST_METHODS = ("itsm", "relevance")
NO_METHOD = "none"
LONGEST_QUERY = 4000
LARGEST = 2**53  # beyond it a page does not tell whole numbers apart

N = TypeVar("N", int, float)


@dataclass(frozen=True)
class Question:
    """What a link asks: a drawn scene, prompts as typed, a model and two methods (the second may be NO_METHOD)."""

    seed: int = FIRST_SEED
    split: str = SPLIT
    prompts: str = ""
    model: str = device.DEFAULT_MODEL
    method: str = FIRST_METHODS[0]
    beside: str = FIRST_METHODS[1]

    @property
    def picture(self) -> Picture:
        """The drawn scene of the link."""
        return scene_picture(self.seed, self.split)

    @property
    def text(self) -> str:
        """The prompts, or, if the link has none, what the scene shows."""
        scene = self.picture.scene
        return self.prompts.strip() or (suggested_prompts(scene) if scene else "")


def read_query(query: Mapping[str, str], default_model: str) -> tuple[Question, str | None]:
    """The question of a link, and what could not be read in it. Unknown models and methods are told on asking."""
    problem: str | None = None
    try:
        seed, split = read_number(int, query.get("seed", FIRST_SEED)), query.get("split", SPLIT)
        toyland.sample_scene(seed, split)
    except ValueError:
        problem = (
            "The link asks for a scene that does not exist: seeds are whole numbers from 0. Here is another."
        )
        seed, split = FIRST_SEED, SPLIT
    question = Question(
        seed=seed,
        split=split,
        prompts=query.get("prompts", "")[:LONGEST_QUERY],
        model=query.get("model", default_model)[:100],
        method=query.get("method", FIRST_METHODS[0])[:100],
        beside=query.get("with", FIRST_METHODS[1])[:100],
    )
    return question, problem


def read_number(kind: type[N], given: Any) -> N:
    """A number of a link. ValueError for what is none, and for one that a page cannot be sent: an answer that holds it
    would end all that the visitor waits for.
    """
    try:
        number = kind(given)
    except OverflowError as error:
        raise ValueError("too large") from error
    if not -LARGEST <= number <= LARGEST:  # which NaN is not either
        raise ValueError(f"{number} is no number of a page")
    return number


def write_query(view: View) -> str:
    """The query that opens this view again; an uploaded picture stays out of it."""
    scene = view.picture.scene
    fields = {} if scene is None else {"seed": str(scene.seed), "split": scene.split}
    beside = view.methods[1] if len(view.methods) > 1 else NO_METHOD
    fields |= {
        "prompts": "\n".join(view.prompts),
        "model": view.model,
        "method": view.methods[0],
        "with": beside,
    }
    return "?" + urlencode(fields)
