"""Parts shared by the left columns of tabs: a picture to ask about, given or drawn, and a place for several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import gradio as gr
from PIL import Image, ImageOps

import toyland
from ui.components.picture_input import picture_input
from ui.events.queues import QUIET
from ui.events.requests import Event
from ui.shared.photographs import PHOTOGRAPHS
from ui.shared.pictures import Picture, new_scene_picture, photograph, scene_picture

THUMBNAIL = 160  # pixels
SCENES = tuple(scene_picture(seed) for seed in (18, 10, 16, 17, 19, 0))
GALLERY = (*map(photograph, PHOTOGRAPHS), *SCENES)


class PictureChooser:
    """A picture box, ready pictures under it, and a button that draws another scene; ids begin with `prefix`. `picture`
    is the state that says which picture is asked about.
    """

    def __init__(
        self, picture: Picture, prefix: str = "", height: int = 240, gallery: Sequence[Picture] = GALLERY
    ) -> None:
        self._gallery = gallery
        # The default is what a visitor has whose state is gone: better no picture than one that is not shown.
        self.picture = gr.State(Picture())
        self.image = picture_input(
            picture.in_box(),
            label="Picture",
            elem_id=f"{prefix}picture",
            elem_classes="picture-box",
            height=height,
        )
        self.gallery = gr.Gallery(
            [_thumbnail(each) for each in gallery],
            label="Pictures to begin with",
            show_label=False,
            columns=len(SCENES),
            object_fit="cover",
            allow_preview=False,
            buttons=[],
            elem_id=f"{prefix}gallery",
            elem_classes="scene-gallery",
        )
        self.new_scene = gr.Button(
            "Draw me a new one", size="sm", elem_id=f"{prefix}new-scene", elem_classes="new-scene"
        )

    def on_another(
        self, handler: Callable[..., Any], given: Sequence[Any], shown: Sequence[Any]
    ) -> list[Event]:
        """Calls `handler(picture, *given)` with a picture of the gallery or a new scene; the events that follow."""

        def pick(event: gr.SelectData, *given: Any) -> Any:
            return handler(self._gallery[event.index], *given)

        def draw(*given: Any) -> Any:
            return handler(new_scene_picture(), *given)

        picked = self.gallery.select(pick, list(given), list(shown), **QUIET)
        return [picked.success, self.new_scene.click(draw, list(given), list(shown), **QUIET).success]

    def on_clear(self, status: gr.Markdown) -> None:
        """The visitor empties the box; what is shown stays until the next answer."""
        self.image.clear(lambda: (Picture(), "Now choose a picture."), None, [self.picture, status], **QUIET)

    def on_upload(self) -> Event:
        """The visitor fills the box: a file, the camera, the clipboard."""
        return self.image.upload(
            lambda path: Picture(path=path), [self.image], [self.picture], **QUIET
        ).success


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
