"""A run as the page's run view takes it: pictures, and maps as small numbers that the page colours itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ui.components.box_canvas import COLOURS
from ui.shared.drawing import PREVIEW, encoded, png, scale, told_words
from ui.shared.inputs import EDGES
from ui.shared.pictures import shrink
from ui.shared.text import sentence
from ui.tabs.generate import text
from ui.tabs.generate.run import Run

if TYPE_CHECKING:
    from guidance.generating import Step

PALETTE = "magma"


class RunDrawing:
    """Draws a run as it grows: every step once."""

    def __init__(self) -> None:
        self.frames: dict[int, dict[str, Any]] = {}

    def value(self, run: Run, stopped: bool = False) -> dict[str, Any]:
        """Returns what RunView shows."""
        for step in run.steps:
            if step.index not in self.frames:
                self.frames[step.index] = frame(step)
        targets = run.recipe.layout.targets
        colours = {target.phrase: COLOURS[place % len(COLOURS)] for place, target in enumerate(targets)}
        last = run.last
        state = "stopped" if stopped else "finished" if run.finished else "running"
        return {
            "state": state,
            "status": text.run_status(run, stopped),
            "total": last.total if last else run.recipe.preset.sampling.steps,
            "seconds_left": run.seconds_left,
            "seconds": run.seconds,
            "width": last.image.width if last else 1,
            "height": last.image.height if last else 1,
            "boxes": [
                {"phrase": box.phrase, "colour": colours[box.phrase]}
                | {edge: getattr(box, edge) for edge in EDGES}
                for target in targets
                for box in target.boxes
            ],
            "targets": [{"phrase": phrase, "colour": colour} for phrase, colour in colours.items()],
            "palette": scale(PALETTE, 32),
            "frames": [self.frames[step.index] for step in run.steps],
            "alone": frame(run.alone) if run.alone else None,
            "beside": list(text.BESIDE_RESCUED if run.recipe.words else text.BESIDE_GUIDED),
            "words": told_words(run.words),
            "words_before": told_words(run.words_before),
            "notes": [sentence(note) for note in run.notes],
        }


def frame(step: Step) -> dict[str, Any]:
    """One step."""
    readings = step.readings
    return {
        "index": step.index,
        "src": png(step.image) if step.finished else encoded(shrink(step.image, PREVIEW)),
        "maps": [_levels(reading.map) for reading in readings if reading.map is not None],
        "similarity": [round(reading.similarity, 4) for reading in readings],
        "inside": [round(reading.inside, 4) for reading in readings],
        "share": [round(reading.share_inside, 4) for reading in readings],
        "losses": {name: round(value, 5) for name, value in step.losses.items()},
        "skipped": step.skipped,
    }


def _levels(heatmap: np.ndarray) -> str:
    """A raw map (h, w) as levels from 0 to 255, two hexadecimal digits each, a space between rows: text is many times
    quicker for Gradio to send than lists of numbers. Each map has its own scale; a flat one is 0 everywhere.
    """
    from explain.heatmap import normalise

    return " ".join(bytes(row).hex() for row in np.rint(255 * normalise(heatmap)).astype(np.uint8))
