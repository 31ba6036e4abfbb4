"""From latents to images, with any of diffusers' autoencoders, and models that are looked through and never changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from guidance.generators.gradients import clamp_with_gradient


def decoded(decoder: Any, latents: Tensor) -> Tensor:
    """Images (B, 3, H, W), float32 in [0, 1], of a diffusion model's latents (B, C, h, w). Differentiable.

    A diffusion model's latents are those of the autoencoder, shifted and scaled to a variance of about 1.
    """
    config = decoder.config
    latents = latents.to(decoder.dtype) / config.scaling_factor
    if getattr(config, "shift_factor", None):
        latents = latents + config.shift_factor
    images = decoder.decode(latents, return_dict=False)[0]
    return clamp_with_gradient(images.float() / 2 + 0.5, 0.0, 1.0)


def encoded(encoder: Any, images: Tensor) -> Tensor:
    """Latents (B, C, h, w) of images (B, 3, H, W) in [0, 1], as a diffusion model takes them: without noise, the mean
    of their distribution where there is one.
    """
    config = encoder.config
    found = encoder.encode((images * 2 - 1).to(encoder.dtype))
    latents = found.latents if hasattr(found, "latents") else found.latent_dist.mode()
    return (latents - (getattr(config, "shift_factor", None) or 0)) * config.scaling_factor


def cell(decoder: Any) -> int:
    """How many pixels wide one cell of the latent grid is."""
    blocks = getattr(decoder.config, "decoder_block_out_channels", None) or decoder.config.block_out_channels
    return getattr(decoder.config, "upsampling_scaling_factor", 2) ** (len(blocks) - 1)


def check_preview(preview: Any, vae: Any) -> None:
    """ValueError for a preview decoder that is not made for the latents of `vae`."""
    found, wanted = (
        {"channels": model.config.latent_channels, "pixels per cell": cell(model)} for model in (preview, vae)
    )
    if found != wanted:
        raise ValueError(f"the preview decoder is for other latents: {found}; the model's are {wanted}")


def frozen(model: nn.Module) -> nn.Module:
    """In evaluation mode, and without gradients for its parameters."""
    return model.eval().requires_grad_(False)


@contextmanager
def checkpointed(*models: Any) -> Iterator[None]:
    """Gradients by forward passes made again block by block, in place of memory, while this lasts: for the models
    that can, of those given.
    """
    found = [m for m in models if m._supports_gradient_checkpointing and not m.is_gradient_checkpointing]
    try:
        for model in found:
            model.enable_gradient_checkpointing()
        yield
    finally:
        for model in found:
            model.disable_gradient_checkpointing()


def noise_like(latents: Tensor, generators: list[torch.Generator]) -> Tensor:
    """Normal noise for each of latents (B, ...) from a generator of its own, drawn on the CPU: every device has the
    same.
    """
    drawn = [torch.randn(latents.shape[1:], generator=generator) for generator in generators]
    return torch.stack(drawn).to(latents.device)
