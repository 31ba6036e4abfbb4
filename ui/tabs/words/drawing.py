"""An answer -> what the matrix of phrasings and labels shows. Runs no model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ui.shared.drawing import chip, waiting
from ui.shared.pictures import Picture
from ui.shared.text import percent, sentence
from ui.tabs.words import text as wording
from ui.tabs.words.question import WordsAnswer

if TYPE_CHECKING:
    import explain
    from explain.stability.one_picture import PhrasedText


def before_the_first(picture: Picture) -> dict[str, Any]:
    """Returns what the component shows until the first answer."""
    return {"rows": [], **waiting(picture)}


def matrix(answer: WordsAnswer) -> dict[str, Any]:
    """Everything that the component shows, as JSON: rows of shares, their answers, and the words behind them."""
    from explain.stability.report import verdict

    found = answer.found
    flips = set(found.flips)
    return {
        "verdict": verdict(found),
        "neglect": wording.neglect(answer),
        "hint": wording.HINT,
        "meaning": wording.meaning(found.threshold),
        "answers": "Answer",
        "labels": list(found.labels),
        "together": {
            "cells": cells(found.ensemble),
            "answer": found.decided,
            "says": found.labels[found.decided],
        },
        "rows": [_row(found, number, number in flips) for number in range(len(found.phrasings))],
        "chosen": _telling(found),
        "pictures": [],
        "notes": [sentence(note) for note in found.notes],
    }


def _telling(found: explain.Stability) -> int:
    """The phrasing to begin with: one that flips if any does, and one of several content words if there is one."""
    decisions = enumerate(found.decisions)
    rich = [n for n, label in decisions if sum(word.content for word in found.texts[n][label].words) > 1]
    return next((n for n in rich if n in found.flips), next(iter((*found.flips, *rich)), 0))


def _row(found: explain.Stability, number: int, flips: bool) -> dict[str, Any]:
    """One phrasing. Where it flips, the words of what it answers and of what all together do."""
    texts, decision = found.texts[number], found.decisions[number]
    shown = {decision: "This phrasing answers" if flips else "This phrasing and all together answer"}
    if flips:
        shown[found.decided] = "All together answer"
    return {
        "phrasing": found.phrasings[number],
        "cells": cells([text.probability for text in texts]),
        "answer": decision,
        "says": found.labels[decision],
        "flips": float(flips),
        "texts": [_text(texts[label], found.labels[label], whose) for label, whose in shown.items()],
    }


def cells(shares: Sequence[float]) -> list[dict[str, Any]]:
    """Shares of the vote."""
    return [{"share": round(share, 4), "percent": percent(share)} for share in shares]


def _text(text: PhrasedText, label: str, whose: str) -> dict[str, Any]:
    return {
        "prompt": text.prompt,
        "label": label,
        "whose": whose,
        "words": [
            chip(word.text, word.relevance, word.content, word.neglected)
            | {"drop": "" if word.drop is None else wording.drop(word.drop)}
            for word in text.words
        ],
    }
