"""Takeaway of a lesson: the learnt prompt, the figures, and the Python that gives them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ui.tabs.lesson.drawing import COOP, NAMES, known
from ui.tabs.lesson.lesson import Lesson, LessonAsked


def save_context(found: Lesson, folder: Path) -> Path:
    """The context that was learnt, with names that count where that was asked for: safetensors."""
    path = folder / "tokenlight-prompt.safetensors"
    path.write_bytes(found.readings[NAMES if NAMES in found.readings else COOP].context)
    return path


def save_json(found: Lesson, folder: Path) -> Path:
    """All figures, and the losses of every step."""
    path = folder / "tokenlight-lesson.json"
    path.write_text(json.dumps(as_record(found), indent=2, ensure_ascii=False), encoding="utf-8")
    return path


SAVERS: Mapping[str, Callable[[Lesson, Path], Path]] = {
    "Learnt prompt (safetensors)": save_context,
    "Figures, JSON": save_json,
}


def as_record(found: Lesson) -> dict[str, Any]:
    """A lesson as JSON knows it, as far as it is. Pictures are counted, not named: their paths are the server's."""
    asked = found.asked
    return {
        "model": asked.model,
        "shots": asked.shots,
        "lambda": asked.weight,
        "epochs": asked.epochs,
        "seed": asked.seed,
        "classes": [{"name": name, "pictures": len(files)} for name, files in asked.classes],
        "finished": found.finished,
        "tried_on": found.tried_on,
        "notes": list(found.notes),
        "ways": {way: _way(found, way) for way in dict.fromkeys([*found.readings, *found.curves])},
    }


def _way(found: Lesson, way: str) -> dict[str, Any]:
    """Returns the result of a way; while it is being learnt, only its steps and how many are right after the last."""
    reading, points = found.readings.get(way), found.curves.get(way, ())
    return {
        "accuracy": _rounded(reading.accuracy if reading else points[-1].accuracy),
        "name_share": _rounded(reading.name_share) if reading else None,
        "classes": [
            {
                "name": c.name,
                "pictures": c.pictures,
                "right": _rounded(c.right),
                "share": _rounded(c.name_share),
            }
            for c in (reading.classes if reading else ())
        ],
        "nearest_words": list(reading.words) if reading else [],
        "cross_entropy": [_rounded(p.loss, digits=5) for p in points if p.index < found.total],
    }


def _rounded(number: float | None, digits: int = 4) -> float | None:
    found = known(number)
    return None if found is None else round(found, digits)


def as_python(asked: LessonAsked) -> str:
    """The lines that teach the same in Python."""
    names = ", ".join(repr(name) for name, _ in asked.classes)
    return "\n".join(
        [
            "from pathlib import Path",
            "",
            "import explain",
            "from guidance import GivenExamples, TuningSettings, Variant, lesson",
            "",
            f"clip = explain.load({asked.model!r})",
            f"pictures = {{name: sorted(Path(name).iterdir()) for name in [{names}]}}  # a folder for each class",
            f"tuning = TuningSettings(weight={asked.weight}, epochs={asked.epochs})",
            f'variant = Variant("mine", shots={asked.shots}, tuning=tuning)',
            f"for found in lesson(clip, GivenExamples(pictures), variant, seed={asked.seed}):",
            "    if found.reading:",
            "        print(found.way, found.reading.accuracy, found.reading.name_share)",
        ]
    )
