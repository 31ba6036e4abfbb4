"""The edit view: a picture before and after, with a slider between; the same without the words; and what each word
has.
"""

from __future__ import annotations

from typing import ClassVar

from ui.drawn_html import DrawnHTML


class EditView(DrawnHTML):
    """Shows what edit_drawing.drawn() gives, again and again while an edit goes on. Sends no events.

    A value's `state` is "empty", "running", "finished" or "stopped"; all else may be left out.
    """

    ROOT, CLASSES = "tl-edit", "edit-view"
    SCRIPTS = ("edit_stage.js", "edit_words.js", "edit_view.js")
    EXAMPLE: ClassVar = {"state": "empty"}
