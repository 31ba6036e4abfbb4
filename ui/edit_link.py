"""An edit as the query of a link, and back: ?tab=edit&seed=10&split=balanced&prompt=a+pink+tree&words=["pink"]."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from ui.editing import EditWish, scene_caption
from ui.generate_link import LONGEST_BOXES, read_boxes, read_json, write_boxes
from ui.link import read_number
from ui.link import read_query as read_question

EDIT_TAB = "edit"  # its id among the tabs
_NUMBERS = {"strength": float, "word_weight": float, "draw": int, "steps": int}


def read_query(query: Mapping[str, str], first: EditWish) -> tuple[EditWish, str | None]:
    """The wish of a link, with `first` for what it leaves open; and what could not be read in it. A link that names no
    scene is about the first one. What it names, and where its box is, is checked when it is asked.

    `seed` is the scene's, as in the other tabs' links, and `draw` that of the edit.
    """
    problem: str | None = None
    wish = first
    if "seed" in query:
        question, problem = read_question(query, "")
        says = scene_caption(question.picture)
        wish = replace(wish, picture=question.picture, prompt=says, caption=says, words=(), boxes=())
    texts: dict[str, Any] = {
        name: query[name][:LONGEST_BOXES]
        for name in ("prompt", "caption", "generator", "way")
        if name in query
    }
    wish = replace(wish, **texts)
    try:
        numbers: dict[str, Any] = {
            name: read_number(kind, query[name]) for name, kind in _NUMBERS.items() if name in query
        }
        numbers |= {"seed": numbers.pop("draw")} if "draw" in numbers else {}
        wish = replace(wish, **numbers)
    except ValueError:
        problem = "A number in the link cannot be read. Here is the usual one."
    try:
        if "words" in query:
            wish = replace(wish, words=_words(query["words"]))
        if "boxes" in query:
            wish = replace(wish, boxes=tuple(read_boxes(query["boxes"])[:1]))
    except (ValueError, TypeError, RecursionError):
        problem = "The words or the box of the link cannot be read. Here are others."
    return wish, problem


def write_query(wish: EditWish) -> str:
    """The query that opens a wish again that could be read; a picture that was given or made stays out of it."""
    fields = {"tab": EDIT_TAB} | wish.picture.in_link
    return "?" + urlencode(
        fields
        | {
            "prompt": wish.prompt.strip(),
            "caption": wish.caption.strip(),
            "words": json.dumps(list(wish.words), ensure_ascii=False, separators=(",", ":")),
            "boxes": write_boxes(wish.boxes),
            "generator": wish.generator,
            "way": wish.way,
            "strength": str(wish.strength),
            "word_weight": str(wish.word_weight),
            "draw": str(wish.seed),
            "steps": str(wish.steps),
        }
    )


def _words(text: str) -> tuple[str, ...]:
    """ValueError or TypeError for what is no list of texts."""
    words = read_json(text)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise TypeError
    return tuple(words)
