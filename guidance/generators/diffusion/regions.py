"""Every thing drawn from its own phrase, in its own place, while all of them are one picture.

Bar-Tal et al., "MultiDiffusion: Fusing Diffusion Paths for Controlled Image Generation", ICML 2023 (arXiv 2302.08113):
at every step the model is asked for each place by its own prompt, and what it answers is taken there. At first it is
asked with the rest of the picture blank ("bootstrapping"), so that the thing forms within its place and not across it.

Differs from the paper: places are asked in the first steps alone. What is blank has the mean colour of the picture
outside all places, in place of random colours, and no noise, in which the model might see the thing. What is in no
place is drawn from the scene's prompt, led away from the phrases of its things (`Sampling.rest_scale`), which would
stand there too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from guidance.generators.diffusion.denoiser import Denoiser, denoiser
from guidance.generators.diffusion.schedulers import NoiseLevel, predicted_x0
from guidance.generators.sampling import Sampling
from guidance.layout.places import Layout

# Places asked at once: many take no more memory than some.
TOGETHER = 8


@dataclass(frozen=True, eq=False)
class Regions:
    """R places in B pictures. `denoiser` has the phrases of the R places, `rest` the B prompts of what is in none.
    `owners` (R,): whose they are; `masks` (R, 1, h, w): 1 in the place, 0 elsewhere, on the latent grid; `covered` (B,
    1, h, w): how many places lie over each cell.
    """

    denoiser: Denoiser
    rest: Denoiser
    owners: Tensor
    masks: Tensor
    covered: Tensor

    def repeated(self, times: int) -> Regions:
        """Returns these regions for the B pictures `times` times over."""
        owners = torch.cat([self.owners + len(self.covered) * n for n in range(times)])
        masks, covered = self.masks.repeat(times, 1, 1, 1), self.covered.repeat(times, 1, 1, 1)
        denoiser, rest = self.denoiser.repeated(times), self.rest.repeated(times)
        return Regions(denoiser, rest, owners, masks, covered)

    def fused(
        self, scheduler: Any, level: NoiseLevel, latents: Tensor, timestep: Tensor, x0: Tensor, blank: bool
    ) -> Tensor:
        """x0 (B, C, h, w), what `rest` predicts, with what each place's own prompt makes of the latents there; the mean
        where places overlap. `blank`: each is asked with the rest of the picture blank.
        """
        seen = self._alone(level, latents, x0) if blank else latents[self.owners]
        chunks = [slice(first, first + TOGETHER) for first in range(0, len(seen), TOGETHER)]
        output = torch.cat([self.denoiser.of(rows)(scheduler, seen[rows], timestep) for rows in chunks])
        own = predicted_x0(scheduler, level, seen, output) * self.masks
        inside = torch.zeros_like(x0).index_add(0, self.owners, own.to(x0.dtype))
        return torch.where(self.covered > 0, inside / self.covered.clamp(min=1), x0)

    def _alone(self, level: NoiseLevel, latents: Tensor, x0: Tensor) -> Tensor:
        """Latents (R, C, h, w) that are those of the picture in the place, and elsewhere one colour without noise."""
        outside = (self.covered == 0).to(x0.dtype)
        counts = outside.sum((-2, -1), keepdim=True)
        outside = torch.where(counts > 0, outside, 1)  # of a picture that is all places, all of it
        colour = (x0 * outside).sum((-2, -1), keepdim=True) / outside.sum((-2, -1), keepdim=True)
        blank = (level.alpha / level.scale * colour).to(latents.dtype)
        return torch.where(self.masks > 0, latents[self.owners], blank[self.owners])


def regions(
    pipe: Any, layouts: Sequence[Layout], prompted: Denoiser, sampling: Sampling, grid: tuple[int, int]
) -> Regions | None:
    """The places of B layouts on a latent grid of (h, w) cells, their phrases encoded; `prompted` has the B prompts.
    None where there are no places.
    """
    places = [(number, target) for number, layout in enumerate(layouts) for target in layout.targets]
    if not places:
        return None
    phrases = denoiser(pipe, [target.phrase for _, target in places], sampling)
    rest = _rest(pipe, layouts, prompted, sampling) if sampling.rest_scale else prompted
    masks = torch.cat([place_masks(layout, grid) for layout in layouts])[:, None]
    masks = masks.to(phrases.embeddings.device)
    owners = torch.tensor([number for number, _ in places], device=masks.device)
    covered = masks.new_zeros(len(layouts), *masks.shape[1:]).index_add(0, owners, masks)
    return Regions(phrases, rest, owners, masks, covered)


def _rest(pipe: Any, layouts: Sequence[Layout], prompted: Denoiser, sampling: Sampling) -> Denoiser:
    """The prompts, led away from all phrases of the layout, where it has any; a text encoder that reads no further
    than its context reads the first ones.
    """
    negatives, scales = [], []
    for layout in layouts:
        texts = [*(target.phrase for target in layout.targets), sampling.negative_prompt]
        negatives.append(", ".join(text for text in texts if text))
        scales.append(sampling.rest_scale if layout.targets else sampling.guidance_scale)
    return prompted.led_from(pipe, negatives, scales)


def place_masks(layout: Layout, grid: tuple[int, int]) -> Tensor:
    """(K, h, w) of a layout's K targets: 1 in its place, 0 elsewhere.

    A cell belongs to a place that covers half of it; a place that covers half of none gets the ones it covers most.
    """
    shares = [torch.from_numpy(target.mask(*grid).copy()) for target in layout.targets]
    if not shares:
        return torch.zeros(0, *grid)
    return torch.stack([(share >= share.max().clamp(max=0.5)).float() for share in shares])
