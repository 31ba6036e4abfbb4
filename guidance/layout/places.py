"""Places of what a picture is to show: boxes in fractions of it, masks of any shape, targets and layouts.

A phrase may have several boxes or masks: together they are one target (paper A, Paiss et al. 2022, arXiv 2204.04908,
takes one mask per phrase, which may have several blobs).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from guidance.checks import listed, number, text
from guidance.layout import masks

MAX_BOXES = 16
MAX_PHRASE = 200  # characters
MAX_PROMPT = 1000
MIN_SIDE = 0.001  # of the picture's
EDGES = ("left", "top", "right", "bottom")
FRACTIONS = "fractions of the picture's width and height, from 0 to 1"


@dataclass(frozen=True)
class Box:
    """A thing and its rectangle, in fractions of the picture's width and height; top is less than bottom."""

    phrase: str
    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "phrase", checked_phrase(self.phrase))
        for name in EDGES:
            object.__setattr__(self, name, number(name, getattr(self, name)))
        check_order(self.phrase, self.edges)
        if min(self.edges) < 0 or max(self.edges) > 1:
            raise ValueError(f"the box of {self.phrase!r} is {listed(self.edges)}; allowed: {FRACTIONS}")
        if min(self.right - self.left, self.bottom - self.top) < MIN_SIDE:
            raise ValueError(
                f"the box of {self.phrase!r}, {listed(self.edges)}, is too thin; "
                f"allowed: at least {MIN_SIDE} of the picture's width and height"
            )

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        return self.left, self.top, self.right, self.bottom


@dataclass(frozen=True, eq=False)
class Region:
    """A thing and its place in any shape: a mask (H, W) in [0, 1] of the whole picture, at any size."""

    phrase: str
    mask: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "phrase", checked_phrase(self.phrase))
        mask = np.array(self.mask, dtype=np.float32)  # a copy: nobody else can write to it
        if mask.ndim != 2 or not mask.size:
            raise ValueError(f"the mask of {self.phrase!r} is {mask.shape}; allowed: (height, width)")
        if not (np.isfinite(mask).all() and mask.min() >= 0 and mask.max() <= 1):
            raise ValueError(f"the mask of {self.phrase!r} has values outside what is allowed: 0 to 1")
        if mask.mean() < MIN_SIDE**2:
            raise ValueError(
                f"the mask of {self.phrase!r} is empty; white is inside, black and transparent outside"
            )
        mask.setflags(write=False)
        object.__setattr__(self, "mask", mask)


@dataclass(frozen=True)
class Target:
    """All places of one phrase."""

    phrase: str
    boxes: tuple[Box, ...] = ()
    regions: tuple[Region, ...] = ()

    def __post_init__(self) -> None:
        if not self.boxes and not self.regions:
            raise ValueError(f"{self.phrase!r} has no place; allowed: at least one box or mask")

    def mask(self, height: int, width: int) -> np.ndarray:
        """The share of every pixel that belongs to the target, (height, width) float32 in [0, 1].

        Exact for boxes, by area, however they overlap; of boxes and masks together the larger share counts.
        """
        found = [masks.resized(region.mask, height, width) for region in self.regions]
        if self.boxes:
            found.append(masks.rectangles([box.edges for box in self.boxes], height, width))
        return np.maximum.reduce(found)

    @property
    def share(self) -> float:
        """r, the share of the picture that belongs to the target."""
        shapes = [region.mask.shape for region in self.regions]
        return float(self.mask(*max(shapes, default=(1, 1))).mean(dtype=np.float64))


@dataclass(frozen=True)
class Layout:
    """Layout of one picture: the scene as a prompt, which may be empty, and targets of different phrases."""

    prompt: str
    targets: tuple[Target, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", text("the prompt", self.prompt, MAX_PROMPT, empty=True))
        object.__setattr__(self, "targets", tuple(self.targets))
        phrases = [target.phrase for target in self.targets]
        if len(set(phrases)) < len(phrases):
            raise ValueError(f"{phrases} has a phrase twice; allowed: one target per phrase, see targets()")
        check_count(len(phrases))


def targets(places: Iterable[Box | Region]) -> tuple[Target, ...]:
    """One target per phrase, in the order in which phrases first appear. At most MAX_BOXES boxes and masks."""
    places = tuple(places)
    check_count(len(places))
    return tuple(
        Target(
            phrase,
            tuple(place for place in places if isinstance(place, Box) and place.phrase == phrase),
            tuple(place for place in places if isinstance(place, Region) and place.phrase == phrase),
        )
        for phrase in dict.fromkeys(place.phrase for place in places)
    )


def check_count(count: int) -> None:
    if count > MAX_BOXES:
        raise ValueError(f"{count} boxes given; allowed: up to {MAX_BOXES}")


def check_order(phrase: str, edges: tuple[float, float, float, float]) -> None:
    for low, high in ((0, 2), (1, 3)):
        if edges[low] >= edges[high]:
            raise ValueError(
                f"the box of {phrase!r} has {EDGES[low]} {edges[low]:.4g} and {EDGES[high]} {edges[high]:.4g}; "
                f"allowed: {EDGES[low]} less than {EDGES[high]}"
            )


def checked_phrase(phrase: object) -> str:
    return text("the phrase", phrase, MAX_PHRASE)
