"""Questions to begin with on the Words tab: pictures, and labels between which CLIP has to decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ui.shared.pictures import Picture, photograph, scene_picture
from ui.tabs.words.question import FIRST_PHRASINGS, WordsAsked


@dataclass(frozen=True)
class Example:
    """A picture, and labels as one would type them; the phrasings are the ready ones."""

    picture: Picture
    labels: str

    def asked_of(self, model: str) -> WordsAsked:
        """The example as a question to a model."""
        return WordsAsked(self.picture, self.labels, FIRST_PHRASINGS, model)


EXAMPLES: Mapping[str, Example] = {
    "House or boat?": Example(scene_picture(24), "house, boat, castle, tent"),
    "Tree or plane?": Example(scene_picture(38), "tree, plane, flower"),
    "Cup or bowl?": Example(photograph("coffee"), "cup, bowl, plate, bottle"),
    "Cat or fox?": Example(photograph("cat"), "cat, fox, dog, rabbit"),
    "Which has which colour?": Example(scene_picture(4), "green house, white house, green boat, white boat"),
    "No doubt": Example(scene_picture(55), "rabbit, cat, fish, bird"),
}
FIRST = EXAMPLES["House or boat?"]
