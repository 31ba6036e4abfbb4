"""Sentences that people read on the page, each from numbers or names; plain words, the paper's term in brackets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import explain
    from explain import Method, WordMethod
    from explain.clip.catalogue import Offered


TITLE = "Tokenlight"
TAGLINE = "See what CLIP looks at in a picture, and which of your words it uses."
SIMILARITY = "itsm"  # the map of the score itself; the others show what the score depends on, or are reversed


AUTOMATIC_NOTE = (
    "Drawn scenes are answered by the Toyland ViT, photographs by the best model on this machine."
)


def model_note(entry: explain.Entry) -> str:
    """Says what the chosen model may be asked about."""
    return f"{entry.label}: {entry.note}"


def automatic_note(scenes: explain.Entry, photographs: explain.Entry) -> str:
    """Which models answer when none is chosen."""
    return f"Drawn scenes are answered by {scenes.label}, photographs by {photographs.label}."


def megabytes(entry: Offered) -> str:
    """A download's size, rounded as one would say it: "600 MB", "1.7 GB"."""
    if entry.megabytes >= 1000:
        return f"{entry.megabytes / 1000:.1f} GB"
    return f"{round(entry.megabytes, -1 if entry.megabytes >= 100 else 0):.0f} MB"


def what_it_is(method: Method | WordMethod) -> str:
    """Says what a method is and what it cannot tell, in two sentences."""
    return f"{method.sentence} It cannot tell {method.limit[:1].lower()}{method.limit[1:]}"


def map_title(method: Method, turned: bool) -> str:
    """Says in plain words what a map shows; "" for a method that has no title."""
    title = method.title
    return f"Reversed: {title[:1].lower()}{title[1:]}" if turned else title


def duration(seconds: float) -> str:
    """A method's own time: "3 ms", "1.2 s"."""
    if seconds >= 0.9995:
        return f"{seconds:.1f} s"
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.0005 else "under 1 ms"


def score(value: float) -> str:
    """A raw cosine, with a real minus sign."""
    return f"{value:.3f}".replace("-", "−")


def percent(share: float | None) -> str:
    """A share of 1 as whole percent, as dom.js says it: halves go up, something is never rounded to nothing, what is
    not known is a dash, and no line ends before the sign.
    """
    if share is None or not math.isfinite(share):
        return "–"
    return "under 1\xa0%" if 0 < share < 0.005 else f"{math.floor(100 * share + 0.5)}\xa0%"


def signed(value: float) -> str:
    """A contrast with its sign: "+23", "−18", "0"."""
    return f"{value:+.0f}".replace("-", "−") if round(value) else "0"


def sentence(text: str) -> str:
    """A library message as a sentence: capital first, full stop last."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def model_label(name: str) -> str:
    """The model's name for people."""
    from explain.clip.catalogue import find

    return find(name).label


def generator_label(name: str) -> str:
    """The generator's name for people."""
    from guidance.generators.catalogue import find

    return find(name).label
