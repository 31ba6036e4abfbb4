"""A comparison as the query of a link, and back: ?tab=compare&seed=18&prompts=a+red+car&model=toy-vit&random=1."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from ui.comparison import Asked
from ui.comparison_drawing import FIRST_ORDER, ORDERS
from ui.link import read_query as read_question
from ui.view import suggested_prompt
from ui.wording import AS_DRAWN, BACKGROUNDS


def read_query(query: Mapping[str, str], default_model: str) -> tuple[Asked, str, str | None]:
    """The question of a link, how its tiles are sorted, and what could not be read in it.

    Picture, prompt and model are written as in the Explain tab's links; of several prompts the first is taken.
    """
    question, problem = read_question(query, default_model)
    lines = [line.strip() for line in question.prompts.splitlines() if line.strip()]
    prompt = lines[0] if lines else suggested_prompt(question.picture)
    background, order = query.get("background", AS_DRAWN), query.get("sort", FIRST_ORDER)
    if background not in BACKGROUNDS or order not in ORDERS:
        problem = problem or "The link asks for a view that does not exist. Here is the usual one."
        background, order = AS_DRAWN, FIRST_ORDER
    asked = Asked(
        question.picture,
        prompt,
        question.model,
        background,
        shuffled=query.get("shuffled") == "1",
        random=query.get("random") == "1",
    )
    return asked, order, problem


def write_query(asked: Asked, order: str) -> str:
    """The query that opens this comparison again; an uploaded picture and its mask stay out of it."""
    fields = {"tab": "compare"} | asked.picture.in_link
    fields |= {"prompts": asked.prompt.strip(), "model": asked.model}
    if asked.picture.scene is not None and asked.background != AS_DRAWN:
        fields["background"] = asked.background
    fields |= {name: "1" for name in ("shuffled", "random") if getattr(asked, name)}
    if order != FIRST_ORDER:
        fields["sort"] = order
    return "?" + urlencode(fields)
