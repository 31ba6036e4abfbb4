"""The Words tab's matrix: phrasings as rows, labels as columns, and the words of the row that is selected."""

from __future__ import annotations

from ui.drawn_html import DrawnHTML


class WordsMatrix(DrawnHTML):
    """Shows what words_drawing.matrix() returns."""

    ROOT = "tl-words-page"
    SCRIPTS = ("words_matrix.js",)
