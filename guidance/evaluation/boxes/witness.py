"""CLIP models that look at finished pictures: a witness, which guided none of them, and the one that guided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from explain import heatmap
from explain.clip.model import Clip
from explain.evaluation.maps import Texts, look
from explain.evaluation.subjects import Subject, Thing
from explain.methods import METHODS
from guidance.layout.parsing import Layout
from guidance.objectives.boxes import BoxObjective, ObjectiveSettings
from guidance.objectives.guide import as_picture

MAPS = ("eclip", "relevance")  # whose peak is looked at: the first that the model can do

Row = list[float]


class Witness:
    """A CLIP that guided no picture. `phrases`: all that it will be asked about, read at once, so that the numbers do
    not depend on what was asked before. ValueError for a model that has none of MAPS.
    """

    def __init__(self, clip: Clip, phrases: Sequence[str]) -> None:
        self.clip = clip
        able = [METHODS[name] for name in MAPS if METHODS[name].supports(clip) is None]
        if not able:
            raise ValueError(f"{clip.name} cannot be the witness: it has none of the maps {', '.join(MAPS)}")
        self.method = able[0]
        self.texts = Texts(clip)
        self.texts.features(sorted(set(phrases)))

    def look(self, images: Tensor, layouts: Sequence[Layout]) -> list[list[Row]]:
        """Returns of each picture (3, H, W) and each target the cosine of picture and phrase, and the place (x, y) of
        the map's highest point in fractions, outside the picture (-1, -1) where the map is the same everywhere.
        """
        subjects = (
            Subject(as_picture(image), tuple(self._thing(target.phrase) for target in layout.targets))
            for image, layout in zip(images, layouts, strict=True)
        )
        found = []
        for seen in look(self.clip, enumerate(subjects), [self.method], self.texts):
            cosines = (seen.texts @ seen.encoding.features[0]).tolist()
            peaks = (peak(each, self.clip.size) for each in seen.maps[self.method.name])
            found.append([[cosine, *place] for cosine, place in zip(cosines, peaks, strict=True)])
        return found

    def _thing(self, phrase: str) -> Thing:
        return Thing(phrase, phrase, np.zeros((1, 1), bool))  # the mask is not asked for


def peak(values: np.ndarray, size: tuple[int, int]) -> tuple[float, float]:
    """Where a map (h, w) is highest, at `size` (height, width): the middle of the pixel, x and y in fractions."""
    if values.min() == values.max():
        return -1.0, -1.0
    large = heatmap.resize(values, (size[1], size[0]))
    row, column = np.unravel_index(int(large.argmax()), large.shape)
    return (float(column) + 0.5) / size[1], (float(row) + 0.5) / size[0]


def own_readings(
    clip: Clip, images: Tensor, layouts: Sequence[Layout], settings: ObjectiveSettings
) -> list[list[Row]]:
    """Returns the guiding CLIP's similarity, D, and share of the map inside, of each picture's targets. It was asked
    to like these pictures, so this is not evidence.
    """
    judge = BoxObjective(clip, layouts, [0] * len(layouts), settings)
    return [
        [[one.similarity, one.inside, one.share_inside] for one in readings]
        for readings in judge.read(images)
    ]
