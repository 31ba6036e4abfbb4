"""A run as the page's run view takes it: pictures, and maps as small numbers that the page colours itself."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ui import wording
from ui.box_canvas import COLOURS, EDGES
from ui.drawing import encoded, scale, told_words
from ui.making import Run
from ui.view import shrink

if TYPE_CHECKING:
    from guidance.generating import Step

PALETTE = "magma"
PREVIEW = 384  # pixels of the longer side of pictures that are on their way; the finished one is whole


class RunDrawing:
    """Draws a run as it grows: every step once."""

    def __init__(self) -> None:
        self.frames: dict[int, dict[str, Any]] = {}

    def value(self, run: Run, stopped: bool = False) -> dict[str, Any]:
        """What RunView shows."""
        for step in run.steps:
            if step.index not in self.frames:
                self.frames[step.index] = frame(step)
        targets = run.recipe.layout.targets
        colours = {target.phrase: COLOURS[place % len(COLOURS)] for place, target in enumerate(targets)}
        last = run.last
        state = "stopped" if stopped else "finished" if run.finished else "running"
        return {
            "state": state,
            "status": wording.run_status(run, stopped),
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
            "beside": list(wording.BESIDE_RESCUED if run.recipe.words else wording.BESIDE_GUIDED),
            "words": told_words(run.words),
            "words_before": told_words(run.words_before),
            "notes": [wording.sentence(note) for note in run.notes],
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


def png(picture: Image.Image) -> str:
    """A picture as a data address, to the bit."""
    file = BytesIO()
    picture.save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
