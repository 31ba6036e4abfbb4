"""Pictures that a diffusion run begins with in place of initial noise alone, and where they may change.

Meng et al., "SDEdit", ICLR 2022 (arXiv 2108.01073): a picture with noise of a later step goes on from there. What is to
stay is what is predicted there, at every step, as in Avrahami et al., "Blended Latent Diffusion", SIGGRAPH 2023 (arXiv
2206.02779), and Lugmayr et al., "RePaint", CVPR 2022 (arXiv 2201.09865).

Differs from both: they put the picture with noise of the step's level in place of the noisy latents; here the picture
itself is put in place of what is predicted, so that the scheduler adds the noise, whichever it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from guidance.generators.diffusion.denoiser import denoiser
from guidance.generators.diffusion.schedulers import (
    NoiseLevel,
    attempt,
    fresh_scheduler,
    noise_level,
    predicted_x0,
)
from guidance.generators.sampling import Sampling

TIMES = 3  # what is found for y is put into itself


@dataclass(frozen=True, eq=False)
class Source:
    """B pictures as latents (B, C, h, w), without noise. `strength`: the share of the steps that they are taken
    through, from 0 to 1; of 1, little is left of them where they may change. `masks` (B, 1, h, w): 1 where they may, 0
    where they stay; None: everywhere. `noise` (B, C, h, w): what they are given, in place of what a seed draws.
    """

    latents: Tensor
    strength: float = 1.0
    masks: Tensor | None = None
    noise: Tensor | None = None

    def left_out(self, steps: int) -> int:
        """How many of so many steps a run leaves out, as diffusers counts them; it makes one at least."""
        return max(0, min(steps - 1, steps - int(steps * self.strength)))

    def noisy(self, scheduler: Any, noise: Tensor, timestep: Tensor) -> Tensor:
        """The latents that a scheduler's step from `timestep` begins with."""
        clean = self.latents.to(noise)
        return scheduler.add_noise(clean, noise, timestep.repeat(len(clean)))

    def held(self, x0: Tensor) -> Tensor:
        """Returns the prediction (B, C, h, w) with the pictures as they are where they stay."""
        if self.masks is None:
            return x0
        return torch.where(self.masks.to(x0.device) > 0, x0, self.latents.to(x0))

    def repeated(self, times: int) -> Source:
        """Returns this source for the B pictures `times` times over."""
        masks = None if self.masks is None else self.masks.repeat(times, 1, 1, 1)
        return replace(self, latents=self.latents.repeat(times, 1, 1, 1), masks=masks, noise=None)


@torch.no_grad()
def inverted_noise(pipe: Any, latents: Tensor, prompts: Sequence[str], steps: int, begun: int = 0) -> Tensor:
    """The noise (B, C, h, w), float32, of pictures as latents (B, C, h, w) that show what B prompts say.

    For a run of so many `steps` that leaves out the first `begun`. Without classifier-free guidance: it is with
    that of these prompts alone that the run comes back.
    """
    scheduler = fresh_scheduler(pipe.scheduler, steps, pipe._execution_device)
    denoise = denoiser(pipe, prompts, Sampling(guidance_scale=1.0))
    clean = latents.float()
    known, before = clean, NoiseLevel(1.0, 0.0)
    for timestep in scheduler.timesteps[begun:].unique_consecutive().flip(0):
        level, found = noise_level(attempt(scheduler), timestep), known
        for _ in range(TIMES):
            kept = found / level.scale  # as the scheduler keeps them
            output = denoise(attempt(scheduler), kept.to(latents.dtype), timestep)
            x0 = predicted_x0(scheduler, level, kept, output)
            noise = (found - level.alpha * x0) / level.sigma
            found = level.alpha * (known - before.sigma * noise) / before.alpha + level.sigma * noise
        known, before = found, level
    return (known - before.alpha * clean) / before.sigma
