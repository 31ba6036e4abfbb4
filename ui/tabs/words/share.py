"""Takeaway of the Words tab: a figure of the matrix, the table, every number, and the Python."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ui.shared.links import LONGEST_QUERY
from ui.shared.links import read_query as read_question
from ui.shared.pictures import SCENE_PIXELS
from ui.tabs.words.examples import FIRST
from ui.tabs.words.question import (
    FIRST_PHRASINGS,
    WordsAnswer,
    WordsAsked,
    parse_labels,
    parse_phrasings,
    suggested_labels,
)

WORDS_TAB = "words"  # its id among the tabs

COLUMNS = ("phrasing", "label", "text", "cosine", "probability", "answer", "flips", "neglected_words")


def save_figure_png(answer: WordsAnswer, folder: Path) -> Path:
    """The matrix as a figure for print, PNG at 200 dots per inch."""
    from explain.stability.report import figure

    path = folder / "tokenlight-words.png"
    figure(answer.found).savefig(path, dpi=200)
    return path


def save_csv(answer: WordsAnswer, folder: Path) -> Path:
    """A row per phrasing and label."""
    found = answer.found
    path = folder / "tokenlight-words.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number, (phrasing, row) in enumerate(zip(found.phrasings, found.texts, strict=True)):
            decision = found.decisions[number]
            for label, text in enumerate(row):
                weak = " ".join(word.text for word in text.words if word.neglected)
                numbers = [f"{text.score:.6f}", f"{text.probability:.6f}"]
                marks = [int(label == decision), int(number in found.flips)]
                writer.writerow([phrasing, found.labels[label], text.prompt, *numbers, *marks, weak])
    return path


def save_json(answer: WordsAnswer, folder: Path) -> Path:
    """Every number on the page, and every word of every text, JSON."""
    path = folder / "tokenlight-words.json"
    path.write_text(json.dumps(as_json(answer), indent=1, ensure_ascii=False), encoding="utf-8")
    return path


SAVERS: Mapping[str, Callable[[WordsAnswer, Path], Path]] = {
    "Figure, PNG": save_figure_png,
    "Table, CSV": save_csv,
    "Numbers, JSON": save_json,
}


def as_json(answer: WordsAnswer) -> dict[str, Any]:
    """The answer as plain data, with the scene if one was drawn."""
    from explain.stability.report import as_record

    return answer.asked.picture.in_json | as_record(answer.found)


def as_python(asked: WordsAsked) -> str:
    """The lines that give the same answer in Python. Texts are written as literals."""
    lines = asked.picture.in_python(SCENE_PIXELS)
    lines += [
        f"clip = explain.load({asked.model!r})",
        f"labels = {list(parse_labels(asked.labels))!r}",
        f"phrasings = {phrasings_in_python(asked.phrasings)}",
        "found = explain.explain_phrasings(clip, image, labels, phrasings)",
        "for phrasing, decision in zip(found.phrasings, found.decisions):",
        "    print(phrasing, found.labels[decision])",
        "print(found.instability)",
    ]
    return "\n".join(lines)


def phrasings_in_python(phrasings: str) -> str:
    """As an expression: the ready ones by their name."""
    ready = phrasings.strip() == FIRST_PHRASINGS
    return "explain.PHRASINGS" if ready else repr(list(parse_phrasings(phrasings)))


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
    """Shortens a text to what a link may hold: of one that is too long, no line is cut in two."""
    if len(text) > LONGEST_QUERY:
        text = text[:LONGEST_QUERY].rpartition("\n")[0]
    return text.strip()
