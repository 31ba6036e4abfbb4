"""The box canvas: rectangles that are drawn over a picture and named, and the same boxes as a list to type in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ui.components.base import DrawnHTML
from ui.shared.inputs import EDGES

if TYPE_CHECKING:
    from guidance.layout.parsing import Box

MOST = 16  # boxes; the library takes no more
# Box 1, 2, ...; the ninth begins again. Told apart with any colour vision (Okabe and Ito, and Tol's indigo).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442", "#332288")

_KEYS = ("phrase", *EDGES)


class BoxCanvas(DrawnHTML):
    """Draws, moves and names boxes. Set it with canvas_value(); handlers read what they get with plain_boxes().

    Event: `input`, when a visitor has finished a gesture, a key or a text; listen with trigger_mode="always_last",
    or what is done while a handler runs is not heard. `change` comes as well, and also when Python sets another
    value: Gradio sends it by itself.
    """

    ROOT, CLASSES = "tl-boxes", "box-canvas"
    SCRIPTS = ("box_values.js", "box_board.js", "box_form.js", "box_pointer.js", "box_canvas.js")
    EXAMPLE: ClassVar = {"boxes": [dict(zip(_KEYS, ("red cat", 0.1, 0.2, 0.45, 0.6), strict=True))]}

    def __init__(
        self, value: dict[str, Any] | None = None, elem_id: str | None = None, render: bool = True
    ) -> None:
        super().__init__(value or canvas_value(()), elem_id, render)

    @classmethod
    def script(cls) -> str:
        """With the colours before them: a property of their own would be lost where a canvas that was hidden is
        shown.
        """
        return f"const COLOURS = {json.dumps(COLOURS)};\n{super().script()}"

    def api_info(self) -> dict[str, Any]:
        fraction = {"type": "number", "minimum": 0, "maximum": 1}
        edges = dict.fromkeys(EDGES, fraction)
        box = {
            "type": "object",
            "properties": {"phrase": {"type": "string"}} | edges,
            "required": list(_KEYS),
        }
        return {
            "type": "object",
            "properties": {
                "boxes": {"type": "array", "items": box, "maxItems": MOST},
                "background": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "aspect": {"type": "number", "description": "the picture's width divided by its height"},
                "alt": {"type": "string", "description": "the picture in words"},
                "most": {"type": "integer", "description": "how many boxes there may be"},
            },
            "required": ["boxes"],
        }


def canvas_value(
    boxes: Iterable[Box | Mapping[str, Any]],
    background: str | None = None,
    aspect: float = 1.0,
    alt: str = "",
    most: int = MOST,
) -> dict[str, Any]:
    """The JSON that BoxCanvas shows. `background`: the address of a picture, `alt`: what is on it, in words,
    `aspect`: its width divided by its height, `most`: how many boxes there may be. Boxes may be plain ones, as
    plain_boxes() gives them.
    """
    return {
        "boxes": [_plain(box if isinstance(box, Mapping) else vars(box)) for box in boxes],
        "background": background,
        "aspect": aspect,
        "alt": alt,
        "most": most,
    }


def plain_boxes(value: object) -> list[Any]:
    """The boxes in what BoxCanvas holds, as JSON that guidance.layout.parsing.parse_boxes reads and checks."""
    if value is None:
        return []
    boxes = value.get("boxes", []) if isinstance(value, Mapping) else value
    if not isinstance(boxes, (list, tuple)):
        raise ValueError("the boxes are not as the page writes them; allowed: an object with a list, boxes")
    return [_plain(box) for box in boxes]


def _plain(box: object) -> Any:
    """A box without what a page may have added to it; what is no box is left to be told of."""
    return {key: box[key] for key in _KEYS if key in box} if isinstance(box, Mapping) else box
