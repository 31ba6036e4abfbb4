"""The run view: a picture while it is made, and afterwards every step of it to look at again."""

from __future__ import annotations

from typing import ClassVar

from ui.drawn_html import DrawnHTML


class RunView(DrawnHTML):
    """Shows what run_drawing.RunDrawing.value() gives, again and again while a run grows. Sends no events.

    A value's `state` is "empty", "waiting", "running", "finished" or "stopped"; all else may be left out.
    """

    ROOT, CLASSES = "tl-run", "run-view"
    SCRIPTS = ("run_said.js", "run_paint.js", "run_player.js", "run_curves.js", "run_tiles.js", "run_view.js")
    EXAMPLE: ClassVar = {"state": "empty"}
