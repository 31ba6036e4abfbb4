"""Takeaway of questions about many pictures: the table, every number, and the Python that gives the same."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from ui.tabs.words.question import parse_labels
from ui.tabs.words.share import phrasings_in_python
from ui.tabs.words_many.question import ManyAnswer, ManyAsked

COLUMNS = ("picture", "phrasing", "answer", "all_together", "flips")


def save_csv(answer: ManyAnswer, folder: Path) -> Path:
    """A row per picture and phrasing."""
    found = answer.found
    path = folder / "tokenlight-pictures.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for one in found.pictures:
            together = found.labels[one.together]
            for phrasing, decision in zip(found.phrasings, one.decisions, strict=True):
                flips = int(decision != one.together)
                writer.writerow([one.name, phrasing, found.labels[decision], together, flips])
    return path


def save_json(answer: ManyAnswer, folder: Path) -> Path:
    """Every number on the page, and the means of every word of every text, JSON."""
    from explain.stability.report import as_record

    path = folder / "tokenlight-pictures.json"
    path.write_text(json.dumps(as_record(answer.found), indent=1, ensure_ascii=False), encoding="utf-8")
    return path


SAVERS: Mapping[str, Callable[[ManyAnswer, Path], Path]] = {
    "Table, CSV": save_csv,
    "Numbers, JSON": save_json,
}


def as_python(asked: ManyAsked) -> str:
    """The lines that ask the same about a folder of pictures. Texts are written as literals."""
    return "\n".join(
        [
            "import explain",
            "",
            f"clip = explain.load({asked.model!r})",
            f"labels = {list(parse_labels(asked.labels))!r}",
            f"phrasings = {phrasings_in_python(asked.phrasings)}",
            'found = explain.explain_folder(clip, "pictures", labels, phrasings)  # a folder',
            'print(f"two phrasings disagree {found.instability:.1%} of the time")',
            "for phrasing, share in zip(found.phrasings, found.flips):",
            '    print(f"{share:.1%} otherwise than all together: {phrasing}")',
        ]
    )
