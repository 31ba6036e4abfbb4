"""The cards under the picture: one per prompt, with its maps, numbers and words."""

from __future__ import annotations

from ui.drawn_html import DrawnHTML


class Cards(DrawnHTML):
    """Shows what drawing.cards() returns. Events: `word` {card, word} and `save` {card, map}."""

    ROOT = "tl-cards"
    SCRIPTS = ("cards.js",)
