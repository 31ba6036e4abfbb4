"""Questions to begin with on the Words tab: drawn scenes, and labels between which CLIP has to decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ui.view import Picture, scene_picture
from ui.words_question import FIRST_PHRASINGS, WordsAsked


@dataclass(frozen=True)
class Example:
    """The seed of a drawn scene, and labels as one would type them; the phrasings are the ready ones."""

    seed: int
    labels: str

    @property
    def picture(self) -> Picture:
        """The drawn scene."""
        return scene_picture(self.seed)

    def asked_of(self, model: str) -> WordsAsked:
        """The example as a question to a model."""
        return WordsAsked(self.picture, self.labels, FIRST_PHRASINGS, model)


EXAMPLES: Mapping[str, Example] = {
    "House or boat?": Example(24, "house, boat, castle, tent"),
    "Tree or plane?": Example(38, "tree, plane, flower"),
    "Which has which colour?": Example(4, "green house, white house, green boat, white boat"),
    "No doubt": Example(55, "rabbit, cat, fish, bird"),
}
FIRST = EXAMPLES["House or boat?"]
