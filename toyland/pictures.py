"""Toyland as data for `python -m explain`: pictures with captions to train on, pictures with masks to measure on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random

import numpy as np

from explain.eclip_training import Captioned
from explain.evaluation import Subject, Thing
from toyland.captions import write_caption
from toyland.drawing import draw_scene, scene_masks
from toyland.scene import sample_scene

FIRST = 900_000_000  # scenes of the training split that no CLIP was trained on


def captioned(size: tuple[int, int]) -> Iterator[Captioned]:
    """Endless scenes of the training split as people might caption them, with the mask of all their things."""
    for number in count(FIRST):
        scene = sample_scene(number, "train")
        caption = write_caption(scene, Random(f"caption-{number}"))
        mask = np.any(scene_masks(scene, max(size)), axis=0)
        yield Captioned(draw_scene(scene, max(size)), caption, mask)


def labelled(split: str, size: tuple[int, int], count: int) -> Iterator[Subject]:
    """Scenes of a split, every thing asked for by its colour and kind; scores count for its kind.

    Two things of one colour and kind are one question, their masks together.
    """
    for number in range(count):
        scene = sample_scene(number, split)
        masks = scene_masks(scene, max(size))
        things: dict[str, Thing] = {}
        for thing, mask in zip(scene.things, masks, strict=True):
            before = things.get(thing.phrase)
            things[thing.phrase] = Thing(
                thing.kind, thing.phrase, mask if before is None else mask | before.mask
            )
        yield Subject(draw_scene(scene, max(size)), tuple(things.values()))
