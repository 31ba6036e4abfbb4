"""What the left columns of tabs have in common: a picture to ask about, given or drawn, and a place for several."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import gradio as gr
from PIL import Image, ImageOps

import toyland
from ui.photographs import PHOTOGRAPHS
from ui.picture_input import picture_input
from ui.view import Picture, photograph, scene_picture

THUMBNAIL = 160  # pixels
SCENES = tuple(scene_picture(seed) for seed in (18, 10, 16, 17, 19, 0))
GALLERY = (*map(photograph, PHOTOGRAPHS), *SCENES)


def picture_chooser(
    picture: Picture, prefix: str = "", height: int = 240, gallery: Sequence[Picture] = GALLERY
) -> dict[str, Any]:
    """The picture box, ready pictures under it, and the button that draws another scene; ids begin with `prefix`."""
    return {
        "image": picture_input(
            picture.in_box(),
            label="Picture",
            elem_id=f"{prefix}picture",
            elem_classes="picture-box",
            height=height,
        ),
        "gallery": gr.Gallery(
            [_thumbnail(each) for each in gallery],
            label="Pictures to begin with",
            show_label=False,
            columns=len(SCENES),
            object_fit="cover",
            allow_preview=False,
            buttons=[],
            elem_id=f"{prefix}gallery",
            elem_classes="scene-gallery",
        ),
        "new_scene": gr.Button(
            "Draw me a new one", size="sm", elem_id=f"{prefix}new-scene", elem_classes="new-scene"
        ),
    }


def pictures_box(label: str, elem_id: str | None = None) -> gr.Gallery:
    """A place for several pictures of the visitor's; `files_of` says which."""
    return gr.Gallery(
        label=label,
        show_label=False,
        type="filepath",
        format="png",  # what is drawn reaches the model as it is
        file_types=["image"],
        columns=8,
        height=66,
        object_fit="cover",
        allow_preview=False,
        buttons=[],
        elem_id=elem_id,
        elem_classes="class-pictures",
    )


def files_of(gallery: Any) -> list[str]:
    """The files of a gallery, as Gradio hands it over: pairs of path and caption, or nothing."""
    return [item[0] if isinstance(item, (tuple, list)) else item for item in gallery or ()]


@cache
def _thumbnail(picture: Picture) -> tuple[Image.Image, str]:
    """A picture, small, and in words for those who cannot see it."""
    if picture.scene is not None:
        return toyland.draw_scene(picture.scene, THUMBNAIL), picture.scene.caption
    shown = PHOTOGRAPHS[picture.photograph]
    with Image.open(shown.path) as image:
        return ImageOps.fit(image, (THUMBNAIL, THUMBNAIL)), shown.shows
