"""Where a picture has to change to show what a prompt says, as the diffusion model itself sees it.

Couairon et al., "DiffEdit: Diffusion-Based Semantic Image Editing with Mask Guidance", ICLR 2023 (arXiv 2210.11427):
the picture is given noise, and the model asked what it sees by the new prompt and by the caption of what is there.
Where both say the same, nothing needs to change. Their difference, averaged over several noises, cut off at three times
its mean and scaled to [0, 1], is held against a threshold.

Differs from the paper: of several places that are found apart from one another, the one that differs most in all is
taken, as one thing is to change; and the mask is one cell larger on all sides, so that it takes in that thing's edges.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from guidance.generators.diffusion.denoiser import denoiser
from guidance.generators.diffusion.schedulers import attempt, fresh_scheduler
from guidance.generators.sampling import Sampling
from guidance.seeding import generator_of

DRAWS = 8  # noises
LEVEL = 0.6  # the share of the steps that are left at the noise that is added
STEPS = 20
MOST = 3.0  # times the mean: what is above is cut off
MASKS = 0x6D61_736B  # mixed into a seed: these draws are nobody else's


@torch.no_grad()
def change_mask(
    pipe: Any, latents: Tensor, prompt: str, caption: str, seed: int, threshold: float = 0.7
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
    if not least < most:  # the model sees no difference anywhere, or what it sees are no numbers
        return torch.ones_like(difference)
    found = (difference - least) / (most - least) >= threshold
    return F.max_pool2d(one_place(found, difference).float(), 3, 1, 1)


def one_place(found: Tensor, values: Tensor) -> Tensor:
    """Keeps of cells (1, 1, h, w), bool, the connected group, corners too, whose values have the largest sum."""
    numbers = torch.arange(1, found.numel() + 1, device=found.device, dtype=torch.float32).view_as(found)
    numbers = numbers * found
    while True:  # the largest number of a place spreads over all of it
        spread = F.max_pool2d(numbers, 3, 1, 1) * found
        if torch.equal(spread, numbers):
            break
        numbers = spread
    places = numbers[found].unique()
    sums = torch.stack([values[numbers == place].sum() for place in places])
    return numbers == places[sums.argmax()]
