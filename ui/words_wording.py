"""Sentences of the Words tab, from numbers; plain words, the paper's term in brackets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui.wording import percent

if TYPE_CHECKING:
    from explain import FolderStability
    from ui.many_pictures import ManyAnswer
    from ui.words_question import WordsAnswer

EXPLAINER = """
- A **cell** is the share of the vote that a label gets in a phrasing: 100 % are divided among your labels, and no
  others (softmax of the scores, at the model's own temperature). The highest of a row is that phrasing's **answer**.
- **All together** is asked with the mean of a label's texts in all phrasings (prompt ensembling). A phrasing that
  answers otherwise is marked **≠**: had you asked in these words, you would have been told something else.
- **Disagreement** (instability) is the share of pairs of phrasings that give different answers: 0 % if all agree.
- **Relevance** says how much of the model's attention to a word raises the score. Here the strongest content word has
  100 %. A content word below 70 % is **neglected**: CLIP leans on others instead. Articles, prepositions and the like
  may have any number; they are not counted.
- **Without it** is what the score (cosine) loses when the word is left out: minus means that the word was in the way.
  The two need not agree. Relevance follows what the model did with this text; leaving out asks about another text.
- A stable answer may be wrong, and the answer of all together too. What is shown is one model's use of words for one
  picture. The list of words that do not count is a fixed English one: it knows no word's meaning in its place.
"""
HINT = (
    "A number is the label’s share of the vote in that phrasing (softmax). ≠ marks another answer than that of all "
    "phrasings together, their mean. Select a row to see its words."
)
HINT_OF_MANY = (
    "A number is the label’s share of the vote in that phrasing (softmax), the mean over all pictures. ≠ counts the "
    "pictures on which the phrasing gives another answer than all phrasings together. Select a row to see its words."
)
LABELS_INFO = "What may be in the picture: with commas, or one per line"
PHRASINGS_INFO = "One per line; {} is where the label goes"


def answered(answer: WordsAnswer, model_label: str) -> str:
    """One line under the button after an answer."""
    found = answer.found
    texts = len(found.labels) * len(found.phrasings)
    took = f"in {answer.seconds:.1f} seconds" if answer.seconds >= 0.1 else "at once"
    return f"{texts} {'text' if texts == 1 else 'texts'} read {took} by {model_label}."


def neglect(answer: WordsAnswer) -> str:
    """In how many phrasings a word of the label that they answer is neglected itself."""
    found = answer.found
    rows = [row[decision].words for row, decision in zip(found.texts, found.decisions, strict=True)]
    count = sum(any(word.named and word.neglected for word in words) for words in rows)
    if not count:
        return "In no phrasing does CLIP neglect a word of its own answer."
    if len(rows) == 1:
        return "CLIP neglects a word of its own answer: other words of the text count more."
    return (
        f"In {count} of {len(rows)} phrasings CLIP neglects a word of its own answer: other words count more."
    )


def meaning(threshold: float, many: bool = False) -> str:
    """What the numbers of words say."""
    over = ", means over the pictures that are taken for it" if many else ""
    return (
        f"First number and colour: how much the word raises the score (relevance), the strongest content word having "
        f"{percent(1)}. Second: what the score loses without the word (cosine){over}. Neglected: a content word below "
        f"{percent(threshold)}. Grey words (a, of, the) do not count."
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


def drop(value: float) -> str:
    """What the score loses, with its sign: "+0.042", "−0.003", "0.000"."""
    shown = f"{value:+.3f}"
    return shown[1:] if float(shown) == 0 else shown.replace("-", "−")
