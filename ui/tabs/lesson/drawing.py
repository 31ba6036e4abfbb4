"""A lesson as the page shows it: JSON for LessonView, and sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ui.shared import text
from ui.shared.text import percent
from ui.tabs.lesson.lesson import Lesson

if TYPE_CHECKING:
    from guidance.tuning.lesson import Reading

# As `guidance.tuning.lesson` names them, without importing torch for it.
PLAIN, COOP, NAMES = "plain", "coop", "names"
TITLES = {PLAIN: "“a photo of a …”", COOP: "Learnt", NAMES: "Learnt, names count"}
SENTENCES = {
    PLAIN: "The prompt that people write. Nothing is learnt.",
    COOP: "The words around the name are learnt so that the pictures are put in the right class (CoOp).",
    NAMES: "The same, and the model has to use the name of the class as well (No Token Left Behind).",
}
_TRIED = {"rest": "the other pictures", "learnt": "the pictures that were learnt from"}


def lesson_value(found: Lesson | None, waiting: str = "") -> dict[str, Any]:
    """Returns what LessonView shows. `waiting`: a sentence in its place before there is something."""
    if found is None or not found.readings:
        return {"waiting": waiting, "finished": False, "ways": [], "classes": [], "curves": [], "notes": []}
    ways = [way for way in (PLAIN, COOP, NAMES) if way in found.readings]
    tried = _TRIED.get(found.tried_on, "")
    return {
        "waiting": "",
        "finished": found.finished,
        "verdict": verdict(found),
        "tried": tried,
        "total": found.total,
        "ways": [
            {
                "name": way,
                "title": TITLES[way],
                "sentence": SENTENCES[way],
                "accuracy": found.readings[way].accuracy,
                "share": found.readings[way].name_share,
                "words": list(found.readings[way].words) if way != PLAIN else [],
            }
            for way in ways
        ],
        "classes": _classes([found.readings[way] for way in ways]),
        "curves": [
            {
                "name": way,
                "title": TITLES[way],
                "points": [[p.index, known(p.loss), known(p.accuracy)] for p in found.curves[way]],
            }
            for way in (COOP, NAMES)
            if way in found.curves
        ],
        "notes": list(found.notes),
    }


def verdict(found: Lesson) -> str:
    """One sentence on what came of it; how far it is, while it goes on."""
    if not found.finished:
        way = NAMES if NAMES in found.curves else COOP
        points = found.curves.get(way, ())
        return f"{TITLES[way]}: step {points[-1].index if points else 0} of {found.total or '…'}"
    last = found.readings[NAMES if NAMES in found.readings else COOP]
    plain = found.readings[PLAIN]
    tried = _TRIED.get(found.tried_on, "the pictures")
    said = (
        f"{percent(last.accuracy)} of {tried} are put in the right class; with the plain prompt "
        f"{percent(plain.accuracy)}."
    )
    if NAMES in found.readings:
        coop = found.readings[COOP]
        said += (
            f" The names have {percent(last.name_share)} of the relevance of the prompt's words; without asking for "
            f"it {percent(coop.name_share)}."
        )
    return said


def status(found: Lesson) -> str:
    """Returns the text under the buttons."""
    if not found.finished:
        return verdict(found)
    rounds = "1 round" if found.asked.epochs == 1 else f"{found.asked.epochs} rounds"
    return f"{rounds} with {text.model_label(found.asked.model)}, in {found.seconds:.1f} seconds."


def known(number: float | None) -> float | None:
    """A figure, None where it is no number: JSON has none of those."""
    return None if number is None or not math.isfinite(number) else number


def _classes(readings: list[Reading]) -> list[dict[str, Any]]:
    """A row per class: its pictures that were tried, and by way the share that is right and the share of its name."""
    return [
        {
            "name": same[0].name,
            "pictures": same[0].pictures,
            "right": [each.right for each in same],
            "share": [each.name_share for each in same],
        }
        for same in zip(*(reading.classes for reading in readings), strict=True)
    ]
