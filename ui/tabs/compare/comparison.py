"""One picture and one prompt before all methods: what was asked, what came back, and how well each map falls on the
thing where that is known. Nothing is shared between visitors."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

import toyland
from ui.models import clip_jobs
from ui.shared.drawing import Look
from ui.shared.inputs import parse_prompts
from ui.shared.pictures import Picture, Subject, scene_subject, shrink

if TYPE_CHECKING:
    import explain

ORDERS = {  # how tiles may be sorted
    "contrast": "Contrast (mSC)",
    "overlap": "Overlap (IoU)",
    "seconds": "Time",
    "kind": "Kind of method",
}
FIRST_ORDER = "contrast"
NEEDS_TRUTH = ("contrast", "overlap")

AS_DRAWN, USUAL, UNUSUAL = "drawn", "usual", "unusual"  # the backgrounds of a drawn scene
BACKGROUNDS = {AS_DRAWN: "As drawn", USUAL: "Usual for it", UNUSUAL: "Unusual for it"}

Adopted = tuple[Picture, str, str]  # a question that another tab or a link brought: picture, prompt, model

MEASURED = 384  # pixels of the longer side of the masks that maps are measured on


@dataclass(frozen=True)
class Asked:
    """Question of a visitor. The three switches are experiments on the same question; `mask` is a picture file, white
    where the thing is, for pictures that are not drawn.
    """

    picture: Picture
    prompt: str
    model: str
    background: str = AS_DRAWN
    shuffled: bool = False
    random: bool = False
    mask: str | None = None
    automatic: bool = field(default=False, compare=False)  # whether the model was chosen by the picture

    def __post_init__(self) -> None:
        if self.background not in BACKGROUNDS:
            raise ValueError(f"unknown background {self.background!r}; choose from {', '.join(BACKGROUNDS)}")
        if len(parse_prompts(self.prompt)) > 1:
            raise ValueError("All methods answer one prompt at a time: give one line")

    @property
    def plain(self) -> Asked:
        """This question without the experiments."""
        return replace(self, background=AS_DRAWN, shuffled=False, random=False)

    @property
    def words(self) -> str:
        """The prompt as the model is asked."""
        (prompt,) = parse_prompts(self.prompt)
        return shuffle(prompt) if self.shuffled else prompt

    @property
    def shown(self) -> Picture:
        """The picture with the background that is asked for."""
        scene = self.picture.scene
        if scene is None or self.background == AS_DRAWN:
            return self.picture
        found = toyland.match_things(scene, self.prompt)
        about = found[0] if found else 0
        return Picture(scene=toyland.with_background(scene, about, usual=self.background == USUAL))


@dataclass(frozen=True)
class Measured:
    """How well a map falls on the thing: contrast (mSC) from -100 to 100, overlap (IoU) in percent at the best
    threshold for this map, and whether its highest point is on the thing.
    """

    contrast: float
    overlap: float
    hit: bool


@dataclass(frozen=True)
class Comparison:
    """The answers so far. `depth`: similarity maps (h, w) after every block; `lacking`: method -> why it has no map;
    `before`: what the methods measured before the experiments were switched on.
    """

    asked: Asked
    image: Image.Image  # RGB, at most view.LONGEST pixels
    truth: Subject | None = None
    answers: Mapping[str, explain.Explanation] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    measured: Mapping[str, Measured] = field(default_factory=dict)
    depth: tuple[np.ndarray, ...] = ()
    depth_contrasts: tuple[float, ...] = ()
    lacking: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, Measured] = field(default_factory=dict)
    took: float = 0.0
    finished: bool = False
    style: Style | None = None  # how its tiles were drawn while they came

    @property
    def first(self) -> explain.Explanation | None:
        """Any of the answers: prompt, score and notes are the same in all."""
        return next(iter(self.answers.values()), None)


def compare(asked: Asked, slow: bool, previous: Comparison | None = None) -> Iterator[Comparison]:
    """Asks every method that the model supports; yields after each. `slow`: also those that run the model hundreds
    of times, which come last. `previous` answers give `before`, if they are to the same question.
    """
    from explain import METHODS
    from explain.clip.catalogue import find
    from explain.methods import lacking

    begun = time.perf_counter()
    image = asked.shown.open()
    lacks = lacking(find(asked.model))
    now = Comparison(asked, shrink(image), _truth(asked, image.size), before=_before(asked, previous))
    names = [m.name for m in METHODS.values() if not m.own_forwards]
    if slow:
        names += [m.name for m in METHODS.values() if m.own_forwards]
    now = replace(now, lacking={name: lacks[name] for name in METHODS if name in lacks})
    for name, found, seconds in clip_jobs.compare(asked.model, image, asked.words, names, asked.random):
        now = _with_depth(now, found) if name == clip_jobs.DEPTH else _with_answer(now, name, found, seconds)
        now = replace(now, took=time.perf_counter() - begun)
        yield now
    yield replace(now, finished=True)


def measure(heatmap: np.ndarray, mask: np.ndarray) -> Measured:
    """A raw map (h, w) on a mask (H, W) of a thing."""
    from explain import metrics

    return Measured(
        100 * metrics.msc(heatmap, mask),
        100 * float(metrics.ious(heatmap, mask).max()),
        metrics.pointing_hit(heatmap, mask),
    )


def shuffle(prompt: str) -> str:
    """The words in another order, the same every time; one word, or equal words, cannot be shuffled."""
    words = prompt.split()
    rng = Random(prompt)
    for _ in range(20):
        mixed = rng.sample(words, len(words))
        if mixed != words:
            return " ".join(mixed)
    return prompt


def read_mask(path: str, size: tuple[int, int]) -> np.ndarray:
    """A mask (H, W) from a picture file that is white on the thing and black elsewhere.

    ValueError where nothing or everything is white, and where its shape is not that of the picture (width, height).
    """
    import explain

    picture = explain.read_image(path).convert("L")
    if abs(picture.width * size[1] - picture.height * size[0]) > 0.02 * picture.width * size[1]:
        raise ValueError(
            f"The mask is {picture.width} x {picture.height} pixels and the picture {size[0]} x {size[1]}: "
            "it must have the picture's proportions"
        )
    mask = np.asarray(picture.resize(_measured_size(size), Image.Resampling.NEAREST)) > 127
    if mask.all() or not mask.any():
        colour = "white" if mask.all() else "black"
        raise ValueError(f"The mask is all {colour}: paint the thing white and everything else black")
    return mask


def _truth(asked: Asked, size: tuple[int, int]) -> Subject | None:
    scene = asked.shown.scene
    if scene is not None:
        return scene_subject(scene, asked.prompt, MEASURED)
    if asked.mask is None:
        return None
    return Subject(read_mask(asked.mask, size), "the thing", "the rest of the picture")


def _measured_size(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, MEASURED / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _before(asked: Asked, previous: Comparison | None) -> Mapping[str, Measured]:
    if previous is None or asked == asked.plain or previous.asked.plain != asked.plain:
        return {}
    return previous.measured if previous.asked == asked.plain else previous.before


def _with_depth(now: Comparison, maps: list[np.ndarray]) -> Comparison:
    contrasts = () if now.truth is None else tuple(measure(m, now.truth.mask).contrast for m in maps)
    return replace(now, depth=tuple(maps), depth_contrasts=contrasts)


def _with_answer(now: Comparison, name: str, found: explain.Explanation, seconds: float) -> Comparison:
    measured = {} if now.truth is None else {name: measure(found.heatmap, now.truth.mask)}
    return replace(
        now,
        answers={**now.answers, name: found},
        seconds={**now.seconds, name: seconds},
        measured={**now.measured, **measured},
    )


@dataclass(frozen=True)
class Style:
    """How tiles are drawn: opacity in [0, 1], a key of COLORMAPS, a key of ORDERS."""

    opacity: float = 0.6
    colormap: str = "viridis"
    order: str = FIRST_ORDER

    def __post_init__(self) -> None:
        Look(self.opacity, self.colormap)
        if self.order not in ORDERS:
            raise ValueError(f"unknown order {self.order!r}; choose from {', '.join(ORDERS)}")
