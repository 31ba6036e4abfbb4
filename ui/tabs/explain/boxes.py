"""Where the visitor says that the thing is, on a picture of theirs: boxes that maps are measured against."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ui.components.box_canvas import plain_boxes
from ui.shared.pictures import Subject
from ui.shared.text import percent
from ui.tabs.explain.view import View, subject

if TYPE_CHECKING:
    from guidance.layout.parsing import Box

NAMELESS = "the thing"  # what a box without a name is called here


def read_where(canvas: Any) -> tuple[Box, ...]:
    """The boxes of a canvas; they need no names. ValueError for what no page writes."""
    from guidance.layout.parsing import parse_boxes

    named = [
        {**box, "phrase": box.get("phrase") or NAMELESS} if isinstance(box, dict) else box
        for box in plain_boxes(canvas)
    ]
    return parse_boxes(named)[0]


def known_subject(view: View, boxes: Sequence[Box], card: int) -> Subject | None:
    """Where the subject of a card is: known of a drawn scene, told by boxes of any other. None if not known."""
    if view.picture.scene is not None or not boxes:
        return subject(view, card)
    return boxed_subject(boxes, view.selected.get(card, view.prompts[card]), view.shown.size)


def boxed_subject(boxes: Sequence[Box], prompt: str, size: tuple[int, int]) -> Subject | None:
    """Finds a prompt's subject by boxes: those whose name is in the prompt, else those without a name. None if there is
    no such box, or if together they are all of the picture of this size (width, height).
    """
    from guidance.layout.masks import rectangles

    words = _words(prompt)
    chosen = [box for box in boxes if box.phrase != NAMELESS and _words(box.phrase) in words]
    chosen = chosen or [box for box in boxes if box.phrase == NAMELESS]
    if not chosen:
        return None
    mask = rectangles([box.edges for box in chosen], size[1], size[0]) >= 0.5
    if mask.all() or not mask.any():
        return None
    return Subject(mask, "your box" if len(chosen) == 1 else "your boxes", "the rest of the picture")


def found_in(values: np.ndarray, subject: Subject) -> str:
    """One sentence on a raw map (h, w) and a box: what lies in it, and whether the map points there."""
    from explain import metrics

    share, area = (
        percent(part) for part in (metrics.share_inside(values, subject.mask), float(subject.mask.mean()))
    )
    hit = metrics.pointing_hit(values, subject.mask)
    return (
        f"{share} of its brightness is in {subject.name}, which {_is(subject)} {area} of the picture; its brightest "
        f"point is {'inside' if hit else 'outside'} (pointing game: {'hit' if hit else 'miss'})."
    )


def _is(subject: Subject) -> str:
    return "are" if subject.name.endswith("boxes") else "is"


def _words(text: str) -> str:
    """Words alone, each with a space around it, to be looked for in one another."""
    words = re.findall(r"[^\W_]+", text.casefold())
    return f" {' '.join(words)} "
