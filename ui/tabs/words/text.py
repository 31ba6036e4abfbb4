"""Sentences of the Words tab, from numbers; plain words, the paper's term in brackets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui.shared.text import percent

if TYPE_CHECKING:
    from ui.tabs.words.question import WordsAnswer

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
    """Explains the numbers of words."""
    over = ", means over the pictures that are taken for it" if many else ""
    return (
        f"First number and colour: how much the word raises the score (relevance), the strongest content word having "
        f"{percent(1)}. Second: what the score loses without the word (cosine){over}. Neglected: a content word below "
        f"{percent(threshold)}. Grey words (a, of, the) do not count."
    )


def drop(value: float) -> str:
    """Formats what the score loses, with its sign: "+0.042", "−0.003", "0.000"."""
    shown = f"{value:+.3f}"
    return shown[1:] if float(shown) == 0 else shown.replace("-", "−")
