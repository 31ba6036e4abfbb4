"""What a lesson gives: curves while it goes on, and a table of the ways to write the prompt."""

from __future__ import annotations

from ui.drawn_html import DrawnHTML


class LessonView(DrawnHTML):
    """Shows what lesson_drawing.lesson_value() returns."""

    ROOT = "tl-lesson-page"
    SCRIPTS = ("lesson_view.js",)
