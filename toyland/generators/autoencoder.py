"""The autoencoders between pictures and latents: AutoencoderKL (Rombach et al. 2022, arXiv 2112.10752) for toy-sd, and
VQModel (Esser et al. 2021, arXiv 2012.09841) for toy-vqgan. 64 px pictures, 16x16 latents.

Differs from the papers: no discriminator and no perceptual network, but errors of pixels and of their differences to
the neighbours, which keep the edges of a drawn world sharp. The VQModel starts from the AutoencoderKL's weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, VQModel
from torch import Tensor

from toyland.generators.scenes import DrawnScenes, as_images
from toyland.world.batches import batches_of
from training.run import Recipe, Run, adamw

PIXELS = 64
CHANNELS = 8  # of the latents
CODES = 2048
SHAPE: dict[str, Any] = {
    "down_block_types": ["DownEncoderBlock2D"] * 3,
    "up_block_types": ["UpDecoderBlock2D"] * 3,
    "block_out_channels": [16, 32, 64],
    "layers_per_block": 1,
    "latent_channels": CHANNELS,
    "norm_num_groups": 8,
    "sample_size": PIXELS,
    "mid_block_add_attention": False,
}
KL_WEIGHT = 1e-5
SHARPNESS = 0.2


@dataclass(frozen=True, kw_only=True)
class AutoencoderRecipe(Recipe):
    """How to train an autoencoder. `family`: "kl" or "vq". Pictures around things teach it many times faster."""

    family: str = "kl"
    crop: int = 0  # pixels around a thing, 0 for whole pictures
    weight_decay: float = 0.0

    @property
    def identity(self) -> dict[str, Any]:
        return {"family": self.family}


def reconstruction_error(images: Tensor, originals: Tensor) -> Tensor:
    """Mean squared error, and less of the absolute one of pixels and of their differences to their neighbours.

    The square speaks for a small thing of the wrong colour, the absolute values for sharp edges.
    """
    error = images - originals
    across, down = error.diff(dim=-1), error.diff(dim=-2)
    sharp = error.abs().mean() + across.abs().mean() + down.abs().mean()
    return error.square().mean() + SHARPNESS * sharp


class AutoencoderTraining(Run):
    """Training of either autoencoder."""

    recipe: AutoencoderRecipe
    model: AutoencoderKL | VQModel

    def __init__(
        self, recipe: AutoencoderRecipe, folder: Path, device: str, start_from: Path | None = None
    ) -> None:
        torch.manual_seed(recipe.seed)
        model = new_autoencoder(recipe.family, start_from).to(device)
        super().__init__(recipe, folder, device, model, adamw(model, recipe))

    def batches(self) -> Iterator[Tensor]:
        recipe = self.recipe
        dataset = DrawnScenes(
            PIXELS, recipe.batch, self.progress.pictures, seed=recipe.seed, crop=recipe.crop
        )
        return (pictures for pictures, _ in batches_of(dataset, recipe.workers))

    def loss(self, batch: Tensor) -> tuple[Tensor, dict[str, float]]:
        originals = as_images(batch, self.device)
        if isinstance(self.model, VQModel):
            decoded = self.model.decode(self.model.encode(originals).latents)
            images, extra = decoded.sample.float(), decoded.commit_loss.float()
        else:
            posterior = self.model.encode(originals).latent_dist
            latents = posterior.mean + posterior.std * torch.randn(
                posterior.mean.shape, generator=self.generator, device=self.device
            )
            images, extra = self.model.decode(latents).sample.float(), KL_WEIGHT * posterior.kl().mean()
        error = reconstruction_error(images, originals)
        pixels = (images.detach() - originals).abs().mean().item() * 127.5
        return error + extra, {"pixel error": pixels, "extra": extra.item()}

    def export(self) -> None:
        save_autoencoder(type(self.model), self.ema, dict(self.model.config), self.folder)


def new_autoencoder(family: str, start_from: Path | None = None) -> AutoencoderKL | VQModel:
    """Fresh weights, or those of another autoencoder's folder. A VQModel may start from an AutoencoderKL: its codes are
    then latents of that one.
    """
    model = VQModel(**SHAPE, num_vq_embeddings=CODES) if family == "vq" else AutoencoderKL(**SHAPE)
    if start_from is None:
        return model
    kind = json.loads((start_from / "config.json").read_text())["_class_name"]
    if kind == type(model).__name__:
        model.load_state_dict(type(model).from_pretrained(start_from).state_dict())
        return model
    source = AutoencoderKL.from_pretrained(start_from)
    state = source.state_dict()
    mix = state["quant_conv.weight"][:CHANNELS, :, 0, 0]  # a VQModel's encoder gives the means alone
    state["encoder.conv_out.weight"] = torch.einsum("ij,jabc->iabc", mix, state["encoder.conv_out.weight"])
    state["encoder.conv_out.bias"] = (
        mix @ state["encoder.conv_out.bias"] + state["quant_conv.bias"][:CHANNELS]
    )
    state["quant_conv.weight"] = torch.eye(CHANNELS)[:, :, None, None]
    state["quant_conv.bias"] = torch.zeros(CHANNELS)
    model.load_state_dict(state | {"quantize.embedding.weight": first_codes(model, source)})
    return model


@torch.no_grad()
def first_codes(model: VQModel, source: AutoencoderKL, scenes: int = 128, rounds: int = 20) -> Tensor:
    """A codebook (CODES, CHANNELS): k-means of the latents that `source` gives to training scenes."""
    pictures, _ = next(iter(DrawnScenes(PIXELS, scenes)))
    latents = source.encode(as_images(pictures, torch.device("cpu"))).latent_dist.mean
    points = latents.permute(0, 2, 3, 1).reshape(-1, CHANNELS)
    generator = torch.Generator().manual_seed(0)
    codes = points[torch.randperm(len(points), generator=generator)[:CODES]].clone()
    for _ in range(rounds):
        nearest = torch.cdist(points, codes).argmin(dim=1)
        counts = torch.bincount(nearest, minlength=CODES)
        sums = torch.zeros_like(codes).index_add_(0, nearest, points)
        codes = torch.where(counts[:, None] > 0, sums / counts[:, None].clamp(min=1), codes)
    return codes


def save_autoencoder(
    family: type[AutoencoderKL] | type[VQModel],
    state: dict[str, Tensor],
    config: dict[str, Any],
    folder: Path,
) -> None:
    """Write fp16 weights as a diffusers checkpoint, with the scale that brings its latents to unit variance."""
    model = family.from_config(config)
    model.load_state_dict(state)
    model.register_to_config(scaling_factor=latent_scale(model))
    model.half().save_pretrained(folder)


@torch.no_grad()
def latent_scale(model: AutoencoderKL | VQModel, scenes: int = 128) -> float:
    """1 / standard deviation of the latents of training scenes: diffusers' `scaling_factor`."""
    pictures, _ = next(iter(DrawnScenes(PIXELS, scenes, seed=99)))
    encoded = model.eval().encode(as_images(pictures, torch.device("cpu")))
    latents = encoded.latents if isinstance(model, VQModel) else encoded.latent_dist.mean
    return round(1 / latents.float().std().item(), 5)
