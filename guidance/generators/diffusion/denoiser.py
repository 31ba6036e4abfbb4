"""One forward pass of a latent diffusion model, for prompts, with classifier-free guidance: as diffusers' pipelines
compute it, operation by operation, so that latents are theirs to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from guidance.generators.sampling import Sampling


@dataclass(frozen=True, eq=False)
class Denoiser:
    """A UNet with the prompts of B pictures. `embeddings`: (B, L, D), or (2 B, L, D) with those of the negative
    prompts first. `guidance_scale`: one, or (B, 1, 1, 1). `condition`: (B, D') for a model that takes the guidance
    scale as an input.
    """

    unet: Any
    embeddings: Tensor
    guidance_scale: float | Tensor
    classifier_free: bool
    condition: Tensor | None

    def of(self, rows: Tensor | slice) -> Denoiser:
        """Returns this denoiser for some of the B pictures; one may come several times."""
        halves = self.embeddings.chunk(2) if self.classifier_free else (self.embeddings,)
        scale, condition = self.guidance_scale, self.condition
        return replace(
            self,
            embeddings=torch.cat([half[rows] for half in halves]),
            guidance_scale=scale[rows] if isinstance(scale, Tensor) else scale,
            condition=None if condition is None else condition[rows],
        )

    def repeated(self, times: int) -> Denoiser:
        """Returns this denoiser for the B pictures `times` times over."""
        pictures = len(self.embeddings) // (2 if self.classifier_free else 1)
        return self.of(torch.arange(pictures).repeat(times))

    @torch.no_grad()
    def led_from(self, pipe: Any, texts: Sequence[str], scales: Sequence[float]) -> Denoiser:
        """Returns this denoiser with other negative prompts, encoded by the pipeline, and guidance scales of their own,
        one for each of the B pictures. Without classifier-free guidance there is neither.
        """
        if not self.classifier_free:
            return self
        _, prompts = self.embeddings.chunk(2)
        negatives, _ = pipe.encode_prompt(list(texts), pipe._execution_device, 1, False)
        return replace(
            self,
            embeddings=torch.cat([negatives, prompts]),
            guidance_scale=prompts.new_tensor(scales)[:, None, None, None],
        )

    def __call__(self, scheduler: Any, latents: Tensor, timestep: Tensor) -> Tensor:
        """The model's output (B, C, h, w) for latents of that shape."""
        batch = torch.cat([latents] * 2) if self.classifier_free else latents
        batch = scheduler.scale_model_input(batch, timestep)
        output = self.unet(
            batch,
            timestep,
            encoder_hidden_states=self.embeddings,
            timestep_cond=self.condition,
            return_dict=False,
        )[0]
        if not self.classifier_free:
            return output
        without, with_prompt = output.chunk(2)
        return without + self.guidance_scale * (with_prompt - without)


@torch.no_grad()
def denoiser(pipe: Any, prompts: Sequence[str], sampling: Sampling) -> Denoiser:
    """For a pipeline's UNet, its prompts encoded by its text encoder.

    ValueError for a negative prompt without classifier-free guidance to use it.
    """
    device = pipe._execution_device
    inputs = pipe.unet.config.time_cond_proj_dim  # of a model distilled with guidance, else None
    classifier_free = sampling.guidance_scale > 1 and inputs is None
    if sampling.negative_prompt and not classifier_free:
        reason = (
            "guidance_scale is not above 1"
            if inputs is None
            else "this model was distilled with its guidance"
        )
        raise ValueError(f"there is nothing to use the negative prompt: {reason}; allowed: none")
    negative = [sampling.negative_prompt] * len(prompts)
    embeddings, negatives = pipe.encode_prompt(list(prompts), device, 1, classifier_free, negative)
    if classifier_free:
        embeddings = torch.cat([negatives, embeddings])
    condition = None
    if inputs is not None:
        scales = torch.tensor(sampling.guidance_scale - 1).repeat(len(prompts))
        condition = pipe.get_guidance_scale_embedding(scales, embedding_dim=inputs)
        condition = condition.to(device=device, dtype=embeddings.dtype)
    return Denoiser(pipe.unet, embeddings, sampling.guidance_scale, classifier_free, condition)
