"""Sentences about many pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui.shared.text import percent

if TYPE_CHECKING:
    from explain import FolderStability
    from ui.tabs.words_many.question import ManyAnswer

HINT_OF_MANY = (
    "A number is the label’s share of the vote in that phrasing (softmax), the mean over all pictures. ≠ counts the "
    "pictures on which the phrasing gives another answer than all phrasings together. Select a row to see its words."
)


def many_verdict(found: FolderStability) -> str:
    """How stable the decisions are, in a sentence."""
    count = len(found.pictures)
    if len(found.phrasings) == 1:
        return f"{'One picture' if count == 1 else f'{count} pictures'} in one phrasing"
    pictures = "this picture" if count == 1 else f"these {count} pictures"
    return f"On {pictures}, two phrasings picked at random disagree {percent(found.instability)} of the time."


def many_agree(found: FolderStability) -> str:
    """How many pictures all phrasings agree on."""
    count, total = sum(picture.instability == 0 for picture in found.pictures), len(found.pictures)
    if len(found.phrasings) == 1:
        return "With one phrasing there is nothing to disagree about: give more."
    return f"All {len(found.phrasings)} phrasings give the same answer on {count} of {total}."


def many_answered(answer: ManyAnswer, model_label: str) -> str:
    """One line under the button after an answer."""
    found = answer.found
    texts, count = len(found.labels) * len(found.phrasings), len(found.pictures)
    return (
        f"{texts} {'text' if texts == 1 else 'texts'} and {count} {'picture' if count == 1 else 'pictures'} read in "
        f"{answer.seconds:.1f} seconds by {model_label}."
    )
