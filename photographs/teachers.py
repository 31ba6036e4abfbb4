"""Earlier runs of other seeds as teachers of another: knowledge distillation (Hinton, Vinyals, Dean, arXiv 1503.02531).

All runs begin with the same head, which hardly moves, so that their texts lie in one space: a text's mean over them is
the answer of all together. What each run learnt by heart of few photographs differs, and what they agree on stays. The
pupil of a single run begins as that run, and changes only what the other losses ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from explain import load

CHUNK = 256  # texts of one run of a tower


class Teachers:
    """The text towers and heads of finished runs. ValueError for a folder that holds none."""

    def __init__(self, folders: Sequence[Path], device: str) -> None:
        self._clips = [load(folder, device) for folder in folders]
        self._known: dict[str, Tensor] = {}

    def head(self) -> dict[str, Tensor]:
        """The mean of their heads, as a state of nn.Linear."""
        states = [clip.model.visual.head.proj.state_dict() for clip in self._clips]
        return {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}

    def tower(self) -> dict[str, Tensor]:
        """The first one's text tower and temperature, under the names that they have in training."""
        model = self._clips[0].model
        text = {f"text.{name}": value for name, value in model.text.state_dict().items()}
        return text | {"logit_scale": model.logit_scale.detach()}

    @torch.no_grad()
    def read(self, texts: Sequence[str]) -> Tensor:
        """The mean features (T, D) of texts, of unit norm; each text is read once."""
        new = sorted({text for text in texts if text not in self._known}, key=len)  # of like length together
        for start in range(0, len(new), CHUNK):
            part = new[start : start + CHUNK]
            means = sum(clip.encode_texts(clip.tokenize(part)) for clip in self._clips)
            self._known |= dict(zip(part, F.normalize(means, dim=-1).cpu(), strict=True))
        return torch.stack([self._known[text] for text in texts])
