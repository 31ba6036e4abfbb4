"""Pictures by optimising latents with Adam: of a VQGAN, as paper A does, or of any autoencoder.

Paiss, Chefer, Wolf, "No Token Left Behind", ECCV 2022 (arXiv 2204.04908). Its editing begins at the latents w0 of a
picture, and keeps to them: with the guide's loss L, the rate of StyleGAN2's projector (Karras et al. 2020, arXiv
1912.04958), up over the first twentieth of the steps and down over the last quarter, and

    L + lambda_L2 |w - w0|^2 / |w0|^2

Differs from the paper: it sums over the numbers of StyleGAN's W+, which are as many for every picture; a spatial grid
has more of them in a larger picture, and their scale is the autoencoder's, so here the distance is a share of w0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from guidance.generators.base import Advance, Guide
from guidance.generators.decoding import checkpointed
from guidance.generators.gradients import pull
from guidance.generators.memory import latents_advice, within_memory

UP, DOWN = 0.05, 0.25  # shares of the steps


class Autoencoder(Protocol):
    """A generator whose latents stand for pictures. `network` decodes them; `grid`: pixels of a cell."""

    @property
    def grid(self) -> int: ...

    @property
    def network(self) -> Any: ...

    def latents(self, images: Tensor) -> Tensor: ...

    def images(self, latents: Tensor) -> Tensor: ...


class LatentProcess:
    """B pictures on their way, each with optimiser state of its own. See `generators.Process`.

    `starts`: their latents (1, C, h, w), float32, which this process changes. `ramped`: the rate goes up and down, as
    above. `source_weight`: lambda_L2, of the distance to where they start. `masks` (B, 1, h,
    w): where they may change; None: everywhere. `span`: least and largest of each channel (1, C, 1, 1), if any.
    """

    def __init__(
        self,
        model: Autoencoder,
        starts: Sequence[Tensor],
        steps: int,
        learning_rate: float,
        ramped: bool = False,
        source_weight: float = 0.0,
        masks: Tensor | None = None,
        span: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.total = steps
        self._model, self._masks, self._span = model, masks, span
        # One tensor for each picture, so that the optimiser can leave one out, moments and all.
        self._latents = list(starts)
        self._source, self._source_weight = torch.cat(self._latents), source_weight
        self._rate, self._ramped = learning_rate, ramped
        self._optimizer = torch.optim.Adam(self._latents, lr=learning_rate)
        self._index = 0

    @property
    def latents(self) -> Tensor:
        """(B, C, h, w) as they stand, not quantised."""
        return torch.cat(self._latents)

    def advance(self, guide: Guide | None = None) -> Advance:
        """One step of Adam. ValueError without a guide; RuntimeError after the last."""
        if guide is None:
            raise ValueError(
                "without a guide there is nothing to optimise latents for; allowed: a guide for every step"
            )
        if not self._latents:
            raise RuntimeError("this run ended when memory ran out")
        if self._index == self.total:
            raise RuntimeError(f"all {self.total} steps of this run are done")
        return self._within_memory(lambda: self._advance(guide))

    def finish(self) -> Tensor:
        """The pictures (B, 3, H, W), float32 in [0, 1]."""
        if not self._latents or self._index < self.total:
            raise RuntimeError(f"{self._index} of {self.total} steps are done; allowed: all")
        return self._within_memory(self._finish)

    @torch.no_grad()
    def _finish(self) -> Tensor:
        return self._model.images(self.latents)

    @torch.no_grad()
    def _advance(self, guide: Guide) -> Advance:
        with checkpointed(self._model.network):
            found = pull(guide, self._model.images, self.latents, self._index)
        losses, gradients = found.losses, found.gradients
        if self._source_weight:
            scale = self._source_weight / l2_to_source(self._source, torch.zeros_like(self._source)).clamp(
                min=1e-12
            )
            losses = losses + scale * l2_to_source(self.latents, self._source)
            gradients = gradients + 2 * scale.view(-1, 1, 1, 1) * (self.latents - self._source)
        if self._masks is not None:
            gradients = gradients * (self._masks > 0)
        for latents, gradient, finite in zip(self._latents, gradients, found.finite, strict=True):
            latents.grad = gradient.unsqueeze(0) if finite else None
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * (ramp(self._index / self.total) if self._ramped else 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        if self._span is not None:
            for latents in self._latents:
                latents.clamp_(*self._span)
        self._index += 1
        return Advance(self._index - 1, self.total, found.images, losses, ~found.finite)

    def _within_memory(self, run: Any) -> Any:
        def advice() -> str:
            count, (height, width) = len(self._latents), self._latents[0].shape[-2:]
            grid = self._model.grid
            return latents_advice(count, (height * grid, width * grid), grid)

        return within_memory(run, self._free, advice)

    def _free(self) -> None:
        self._latents, self._source = [], torch.empty(0)
        self._optimizer = torch.optim.Adam([torch.zeros(1)])


def ramp(done: float) -> float:
    """The share of the learning rate after the share `done` of the steps."""
    down = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - done) / DOWN))
    return down * min(1.0, done / UP)


def l2_to_source(values: Tensor, source: Tensor) -> Tensor:
    """The squared distance (B,) of values (B, ...), latents say, to those that editing began with; summed, as in paper
    A's editing.
    """
    return (values - source).square().flatten(1).sum(1)
