"""Toyland as data for `python -m explain`: pictures with captions to train on, pictures with masks to measure on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from random import Random

import numpy as np
from PIL import Image

from explain.evaluation.subjects import Subject, Thing
from explain.inputs.captions import Captioned
from toyland.art import KINDS as DRAWN_KINDS
from toyland.world.captions import write_caption
from toyland.world.drawing import draw_scene, scene_masks
from toyland.world.scene import plain_caption, sample_scene
from toyland.world.vocabulary import plain_noun

KINDS = tuple(plain_noun(kind) for kind in DRAWN_KINDS)  # all labels of `singles`
FIRST = 900_000_000  # scenes of the training split that no CLIP was trained on

FUNCTION_WORDS = frozenset({"a", "an", "and", "by", "in", "on", "the"})  # of plain captions


def captioned(size: tuple[int, int]) -> Iterator[Captioned]:
    """Endless scenes of the training split as people might caption them, with the mask of all their things."""
    for number in count(FIRST):
        scene = sample_scene(number, "train")
        caption = write_caption(scene, Random(f"caption-{number}"))
        mask = np.any(scene_masks(scene, max(size)), axis=0)
        yield Captioned(draw_scene(scene, max(size)), caption, mask)


def labelled(split: str, size: tuple[int, int], count: int, first: int = 0) -> Iterator[Subject]:
    """`count` scenes of a split from number `first`, every thing asked for by its colour and kind; scores count for
    its kind. Scenes before `first` are not drawn.

    Two things of one colour and kind are one question, their masks together. The caption is the plain one; its
    content words are all but articles, prepositions and "and".
    """
    for number in range(first, first + count):
        scene = sample_scene(number, split)
        masks = scene_masks(scene, max(size))
        things: dict[str, Thing] = {}
        for thing, mask in zip(scene.things, masks, strict=True):
            before = things.get(thing.phrase)
            things[thing.phrase] = Thing(
                thing.kind, thing.phrase, mask if before is None else mask | before.mask
            )
        caption = plain_caption(scene)
        content = tuple(word for word in re.findall(r"\w+", caption) if word not in FUNCTION_WORDS)
        yield Subject(draw_scene(scene, max(size)), tuple(things.values()), None, caption, content)


def singles(split: str, size: tuple[int, int], count: int) -> Iterator[tuple[Image.Image, str]]:
    """`count` scenes of a split with one thing each, and the plain noun of its kind, one of KINDS."""
    for number in range(count):
        scene = sample_scene(number, split, things=1)
        yield draw_scene(scene, max(size)), plain_noun(scene.things[0].kind)
