"""Toyland: a drawn world with exact masks, boxes and captions, and the small models trained on it.

This package draws without torch; training and evaluation (`toyland.clip_training`, `toyland.evaluation`) import it.
"""

from toyland.captions import match_place, match_things, plain_caption, write_caption
from toyland.drawing import draw_scene, scene_boxes, scene_masks
from toyland.scene import SPLITS, UNSEEN_PAIRS, Scene, Split, Thing, sample_scene, with_background
from toyland.vocabulary import PLACE_PHRASES, plain_noun, with_article


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
