"""A view and how to draw it -> what the cards show. Runs no model: colours, opacity and reversal use the kept maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ui.components.box_canvas import canvas_value
from ui.shared import text as wording
from ui.shared.drawing import CANVAS, Look, contrast_points, drawn_map, encoded, scale, word_list
from ui.shared.pictures import Subject, shrink
from ui.shared.text import sentence
from ui.tabs.explain import text
from ui.tabs.explain.boxes import found_in, known_subject
from ui.tabs.explain.view import View

if TYPE_CHECKING:
    pass


def cards(view: View, look: Look) -> dict[str, Any]:
    """Everything that the cards component shows, as JSON; pictures travel inside it and are never a public file."""
    return {
        "scale": scale(look.colormap),
        "cards": [_card(view, look, index) for index in range(len(view.prompts))],
    }


def canvas_over(view: View) -> dict[str, Any]:
    """An empty canvas for boxes over the view's picture, which is made small: it travels with every event."""
    shown = view.shown
    return canvas_value((), encoded(shrink(shown, CANVAS)), shown.width / shown.height, "Your picture")


def _card(view: View, look: Look, index: int) -> dict[str, Any]:
    first = view.explanations[view.methods[0]][index]
    truth = known_subject(view, look.boxes, index)
    notes = [sentence(note) for found in view.explanations.values() for note in found[index].notes]
    if view.picture.scene is not None and truth is None:
        notes.append(
            "Nothing in this scene goes by that name, so there is no right place to compare the maps with."
        )
    return {
        "prompt": first.prompt,
        "score": wording.score(first.score),
        "probability": first.probability,
        "percent": wording.percent(first.probability),
        "selected": view.selected.get(index),
        "words": word_list(view.words(index)),
        "notes": list(dict.fromkeys(notes)),
        "maps": [_map(view, look, index, method, truth) for method in view.methods],
    }


def _map(view: View, look: Look, index: int, method: str, truth: Subject | None) -> dict[str, Any]:
    from explain import METHODS, heatmap

    turned = look.turned and method == view.methods[0]
    explanation = view.shown_explanation(index, method)
    values = drawn_map(explanation, turned)
    overlay = heatmap.overlay(view.shown, values, look.opacity, look.colormap)
    drawn: dict[str, Any] = {
        "title": wording.map_title(METHODS[method], turned),
        "term": METHODS[method].label,
        "sentence": wording.what_it_is(METHODS[method]),
        "width": overlay.width,
        "height": overlay.height,
        "src": encoded(overlay),
    }
    if truth is not None:
        msc = contrast_points(values, truth.mask)
        drawn["contrast"] = wording.signed(msc)
        drawn["caption"] = text.contrast(method, msc, truth.name, truth.rest, turned)
        if view.picture.scene is None:
            drawn["caption"] += " " + found_in(values, truth)
    return drawn
