"""The noise from which a diffusion model, going its steps without a guide, comes back to a picture.

Song, Meng, Ermon, "Denoising Diffusion Implicit Models", ICLR 2021 (arXiv 2010.02502): without fresh noise a step can
be taken back. With alpha, sigma of the noisier latents y and alpha', sigma' of those x that are known,

    x = alpha' x0(y) + sigma' e(y)        y = alpha (x - sigma' e(y)) / alpha' + sigma e(y)

which is solved for y by putting what it gives into itself a few times (Pan et al. 2023, arXiv 2312.12540), where DDIM
itself puts e(x) in place of e(y).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from guidance.denoising import denoiser
from guidance.prediction import NoiseLevel, attempt, fresh_scheduler, noise_level, predicted_x0
from guidance.sampling import Sampling

TIMES = 3  # what is found for y is put into itself


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
