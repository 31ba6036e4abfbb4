"""A question of the Words tab as the query of a link, and back: ?tab=words&seed=24&labels=cat%2C+dog&model=toy-vit."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from ui.link import LONGEST_QUERY
from ui.link import read_query as read_question
from ui.words_examples import FIRST
from ui.words_question import FIRST_PHRASINGS, WordsAsked, suggested_labels

WORDS_TAB = "words"  # its id among the tabs


def read_query(query: Mapping[str, str], default_model: str) -> tuple[WordsAsked, str | None]:
    """The question of a link, and what could not be read in it. A link without a seed asks about the first example."""
    usual = {} if "photo" in query else FIRST.picture.in_link
    question, problem = read_question({**usual, **query}, default_model)
    first = question.picture == FIRST.picture
    suggested = FIRST.labels if first else suggested_labels(question.picture)
    labels = _whole_lines(query.get("labels", "")) or suggested
    phrasings = _whole_lines(query.get("phrasings", "")) or FIRST_PHRASINGS
    return WordsAsked(question.picture, labels, phrasings, question.model), problem


def write_query(asked: WordsAsked) -> str:
    """The query that opens this question again; an uploaded picture stays out of it, and so do the ready phrasings."""
    fields = {"tab": WORDS_TAB} | asked.picture.in_link
    fields |= {"labels": asked.labels.strip(), "model": asked.model}
    if asked.phrasings.strip() != FIRST_PHRASINGS:
        fields["phrasings"] = asked.phrasings.strip()
    return "?" + urlencode(fields)


def _whole_lines(text: str) -> str:
    """What a link may hold of a text: of one that is too long, no line is cut in two."""
    if len(text) > LONGEST_QUERY:
        text = text[:LONGEST_QUERY].rpartition("\n")[0]
    return text.strip()
