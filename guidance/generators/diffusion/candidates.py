"""Which of several noises a run should take: for every place the one whose picture the guide says least against there.

What stands where is settled by the noise that is there (Mao et al., "Guided Image Synthesis via Initial Image Editing
in Diffusion Model", ACM Multimedia 2023, arXiv 2305.03382), and trying several is worth its time (Ma et al.,
"Inference-Time Scaling for Diffusion Models beyond Scaling Denoising Steps", 2025, arXiv 2501.09732).

Differs from both: noises are judged part of the way, by the picture that is predicted there, and the run goes on from
there. The noisy latents are cut up: a place has those of the candidate that is best for it, the rest those of the one
that is best for all. Without places the best one is taken as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from guidance.generators.diffusion.predictor import Predictor
from guidance.generators.diffusion.schedulers import step_with

# Pictures that are tried at once: small batches are slow, large ones take memory and show nothing for long.
TOGETHER = 4


class Search:
    """`candidates` for each of B pictures, tried in rounds: the first alone, so that there is soon something to see.
    `places`: of each picture, masks (K, h, w) on the latent grid, 1 in the place and 0 elsewhere.
    """

    def __init__(self, pictures: int, candidates: int, places: Sequence[Tensor] = ()) -> None:
        self.places = tuple(places)
        borders = [0, *range(1, candidates, max(1, TOGETHER // pictures)), candidates]
        self._rounds = [range(*ends) for ends in pairwise(borders)]
        self._done = 0
        self._best = [_Best(masks) for masks in places or [torch.zeros(0, 1, 1)] * pictures]

    @property
    def rounds(self) -> list[range]:
        """Those that are left: the numbers of the candidates that each of them tries."""
        return [numbers for numbers in self._rounds if numbers.stop > self._done]

    def tried(self, latents: Tensor, images: Tensor, losses: Tensor, of_places: bool) -> None:
        """One more candidate of every picture: noisy latents (B, C, h, w), the images (B, 3, H, W) that they lead to,
        and losses (B, L), which add up to the picture's. `of_places`: the first ones are its places'. What is not
        finite wins nothing.
        """
        self._done += 1
        for b, (best, each) in enumerate(zip(self._best, losses.tolist(), strict=True)):
            best.compare(latents[b], images[b], sum(each), each if of_places else ())

    @property
    def images(self) -> Tensor:
        """Images that the best candidates so far lead to, (B, 3, H, W)."""
        return torch.stack([best.image for best in self._best])

    @property
    def latents(self) -> Tensor:
        """Latents that were found, (B, C, h, w)."""
        return torch.stack([best.composed() for best in self._best])


def walk(
    predictor: Predictor,
    scheduler: Any,
    noises: Sequence[Tensor],
    draws: Sequence[list[torch.Generator]],
    steps: Iterable[tuple[int, Tensor]],
) -> Iterator[tuple[Tensor, Tensor]]:
    """Noises (B, C, h, w), all at once, go `steps`, numbers and timesteps, of a scheduler that has made none: the noisy
    latents that each comes to, and the x0, both (B, C, h, w), that was predicted in its last step. `draws`: what steps
    that take noise draw from, of each the B generators.
    """
    count, latents = len(noises), torch.cat(list(noises))
    predict, generators = predictor.repeated(count), [one for each in draws for one in each]
    for index, timestep in steps:
        prediction = predict(scheduler, latents, timestep, index)
        latents = step_with(scheduler, prediction.output, timestep, latents, generators)
    return zip(latents.chunk(count), prediction.x0.chunk(count), strict=True)


class _Best:
    """Best candidates of one picture: for all places together, and for each of them."""

    def __init__(self, masks: Tensor) -> None:
        self._masks = masks
        self._least, self._least_parts = math.inf, [math.inf] * len(masks)
        self.image = self._latents = torch.empty(0)
        self._parts: list[Tensor | None] = [None] * len(masks)

    def compare(self, latents: Tensor, image: Tensor, loss: float, parts: Sequence[float]) -> None:
        """Copies, not views: what is kept shall not keep all the candidates that were tried with it."""
        better = math.isfinite(loss) and loss < self._least
        if better or not len(self.image):
            self.image, self._latents = image.clone(), latents.clone()
        if better:
            self._least = loss
        # Not strict: in company a picture has more losses than places.
        for k, (part, least) in enumerate(zip(parts, self._least_parts, strict=False)):
            if math.isfinite(part) and part < least:
                self._parts[k], self._least_parts[k] = latents.clone(), part

    def composed(self) -> Tensor:
        """(C, h, w). Small places lie over large ones."""
        found = self._latents
        for k in sorted(range(len(self._masks)), key=lambda k: -float(self._masks[k].sum())):
            part = self._parts[k]
            if part is not None:
                found = torch.where(self._masks[k].to(found.device) > 0, part, found)
        return found
