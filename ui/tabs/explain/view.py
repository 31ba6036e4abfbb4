"""View of one visitor: a picture, prompts, and their explanations. Nothing is shared between visitors."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from PIL import Image

from ui.models import clip_jobs
from ui.shared.pictures import Picture, Subject, scene_subject, shrink

if TYPE_CHECKING:
    import explain


@dataclass(frozen=True)
class View:
    """One answered question. `explanations`: method -> one per prompt; `alone`: (card, word) -> method -> one."""

    picture: Picture
    shown: Image.Image  # RGB, at most LONGEST pixels
    prompts: tuple[str, ...]  # as the model read them: cleaned, and cut where they were too long
    model: str
    methods: tuple[str, ...]  # shown side by side, the first is the one that can be reversed
    explanations: Mapping[str, Sequence[explain.Explanation]]
    seconds: float
    automatic: bool = False  # whether the model was chosen by the picture
    alone: Mapping[tuple[int, str], Mapping[str, explain.Explanation]] = field(default_factory=dict)
    selected: Mapping[int, str] = field(default_factory=dict)  # card -> the word that is shown alone

    def shown_explanation(self, card: int, method: str) -> explain.Explanation:
        """The prompt's explanation, or that of the word selected in it."""
        word = self.selected.get(card)
        if word is not None:
            return self.alone[card, word][method]
        return self.explanations[method][card]

    def words(self, card: int) -> tuple[tuple[str, float], ...]:
        """The prompt's words and their shares of the relevance, which sum to 1."""
        return self.explanations[self.methods[0]][card].tokens


def look(
    picture: Picture, prompts: Sequence[str], model: str, methods: Sequence[str], automatic: bool = False
) -> View:
    """Ask the model about every prompt with every method; the view has the prompts as the model read them."""
    started = time.perf_counter()
    methods = tuple(dict.fromkeys(methods))
    image = picture.open()
    explanations = clip_jobs.explain_picture(model, image, prompts, methods)
    return View(
        picture=picture,
        shown=shrink(image),
        prompts=tuple(e.prompt for e in explanations[methods[0]]),
        model=model,
        methods=methods,
        explanations=explanations,
        seconds=time.perf_counter() - started,
        automatic=automatic,
    )


def select_word(view: View, card: int, word: str) -> View:
    """Show one word of a prompt alone; the same word again shows the whole prompt."""
    if not 0 <= card < len(view.prompts) or word not in [text for text, _ in view.words(card)]:
        raise ValueError("This word is not on the page any more: press Explain and select it again")
    if view.selected.get(card) == word:
        return replace(view, selected={c: w for c, w in view.selected.items() if c != card})
    alone = dict(view.alone)
    if (card, word) not in alone:
        found = clip_jobs.explain_picture(view.model, view.picture.open(), [word], view.methods)
        alone[card, word] = {method: explanations[0] for method, explanations in found.items()}
    return replace(view, alone=alone, selected={**view.selected, card: word})


def subject(view: View, card: int) -> Subject | None:
    """Where the prompt's subject really is; None for a photograph, or if the scene has nothing of that name."""
    if view.picture.scene is None:
        return None
    prompt = view.selected.get(card, view.prompts[card])
    return scene_subject(view.picture.scene, prompt, view.shown.width)
