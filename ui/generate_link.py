"""A wish as the query of a link, and back: ?tab=generate&prompt=a+red+cat&boxes=[...]&generator=toy-sd&seed=3."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from ui.box_canvas import EDGES
from ui.link import read_number
from ui.making import Wish

GENERATE_TAB = "generate"  # its id among the tabs
LONGEST_BOXES = 8000  # characters


def read_query(query: Mapping[str, str], first: Wish) -> tuple[Wish, str | None]:
    """The wish of a link, with `first` for what it leaves open; and what could not be read in it. What it names, and
    where its boxes are, is checked when it is asked.
    """
    problem: str | None = None
    wish = replace(
        first,
        prompt=query.get("prompt", first.prompt)[:LONGEST_BOXES],
        generator=query.get("generator", first.generator)[:100],
        preset=query.get("preset", first.preset)[:100],
        clip=query.get("clip", first.clip)[:100],
    )
    try:
        wish = replace(
            wish,
            seed=read_number(int, query.get("seed", first.seed)),
            steps=read_number(int, query.get("steps", first.steps)),
            weight=read_number(float, query.get("weight", first.weight)),
        )
    except ValueError:
        problem = "A number in the link cannot be read. Here is the usual one."
    if "boxes" in query:
        try:
            wish = replace(wish, boxes=read_boxes(query["boxes"]))
        except (ValueError, TypeError, RecursionError):
            problem = "The boxes of the link cannot be read. Here are others."
    return wish, problem


def write_query(wish: Wish, first: Wish) -> str:
    """The query that opens a wish again that could be read."""
    fields = {
        "tab": GENERATE_TAB,
        "prompt": wish.prompt.strip(),
        "boxes": write_boxes(wish.boxes),
        "generator": wish.generator,
        "preset": wish.preset,
        "seed": str(wish.seed),
    }
    for name in ("clip", "steps", "weight"):
        if getattr(wish, name) != getattr(first, name):
            fields[name] = str(getattr(wish, name))
    return "?" + urlencode(fields)


def write_boxes(boxes: Iterable[Mapping[str, Any]]) -> str:
    """Boxes as short JSON: [["red cat", 0.05, 0.3, 0.45, 0.8]]."""
    rows = [[box["phrase"], *(round(float(box[edge]), 3) for edge in EDGES)] for box in boxes]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def read_boxes(text: str) -> list[dict[str, object]]:
    """Boxes that the canvas can show. ValueError or TypeError for anything else."""
    found = []
    for phrase, *edges in read_json(text):
        left, top, right, bottom = (min(max(read_number(float, edge), 0.0), 1.0) for edge in edges)
        found.append(dict(zip(("phrase", *EDGES), (str(phrase), left, top, right, bottom), strict=True)))
    return found


def read_json(text: str) -> Any:
    """ValueError for what is too long, no JSON, or holds half of a character, which no page can be sent."""
    if len(text) > LONGEST_BOXES:
        raise ValueError
    found = json.loads(text)
    json.dumps(found, ensure_ascii=False).encode()
    return found
