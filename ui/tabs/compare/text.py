"""Sentences of the Compare tab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import toyland
from ui.shared.text import sentence
from ui.tabs.compare.comparison import AS_DRAWN, USUAL

if TYPE_CHECKING:
    from ui.tabs.compare.comparison import Comparison

COMPARE_EXPLAINER = """
- **Contrast** (mSC) is the map's mean on the thing minus its mean off it, from −100 to 100: above 0 the thing is
  brighter than the rest. **Overlap** (IoU) compares the brightest part of the map with the thing, at the threshold that
  suits this map best. **Brightest point** says whether the highest spot is on the thing (the pointing game).
- They measure whether a map *finds the thing*. A map may do that and still not say what made the model's score; and a
  map that lights up the background may tell the truth about a model that looks there.
- **Random weights** is a test of the methods: a map that hardly changes when the model has learnt nothing cannot be
  about what it has learnt.
- One picture is an example. The README has the averages over a thousand, with their command.
- The time is the method's own. The model reads the picture once for all methods; only occlusion and gScoreCAM run it
  again.
"""


def remarks(found: Comparison) -> list[str]:
    """Says what to know before looking at the tiles: the experiments that are on, and what is not measured."""
    asked, lines = found.asked, []
    scene = asked.shown.scene
    if asked.random:
        lines.append(
            "This model has random weights: it has learnt nothing. A map that looks as it did before shows the "
            "picture's shapes, not what the model knows."
        )
    if asked.shuffled:
        mixed = asked.words != asked.prompt.strip()
        lines.append(
            f"Asked with the words in another order: “{asked.words}”. A map that stays the same does not depend on it."
            if mixed
            else "This prompt cannot be shuffled: it takes two different words."
        )
    if scene is not None and asked.background != AS_DRAWN:
        where = "where one would expect" if asked.background == USUAL else "where one would not expect"
        lines.append(
            f"The same things {toyland.place_phrase(scene.place)}, {where} them. "
            "A model that leans on the background answers differently."
        )
    if found.truth is None:
        lines.append(
            "Nothing in this scene goes by that name, so the maps cannot be measured."
            if scene is not None
            else "No mask yet: upload one to score and rank the maps."
        )
    if found.first is not None:
        lines += [sentence(note) for note in found.first.notes]
    return lines


def compared(methods: int, model_label: str, seconds: float, finished: bool) -> str:
    """One line under the picture while and after the methods answer."""
    done = f"{methods} {'method' if methods == 1 else 'methods'}"
    if not finished:
        return f"{done} so far, {seconds:.1f} seconds, by {model_label}."
    return f"{done} compared in {seconds:.1f} seconds by {model_label}."
