"""The guides of a run: what it is told about pictures on their way, and how it pulls."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image
from torch import Tensor

from guidance.objectives.boxes import BoxObjective
from guidance.objectives.words import TextObjective


class Heard:
    """An objective as a guide, which keeps what the objective said last: `objective(images, number)` says a total and
    the terms that it is made of.
    """

    def __init__(self, objective: BoxObjective | TextObjective) -> None:
        self.objective: Any = objective
        self._said: dict[str, Tensor] | None = None

    def __call__(self, images: Tensor, number: int) -> Tensor:
        judgement = self.objective(images, number)
        self._said = {"total": judgement.total.detach(), **judgement.terms}
        return judgement.total

    def losses(self) -> dict[str, float]:
        """The total and its parts of the one picture that was judged last; empty if none was since the last call."""
        said, self._said = self._said, None
        return {} if said is None else {name: float(values[0]) for name, values in said.items()}


class Guided(Heard):
    """Objective that knows what is to be where, as a guide like `Heard`."""

    def of_targets(self, images: Tensor) -> Tensor:
        """See `TargetGuide`."""
        return self.objective.of_targets(images)


def as_picture(image: Tensor) -> Image.Image:
    """(3, H, W) in [0, 1] -> RGB."""
    values = (image.detach().clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(values.permute(1, 2, 0).cpu().numpy())
