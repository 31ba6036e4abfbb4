"""Pictures that can be asked about: given, drawn, or one of our photographs; and what a prompt speaks of in them."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

import toyland
from toyland.world.vocabulary import PLACE_NOUNS
from ui.shared.photographs import PHOTOGRAPHS

if TYPE_CHECKING:
    pass

SPLIT = "balanced"  # drawn scenes in which things and places do not go together
LONGEST = 1280  # pixels on the page; downloads have the full size
SCENE_PIXELS = 768


@dataclass(frozen=True)
class Picture:
    """A drawn scene, a file that a visitor gave us, or a picture that was made on the page: one of the three.
    `photograph`: the name of the file where it is one of ours.
    """

    scene: toyland.Scene | None = None
    path: str | None = None
    made: Image.Image | None = None
    photograph: str = ""

    def open(self) -> Image.Image:
        """The picture at full size, RGB; a file that is no picture we allow is a ValueError."""
        if self.made is not None:
            return self.made
        if self.scene is not None:
            return _drawn(self.scene).copy()
        if self.path is None:
            raise ValueError("There is no picture yet: upload one, take one, or pick a drawn scene")
        import explain

        return explain.read_image(self.path)

    def in_box(self) -> Image.Image | str:
        """Gives a picture box its picture: a photograph of ours as the file that it is."""
        return str(self.path) if self.photograph else self.open()

    @property
    def in_link(self) -> dict[str, str]:
        """Names it in a link; one that was given or made has no name there."""
        if self.scene is not None:
            return {"seed": str(self.scene.seed), "split": self.scene.split}
        return {"photo": self.photograph} if self.photograph else {}

    @property
    def in_json(self) -> dict[str, Any]:
        """Names it in a file of numbers."""
        scene = None if self.scene is None else json.loads(self.scene.to_json())
        return {"scene": scene, "photograph": self.photograph or None}

    def in_python(self, pixels: int) -> list[str]:
        """Lines that import `explain` and open the picture as `image`, a scene so many pixels wide."""
        if self.scene is None:
            path = f"assets/photographs/{self.photograph}.jpg" if self.photograph else "your-picture.jpg"
            return ["import explain", "", f'image = explain.read_image("{path}")']
        drawing = (
            f"toyland.draw_scene(toyland.sample_scene({self.scene.seed}, {self.scene.split!r}), {pixels})"
        )
        return ["import explain", "import toyland", "", f"image = {drawing}"]


@lru_cache(maxsize=16)  # a scene on the page is opened for its box, its answers, its words, its canvas
def _drawn(scene: toyland.Scene) -> Image.Image:
    return toyland.draw_scene(scene, SCENE_PIXELS)


def scene_picture(seed: int, split: str = SPLIT) -> Picture:
    """The drawn scene of a seed."""
    return Picture(scene=toyland.sample_scene(seed, split))


def new_scene_picture() -> Picture:
    """A scene that nobody has seen before, or hardly anybody."""
    return scene_picture(secrets.randbelow(toyland.SPLITS[SPLIT].count))


def photograph(name: str) -> Picture:
    """One of PHOTOGRAPHS."""
    return Picture(path=str(PHOTOGRAPHS[name].path), photograph=name)


def suggested_prompts(picture: Picture) -> str:
    """Suggests prompts, one per line: a scene's things and its place, or a photograph's own; "" for other pictures."""
    if picture.photograph:
        return "\n".join(PHOTOGRAPHS[picture.photograph].prompts)
    scene = picture.scene
    if scene is None:
        return ""
    phrases = [toyland.with_article(thing.phrase) for thing in scene.things]
    return "\n".join(dict.fromkeys([*phrases, PLACE_NOUNS[scene.place][0]]))


def suggested_prompt(picture: Picture) -> str:
    """The first of them, for those who may ask one thing."""
    return suggested_prompts(picture).partition("\n")[0]


def kept_or(fresh: str, typed: str, suggested: str) -> str:
    """Returns the text for the box of prompts when the scene changes: typed text stays, a suggestion does not."""
    return typed if typed.strip() and typed.strip() != suggested.strip() else fresh


@dataclass(frozen=True)
class Subject:
    """Subject of a prompt in a drawn scene: its mask, bool (pixels, pixels), its name, and what is not it."""

    mask: np.ndarray
    name: str
    rest: str


def scene_subject(scene: toyland.Scene, prompt: str, pixels: int) -> Subject | None:
    """Where what a prompt names is in a drawn scene; None if the scene has nothing of that name."""
    masks = toyland.scene_masks(scene, pixels)
    found = toyland.match_things(scene, prompt)
    if found and masks[list(found)].any():
        names = dict.fromkeys(scene.things[index].phrase for index in found)
        return Subject(np.any(masks[list(found)], axis=0), f"the {' and the '.join(names)}", "the background")
    if toyland.match_place(scene, prompt):
        place = PLACE_NOUNS[scene.place][0].removeprefix("a ").removeprefix("the ")
        return Subject(~np.any(masks, axis=0), f"the {place}", "the things in front of it")
    return None


def shrink(image: Image.Image, longest: int = LONGEST) -> Image.Image:
    """The picture with no side above `longest` pixels, never below one."""
    scale = min(1.0, longest / max(image.size))
    if scale == 1.0:
        return image
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=1.1)
