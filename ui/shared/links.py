"""A view as the query of a link, and back: ?seed=18&prompts=a+cat%0Aa+boat&model=toy-vit&method=itsm&with=relevance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ui.models import device
from ui.shared.inputs import read_number
from ui.shared.photographs import FIRST, PHOTOGRAPHS
from ui.shared.pictures import SPLIT, Picture, photograph, scene_picture, suggested_prompts

FIRST_PICTURE = photograph(FIRST.name)
FIRST_SEED = 18  # of a link to a scene that does not exist
FIRST_METHODS = ("itsm", "relevance")
NO_METHOD = "none"
LONGEST_QUERY = 4000


def _picture(query: Mapping[str, str]) -> tuple[Picture, str | None]:
    """A link's scene, or its photograph; what it has instead, and why, where there is no such one."""
    if "seed" in query or "split" in query:
        try:
            seed = read_number(int, query.get("seed", FIRST_SEED))
            return scene_picture(seed, query.get("split", SPLIT)), None
        except ValueError:
            return scene_picture(FIRST_SEED), (
                "The link asks for a scene that does not exist: seeds are whole numbers from 0. Here is another."
            )
    name = query.get("photo", FIRST.name)
    if name not in PHOTOGRAPHS:
        return FIRST_PICTURE, "The link asks for a photograph that is not here. Here is another."
    return photograph(name), None


@dataclass(frozen=True)
class Question:
    """Asks about a picture: prompts as typed, a model and two methods (the second may be NO_METHOD)."""

    picture: Picture = FIRST_PICTURE
    prompts: str = ""
    model: str = device.DEFAULT_MODEL
    method: str = FIRST_METHODS[0]
    beside: str = FIRST_METHODS[1]

    @property
    def text(self) -> str:
        """The prompts, or, if the link has none, what the picture shows."""
        return self.prompts.strip() or suggested_prompts(self.picture)


def read_query(query: Mapping[str, str], default_model: str) -> tuple[Question, str | None]:
    """The question of a link, and what could not be read in it. Unknown models and methods are told on asking."""
    picture, problem = _picture(query)
    question = Question(
        picture,
        prompts=query.get("prompts", "")[:LONGEST_QUERY],
        model=query.get("model", default_model)[:100],
        method=query.get("method", FIRST_METHODS[0])[:100],
        beside=query.get("with", FIRST_METHODS[1])[:100],
    )
    return question, problem
