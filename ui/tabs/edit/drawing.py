"""An edit as the page's edit view takes it: pictures before and after, and what each word has in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ui.shared.drawing import PREVIEW, encoded, png
from ui.shared.pictures import shrink
from ui.shared.text import sentence
from ui.tabs.edit import text
from ui.tabs.edit.run import EditRun

if TYPE_CHECKING:
    from guidance.editing.edit import EditStep

_SHADE = (15, 23, 42, 170)  # of what may not change


def drawn(run: EditRun, stopped: bool = False) -> dict[str, Any]:
    """Returns what EditView shows."""
    last = run.last
    size = run.before.image.size if run.before else (1, 1)
    return {
        "state": "stopped" if stopped else "finished" if run.finished else "running",
        "status": text.status(run, stopped),
        "prompt": run.recipe.prompt,
        "caption": run.recipe.caption,
        "counted": bool(run.recipe.words) and run.recipe.settings.objective.weight > 0,
        "index": last.index if last else 0,
        "total": last.total if last else 0,
        "seconds_left": run.seconds_left,
        "width": size[0],
        "height": size[1],
        "before": _shown(run.before),
        "after": _shown(last),
        "without": _shown(run.without),
        "words": _words(run),
        "place": None if last is None or last.place is None or not last.finished else _place(last.place),
        "notes": [sentence(note) for note in run.notes],
    }


def _shown(step: EditStep | None) -> dict[str, Any] | None:
    if step is None:
        return None
    source = png(step.image) if step.finished else encoded(shrink(step.image, PREVIEW))
    return {"src": source, "similarity": round(step.reading.similarity, 4)}


def _words(run: EditRun) -> list[dict[str, Any]]:
    """Every word of the prompt, as the model reads it, with its share in each picture that is there."""
    if run.before is None:
        return []
    readings = {"before": run.before, "after": run.last, "without": run.without}
    return [
        {"text": word.text, "counts": word.weight > 0}
        | {name: round(step.reading.words[k].share, 4) for name, step in readings.items() if step is not None}
        for k, word in enumerate(run.before.reading.words)
    ]


def _place(place: np.ndarray) -> str:
    """A shade (H, W) over what may not change."""
    shade = np.empty((*place.shape, 4), dtype=np.uint8)
    shade[...] = _SHADE
    shade[..., 3] = np.rint(_SHADE[3] * (1 - place))
    return png(Image.fromarray(shade, "RGBA"))
