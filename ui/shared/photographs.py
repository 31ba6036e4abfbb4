"""The photographs that come with the page: what they show, what one may ask about them, and who took them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "photographs"


@dataclass(frozen=True)
class Photograph:
    """A file of FOLDER. `shows`: for those who cannot see it; `prompts` and `labels`: what one may ask."""

    name: str
    shows: str
    prompts: tuple[str, ...]
    labels: tuple[str, ...]
    author: str
    licence: str

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.jpg"


PHOTOGRAPHS: Mapping[str, Photograph] = {
    photograph.name: photograph
    for photograph in (
        Photograph(
            "coffee",
            "A cup of coffee with a spoon on a wooden table",
            ("a cup of coffee", "a spoon", "a wooden table"),
            ("cup", "bowl", "plate", "bottle"),
            "Rachel Michetti",
            "CC0",
        ),
        Photograph(
            "officer",
            "An officer of the navy with glasses and a hat before a flag",
            ("glasses", "a hat", "a flag"),
            ("woman", "man", "girl", "dog"),
            "James S. Davis, US Navy",
            "public domain",
        ),
        Photograph(
            "cat",
            "The face of a cat",
            ("a cat", "a nose", "a dog"),
            ("cat", "dog", "rabbit", "fox"),
            "Stéfan van der Walt",
            "CC0",
        ),
        Photograph(
            "astronaut",
            "A smiling astronaut in an orange suit, a flag and a model of a space shuttle",
            ("a woman", "a flag", "a helmet"),
            ("woman", "man", "helmet", "car"),
            "NASA",
            "public domain",
        ),
        Photograph(
            "pagoda",
            "A pagoda above trees beside a lake",
            ("a tower", "trees", "water"),
            ("tower", "church", "house", "boat"),
            "danielbuechele",
            "CC BY 2.0",
        ),
        Photograph(
            "flower",
            "An orange dahlia before dark leaves",
            ("petals", "leaves", "a butterfly"),
            ("flower", "fruit", "butterfly", "hat"),
            "vultilion",
            "CC BY 2.0",
        ),
    )
}
FIRST = PHOTOGRAPHS["coffee"]


def credits_line() -> str:
    """Names who took them, and under which licence."""
    named = (f"{each.name} by {each.author} ({each.licence})" for each in PHOTOGRAPHS.values())
    return f"Photographs: {', '.join(named)}; made smaller. Their sources are in assets/README.md."
