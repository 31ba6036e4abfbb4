"""The picture box: upload, webcam, clipboard. Hands over the file unopened; explain.read_image alone opens pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.image_utils import decode_base64_to_file


class PictureInput(gr.Image):
    """gr.Image without its own decoding, which would run before any check of ours: a bomb would be unpacked, and a
    file that is no picture would end in a message about Python."""

    def get_block_name(self) -> str:
        return "image"

    def preprocess(self, payload: Any) -> str | None:  # type: ignore[override]
        """The path of the file that was given, or None."""
        if payload is None:
            return None
        if payload.url and payload.url.startswith("data:"):
            return decode_base64_to_file(payload.url, self.GRADIO_CACHE, self.format)
        return payload.path


def picture_input(
    value: Any = None,
    *,
    label: str,
    visible: bool = True,
    elem_id: str | None = None,
    elem_classes: str | None = None,
    sources: Sequence[str] = ("upload", "webcam", "clipboard"),
    height: int = 300,
) -> PictureInput:
    """The picture box as every page of ours has it: any mode of picture, as a file."""
    return PictureInput(
        value=value,
        label=label,
        show_label=False,
        height=height,
        visible=visible,
        elem_id=elem_id,
        elem_classes=elem_classes,
        type="filepath",
        image_mode=None,
        format="png",
        sources=list(sources),
        buttons=["fullscreen"],
    )
