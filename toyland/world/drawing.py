"""Scenes to pixels: the picture, an exact mask and a box per thing, at any resolution from the same scene."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from toyland.art import draw_place, draw_thing
from toyland.world.scene import Scene, Thing

MAX_PIXELS = 2048
BOX_PIXELS = 512  # boxes are read off masks of this size

CACHED_SIDE = 128  # larger sprites and places are drawn afresh: a server must not fill its memory with them

Corners = tuple[float, float, float, float]  # left, top, right, bottom in fractions of the picture

_VISIBLE = [0] * 128 + [255] * 128  # by alpha: a pixel is of the thing that covers more than half of it

_cached_place = lru_cache(maxsize=512)(draw_place)
_cached_thing = lru_cache(maxsize=4096)(draw_thing)


@lru_cache(maxsize=8192)
def _cached_sprite(kind: str, colour: str, side: int, flip: bool) -> tuple[Image.Image, Image.Image]:
    return _cut(_cached_thing(kind, colour, side), flip)


def _cut(sprite: Image.Image, flip: bool) -> tuple[Image.Image, Image.Image]:
    """Colours and alpha of a drawn thing."""
    if flip:
        sprite = sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return sprite.convert("RGB"), sprite.getchannel("A")


def _placed(thing: Thing, pixels: int) -> tuple[Image.Image, Image.Image, tuple[int, int]]:
    """A thing's colours, its alpha, and its upper left corner, in whole pixels."""
    side = max(1, round(thing.scale * pixels))
    corner = round(thing.x * pixels - side / 2), round(thing.y * pixels - side / 2)
    if side <= CACHED_SIDE:
        return *_cached_sprite(thing.kind, thing.colour, side, thing.flip), corner
    return *_cut(draw_thing(thing.kind, thing.colour, side), thing.flip), corner


def draw_scene(scene: Scene, pixels: int) -> Image.Image:
    """The picture of a scene: RGB, `pixels` x `pixels`. ValueError outside 8 to 2048 pixels."""
    _check_pixels(pixels)
    draw = _cached_place if pixels <= CACHED_SIDE else draw_place
    picture = draw(scene.place, scene.variant, pixels).copy()
    for thing in scene.things:
        colours, alpha, corner = _placed(thing, pixels)
        picture.paste(colours, corner, alpha)
    return picture


def scene_masks(scene: Scene, pixels: int) -> np.ndarray:
    """Where each thing can be seen: bool (things, pixels, pixels). Masks never overlap: the one in front wins."""
    _check_pixels(pixels)
    owner = Image.new("I", (pixels, pixels), 0)
    for number, thing in enumerate(scene.things, start=1):
        _, alpha, corner = _placed(thing, pixels)
        owner.paste(number, corner, alpha.point(_VISIBLE))
    return np.asarray(owner)[None] == np.arange(1, len(scene.things) + 1)[:, None, None]


def scene_boxes(scene: Scene) -> tuple[Corners, ...]:
    """Left, top, right, bottom of the visible part of each thing, in fractions of the picture."""
    return tuple(_box(mask) for mask in scene_masks(scene, BOX_PIXELS))


def _box(mask: np.ndarray) -> Corners:
    columns, rows = (np.flatnonzero(mask.any(axis=axis)) / BOX_PIXELS for axis in (0, 1))
    return (
        float(columns[0]),
        float(rows[0]),
        float(columns[-1] + 1 / BOX_PIXELS),
        float(rows[-1] + 1 / BOX_PIXELS),
    )


def _check_pixels(pixels: int) -> None:
    if not 8 <= pixels <= MAX_PIXELS:
        raise ValueError(f"a picture of {pixels} pixels cannot be drawn; choose 8 to {MAX_PIXELS}")
