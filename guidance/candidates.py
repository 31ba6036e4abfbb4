"""Which of several noises a run should take: the one that the guide says least against."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from guidance.generators import Guide

TOGETHER = (
    4  # pictures that are tried at once: small batches are slow, large ones take memory and show nothing
)


class Search:
    """Noises (B, C, h, w) tried in rounds, the pictures' `own` in the first; `best` has each picture's best so far."""

    def __init__(self, own: Tensor, candidates: int) -> None:
        self.best = own
        self._at_once = max(1, TOGETHER // len(own))
        self._left = candidates if candidates > 1 else 0
        self._least = torch.full((len(own),), torch.inf)
        self._preview: Tensor | None = None

    @property
    def rounds(self) -> int:
        """How many are left."""
        return -(-self._left // self._at_once)

    def drawn(self, draw: Callable[[], Tensor]) -> list[Tensor]:
        """The noises of the next round."""
        count = min(self._left, self._at_once)
        own = [self.best] if self._preview is None else []
        return own + [draw() for _ in range(count - len(own))]

    def judged(self, noises: list[Tensor], images: list[Tensor], guide: Guide) -> Tensor:
        """The round's end: what each noise leads to was seen, images (B, 3, H, W). Those of the best noises so far."""
        if self._preview is None:
            self._preview = images[0]
        for noise, seen in zip(noises, images, strict=True):
            losses = guide(seen, 0).cpu()
            better = losses.isfinite() & (losses < self._least)
            chosen = better.to(noise.device).view(-1, 1, 1, 1)
            self.best = torch.where(chosen, noise, self.best)
            self._preview = torch.where(chosen, seen, self._preview)
            self._least = torch.where(better, losses, self._least)
        self._left -= len(noises)
        return self._preview
