"""Conversion of a model's output to the finished picture that it predicts, and back to the output for another.

With x the noisy latents, x0 the finished ones, e noise of variance 1 and alpha^2 + sigma^2 = 1,

    x = alpha x0 + sigma e                     and the model gives, by its prediction type,

    epsilon: e         v_prediction: alpha e - sigma x0 (Salimans, Ho 2022, arXiv 2202.00512)         sample: x0

so that x0 is linear in the output m, x0 = a x + b m, and a change of x0 by d is one of m by d / b. A scheduler that is
given m + d / b finds x0 + d and the noise that goes with it, x staying what it is.

Some schedulers (Euler) keep x / alpha in place of x: `NoiseLevel.scale` is that factor.
"""

from __future__ import annotations

import copy
import inspect
import math
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
)
from torch import Tensor

from guidance.generators.gradients import moved

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")
SCHEDULERS: dict[str, Any] = {
    "ddim": DDIMScheduler,
    "lcm": LCMScheduler,
    "dpm++": DPMSolverMultistepScheduler,
    "euler": EulerDiscreteScheduler,
    "pndm": PNDMScheduler,
}


@dataclass(frozen=True)
class NoiseLevel:
    """alpha and sigma of a step; the scheduler's latents are those of the formulas, divided by `scale`."""

    alpha: float
    sigma: float
    scale: float = 1.0


def noise_level(scheduler: Any, timestep: Tensor) -> NoiseLevel:
    """Returns the noise level of the latents that a scheduler's step from `timestep` begins with."""
    if not hasattr(scheduler, "sigmas"):
        square = float(scheduler.alphas_cumprod[int(timestep)])
        return NoiseLevel(math.sqrt(square), math.sqrt(1 - square))
    index = scheduler.step_index
    ratio = float(scheduler.sigmas[scheduler.index_for_timestep(timestep) if index is None else index])
    alpha = 1 / math.sqrt(1 + ratio**2)
    return NoiseLevel(alpha, ratio * alpha, alpha if isinstance(scheduler, EulerDiscreteScheduler) else 1.0)


def predicted_x0(scheduler: Any, level: NoiseLevel, latents: Tensor, output: Tensor) -> Tensor:
    """x0, float32, from a scheduler's latents and the model's output for them. Differentiable in both."""
    a, b = _coefficients(scheduler.config.prediction_type, level)
    return a * level.scale * latents.float() + b * output.float()


def output_for(scheduler: Any, level: NoiseLevel, output: Tensor, change: Tensor) -> Tensor:
    """The output that says x0 + change (B, ...) where `output` says x0. A picture without change keeps its own."""
    _, b = _coefficients(scheduler.config.prediction_type, level)
    return moved(output, change / b)


def _coefficients(prediction_type: str, level: NoiseLevel) -> tuple[float, float]:
    """a and b of x0 = a x + b m."""
    if prediction_type == "epsilon":
        return 1 / level.alpha, -level.sigma / level.alpha
    if prediction_type == "v_prediction":
        return level.alpha, -level.sigma
    return 0.0, 1.0


def renoised(latents: Tensor, before: NoiseLevel, after: NoiseLevel, noise: Tensor) -> Tensor:
    """Latents taken back from the noise level `after` a step to the one `before` it.

    With r = alpha_before / alpha_after:  r x + sqrt(1 - r^2) e, which has the distribution of noisy latents there.
    """
    ratio = before.alpha / after.alpha
    noisy = ratio * after.scale * latents.float() + math.sqrt(max(0.0, 1 - ratio**2)) * noise.float()
    return (noisy / before.scale).to(latents.dtype)


def fresh_scheduler(scheduler: Any, steps: int, device: torch.device) -> Any:
    """One like `scheduler` with steps of its own: schedulers have a state, and a run shares none.

    ValueError for steps that it has no timesteps for.
    """
    fresh = type(scheduler).from_config(scheduler.config)
    trained = fresh.config.num_train_timesteps
    most = getattr(fresh.config, "original_inference_steps", trained)
    if steps <= most:
        fresh.set_timesteps(steps, device=device)
        # Timesteps that are counted from 1 leave no room for as many steps as there are.
        most = most if max(fresh.timesteps.tolist()) < trained else most - 1
    if steps > most:
        raise ValueError(f"steps is {steps}; allowed with this model's scheduler: 1 to {most}")
    return fresh


def timesteps_from(scheduler: Any, done: int, end: int | None = None) -> Tensor:
    """Its timesteps after the first `done`, for a fresh scheduler to begin with. PNDM begins by making its second step
    twice, wherever it begins. `end`: only those that lead to the noise level of the timestep of that number.
    """
    if not isinstance(scheduler, PNDMScheduler) or not done:
        return scheduler.timesteps[done:end]
    left = scheduler.timesteps[done:].unique_consecutive()
    left = torch.cat([left[:2], left[1:]])
    last = scheduler.timesteps[end:][:1]
    return left[left > last] if end is not None and len(last) else left


def attempt(scheduler: Any) -> Any:
    """A copy, state and all, to make a step with that may be taken back."""
    return copy.deepcopy(scheduler)


def step_with(
    scheduler: Any, output: Tensor, timestep: Tensor, latents: Tensor, generators: list[torch.Generator]
) -> Tensor:
    """The latents after a step, which draws from the generators, one per picture, if it takes noise at all."""
    noise = {"generator": generators} if "generator" in inspect.signature(scheduler.step).parameters else {}
    return scheduler.step(output, timestep, latents, **noise, return_dict=False)[0]


def check_scheduler(scheduler: Any) -> None:
    """ValueError for schedulers whose noise levels are not known here."""
    known: Any = tuple(SCHEDULERS.values())
    if not isinstance(scheduler, known):
        raise ValueError(f"the scheduler is {type(scheduler).__name__}; allowed: {', '.join(SCHEDULERS)}")
    config = scheduler.config
    if config.prediction_type not in PREDICTION_TYPES:
        raise ValueError(
            f"the prediction type is {config.prediction_type!r}; allowed: {', '.join(PREDICTION_TYPES)}"
        )
    for name in ("clip_sample", "thresholding", "use_flow_sigmas"):
        if config.get(name):
            raise ValueError(f"the scheduler's {name} is on; latent diffusion is without it")
    if config.get("rescale_betas_zero_snr") and config.prediction_type == "epsilon":
        raise ValueError(
            "the scheduler begins with noise alone, of which a model that predicts noise says nothing"
        )
