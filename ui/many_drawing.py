"""An answer about many pictures -> what the matrix of phrasings and labels shows. Runs no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ui import words_wording as wording
from ui.drawing import chip, encoded
from ui.many_pictures import ManyAnswer
from ui.view import shrink
from ui.wording import sentence
from ui.words_drawing import cells

if TYPE_CHECKING:
    from explain import FolderStability
    from explain.averages import AveragedWord, Decided

THUMBNAIL = 160  # pixels of the longer side


def matrix(answer: ManyAnswer) -> dict[str, Any]:
    """As words_drawing.matrix(): the same numbers, averaged, and every picture with its own answer."""
    found = answer.found
    left_out = [f"left out: {reason}" for reason in found.skipped]
    if left_out:
        total = len(found.skipped) + len(found.pictures)
        left_out.insert(0, f"{len(found.skipped)} of {total} pictures cannot be used")
    return {
        "verdict": wording.many_verdict(found),
        "neglect": wording.many_agree(found),
        "hint": wording.HINT_OF_MANY,
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
    from explain.phrasings import fill

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
