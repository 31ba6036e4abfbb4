"""The cards under the picture: one per prompt, with its maps, numbers and words."""

from __future__ import annotations

from typing import ClassVar

from ui.components.base import DrawnHTML


class Cards(DrawnHTML):
    """Shows what drawing.cards() returns. Events: `word` {card, word} and `save` {card, map}."""

    ROOT = "tl-cards"
    SCRIPTS = ("cards.js",)


class TileGrid(DrawnHTML):
    """Shows what the Compare tab's Tiles gives."""

    ROOT = "tl-tiles-page"
    SCRIPTS = ("tiles.js",)


class WordsMatrix(DrawnHTML):
    """Shows what matrix() returns."""

    ROOT = "tl-words-page"
    SCRIPTS = ("words_matrix.js",)


class RunView(DrawnHTML):
    """Shows what RunDrawing.value() gives, again and again while a run grows. Sends no events.

    A value's `state` is "empty", "waiting", "running", "finished" or "stopped"; all else may be left out.
    """

    ROOT, CLASSES = "tl-run", "run-view"
    SCRIPTS = ("run_said.js", "run_paint.js", "run_player.js", "run_curves.js", "run_tiles.js", "run_view.js")
    EXAMPLE: ClassVar = {"state": "empty"}


class LessonView(DrawnHTML):
    """Shows what lesson_value() returns."""

    ROOT = "tl-lesson-page"
    SCRIPTS = ("lesson_view.js",)


class EditView(DrawnHTML):
    """Shows what the Edit tab's drawn() gives, again and again while an edit goes on. Sends no events.

    A value's `state` is "empty", "running", "finished" or "stopped"; all else may be left out.
    """

    ROOT, CLASSES = "tl-edit", "edit-view"
    SCRIPTS = ("edit_stage.js", "edit_words.js", "edit_view.js")
    EXAMPLE: ClassVar = {"state": "empty"}
