"""Toyland: a drawn world with exact masks, boxes and captions, and the small models trained on it.

`art/` and `world/` draw without torch; `clip/`, `generators/`, `detector/` train and measure models. `pictures`,
`layouts`, `judging`, `edits` and `tasks` are what `--data toyland` means to the commands of explain and guidance.
"""

from toyland.world.captions import match_place, match_things, write_caption
from toyland.world.drawing import draw_scene, scene_boxes, scene_masks
from toyland.world.scene import (
    SPLITS,
    UNSEEN_PAIRS,
    Scene,
    Split,
    Thing,
    plain_caption,
    sample_scene,
    with_background,
)
from toyland.world.vocabulary import PLACE_PHRASES, plain_noun, with_article


def place_phrase(place: str) -> str:
    """The plain words for a place: "on the grass"."""
    if place not in PLACE_PHRASES:
        raise ValueError(f"unknown place {place!r}; choose from {', '.join(PLACE_PHRASES)}")
    return PLACE_PHRASES[place][0]


__all__ = [
    "SPLITS",
    "UNSEEN_PAIRS",
    "Scene",
    "Split",
    "Thing",
    "draw_scene",
    "match_place",
    "match_things",
    "place_phrase",
    "plain_caption",
    "plain_noun",
    "sample_scene",
    "scene_boxes",
    "scene_masks",
    "with_article",
    "with_background",
    "write_caption",
]
