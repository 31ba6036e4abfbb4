"""Where a picture has to change to show what a prompt says, as the diffusion model itself sees it.

Couairon et al., "DiffEdit: Diffusion-Based Semantic Image Editing with Mask Guidance", ICLR 2023 (arXiv 2210.11427):
the picture is given noise, and the model asked what it sees by the new prompt and by the caption of what is there.
Where both say the same, nothing needs to change. Their difference, averaged over several noises, cut off at three times
its mean and scaled to [0, 1], is held against a threshold.

Differs from the paper: the mask is one cell larger on all sides, so that it takes in the edges of what it has found.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from guidance.denoising import denoiser
from guidance.draws import generator_of
from guidance.prediction import attempt, fresh_scheduler
from guidance.sampling import Sampling

DRAWS = 8  # noises
LEVEL = 0.5  # the share of the steps that are left at the noise that is added
STEPS = 20
MOST = 3.0  # times the mean: what is above is cut off
MASKS = 0x6D61_736B  # mixed into a seed: these draws are nobody else's


@torch.no_grad()
def change_mask(
    pipe: Any, latents: Tensor, prompt: str, caption: str, seed: int, threshold: float = 0.5
) -> Tensor:
    """1 where the picture of latents (1, C, h, w) has to change, 0 elsewhere: (1, 1, h, w), never empty.

    `caption`: what it shows; where it is empty, the model is asked without words.
    """
    scheduler = fresh_scheduler(pipe.scheduler, STEPS, pipe._execution_device)
    timestep = scheduler.timesteps[round((1 - LEVEL) * len(scheduler.timesteps))]
    like = latents.to(pipe.unet.dtype)
    noise = torch.randn(DRAWS, *latents.shape[1:], generator=generator_of(seed, MASKS)).to(like)
    noisy = scheduler.add_noise(like.expand_as(noise), noise, timestep.repeat(DRAWS))
    new, old = (
        denoiser(pipe, [text] * DRAWS, Sampling(guidance_scale=1.0))(attempt(scheduler), noisy, timestep)
        for text in (prompt, caption)
    )
    difference = (new.float() - old.float()).abs().mean((0, 1), keepdim=True)
    difference = difference.clamp(max=MOST * float(difference.mean()))
    least, most = difference.aminmax()
    if least == most:  # the model sees no difference anywhere
        return torch.ones_like(difference)
    return F.max_pool2d(((difference - least) / (most - least) >= threshold).float(), 3, 1, 1)
