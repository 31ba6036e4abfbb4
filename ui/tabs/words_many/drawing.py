"""An answer about many pictures -> what the matrix of phrasings and labels shows. Runs no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ui.shared.drawing import chip, encoded
from ui.shared.pictures import shrink
from ui.shared.text import sentence
from ui.tabs.words import text as wording
from ui.tabs.words.drawing import cells
from ui.tabs.words_many import text
from ui.tabs.words_many.question import ManyAnswer

if TYPE_CHECKING:
    from explain import FolderStability
    from explain.stability.averages import AveragedWord, Decided

THUMBNAIL = 160  # pixels of the longer side


def matrix(answer: ManyAnswer) -> dict[str, Any]:
    """As matrix() of the Words tab: the same numbers, averaged, and every picture with its own answer."""
    found = answer.found
    left_out = [f"left out: {reason}" for reason in found.skipped]
    if left_out:
        total = len(found.skipped) + len(found.pictures)
        left_out.insert(0, f"{len(found.skipped)} of {total} pictures cannot be used")
    return {
        "verdict": text.many_verdict(found),
        "neglect": text.many_agree(found),
        "hint": text.HINT_OF_MANY,
        "meaning": wording.meaning(found.threshold, many=True),
        "answers": "Another answer",
        "labels": list(found.labels),
        "together": {"cells": cells(found.ensemble), "answer": -1, "says": ""},
        "rows": [_row(found, number) for number in range(len(found.phrasings))],
        "chosen": max(range(len(found.flips)), key=found.flips.__getitem__),
        "pictures": [_picture(answer, one) for one in found.pictures],
        "notes": [sentence(note) for note in (*left_out, *found.notes)],
    }


def _row(found: FolderStability, number: int) -> dict[str, Any]:
    """One phrasing, with the words of every label that some picture has been taken for."""
    count, total = round(found.flips[number] * len(found.pictures)), len(found.pictures)
    texts = zip(found.labels, found.words[number], strict=True)
    return {
        "phrasing": found.phrasings[number],
        "cells": cells(found.probabilities[number]),
        "answer": -1,
        "says": f"{count} of {total}",
        "flips": found.flips[number],
        "texts": [_text(found, number, label, words) for label, words in texts if words],
    }


def _text(found: FolderStability, number: int, label: str, words: tuple[AveragedWord, ...]) -> dict[str, Any]:
    from explain.stability.phrasings import fill

    own = sum(one.own == found.labels.index(label) for one in found.pictures)
    return {
        "prompt": fill(found.phrasings[number], label),
        "label": label,
        "whose": f"{own} {'picture is' if own == 1 else 'pictures are'} taken for",
        "words": [
            chip(word.text, word.relevance, word.content, word.neglected > 0)
            | {
                "mark": f"neglected in {round(word.neglected * own)} of {own}",
                "drop": wording.drop(word.drop),
            }
            for word in words
        ],
    }


def _picture(answer: ManyAnswer, one: Decided) -> dict[str, Any]:
    import explain

    agreeing = sum(decision == one.together for decision in one.decisions)
    total = len(one.decisions)
    return {
        "src": encoded(shrink(explain.read_image(answer.asked.named[one.name]), THUMBNAIL)),
        "name": one.name,
        "label": answer.found.labels[one.together],
        "agree": f"{agreeing} of {total} agree",
    }
