"""Training toy-sd: the plain error of v, most of all in the middle of the way to noise (Esser et al. 2024, arXiv
2403.03206), a tenth of the prompts left out for classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598). The
autoencoder is frozen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from toyland.generators.autoencoder import PIXELS
from toyland.generators.diffusion import Denoiser, new_scheduler, save_pipeline
from toyland.generators.prompts import CONTEXT_LENGTH, caption_tokenizer
from toyland.generators.scenes import Batch, DrawnScenes, as_images
from toyland.world.batches import batches_of
from training.run import Recipe, Run, adamw

POOL = 4096  # scenes
UNCONDITIONAL = 0.1  # how many prompts are left out
UNIFORM = 0.2  # how many timesteps are drawn evenly
MIDDLE = -0.3  # where the others are most, as a logit: at 0.43 of the way to noise


@dataclass(frozen=True, kw_only=True)
class DiffusionRecipe(Recipe):
    """How to train toy-sd. `alone`: scenes of the single-thing curriculum. `crop`: a share `crops` of the batches shows
    only so many pixels around single things, 0 for whole pictures alone: there, shapes are learnt many times faster.
    `reuse`: how often a scene is seen, with other noise: drawing and encoding it takes about as long as a step.
    """

    alone: int = 40_000
    crop: int = 0
    crops: float = 1.0
    reuse: int = 4
    weight_decay: float = 0.01
    ema: float = 0.999
    warmup: float = 0.005  # a long run

    @property
    def identity(self) -> dict[str, Any]:
        return {"alone": self.alone, "crop": self.crop, "crops": self.crops, "reuse": self.reuse}


class Pool:
    """The latest scenes' latents and captions; new ones take the place of the oldest."""

    def __init__(self) -> None:
        self.latents = torch.empty(0)
        self.captions: list[str] = []
        self.next = 0

    def add(self, latents: Tensor, captions: list[str]) -> None:
        """Latents (B, C, h, w) and as many captions."""
        if not self.captions:
            self.latents = latents.new_empty(POOL, *latents.shape[1:])
        for one, caption in zip(latents, captions, strict=True):
            self.latents[self.next] = one
            self.captions[self.next : self.next + 1] = [
                caption
            ]  # in its place, or at the end while that grows
            self.next = (self.next + 1) % POOL

    def some(self, count: int, generator: torch.Generator) -> tuple[Tensor, list[str]]:
        """`count` of them at random; all of them, some twice, while there are fewer."""
        have = len(self.captions)
        order = torch.rand(have, generator=generator, device=generator.device).argsort()
        chosen = order.repeat(-(-count // have))[:count]
        return self.latents[chosen], [self.captions[index] for index in chosen.tolist()]


class DiffusionTraining(Run):
    """Training of the UNet and the text encoder on the latents of an autoencoder's folder."""

    recipe: DiffusionRecipe
    model: Denoiser

    def __init__(
        self, recipe: DiffusionRecipe, folder: Path, device: str, vae: Path, start_from: Path | None = None
    ) -> None:
        if recipe.batch % recipe.reuse:
            raise ValueError(f"batch {recipe.batch} is no multiple of reuse {recipe.reuse}")
        self.vae = AutoencoderKL.from_pretrained(vae).float().eval().requires_grad_(False).to(device)
        source = start_from or folder
        if (source / "tokenizer").is_dir():
            self.tokenizer = CLIPTokenizer.from_pretrained(source, subfolder="tokenizer")
        else:
            self.tokenizer = caption_tokenizer()
        torch.manual_seed(recipe.seed)
        model = Denoiser(self.tokenizer)
        if start_from is not None:
            model.load_state_dict(exported_weights(start_from))
        model = model.to(device)
        super().__init__(recipe, folder, device, model, adamw(model, recipe))
        self.alphas = new_scheduler().alphas_cumprod.to(self.device)
        self.pools: dict[torch.Size, Pool] = {}  # crops and whole pictures do not fit in one batch

    def batches(self) -> Iterator[Batch]:
        recipe = self.recipe
        dataset = DrawnScenes(
            PIXELS,
            recipe.batch // recipe.reuse,
            self.progress.pictures // recipe.reuse,
            recipe.alone,
            recipe.seed,
            recipe.crop,
            recipe.crops if recipe.crop else 0.0,
            single=True,
        )
        return batches_of(dataset, recipe.workers)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        latents = self.latents(batch[0])
        pool = self.pools.setdefault(latents.shape[1:], Pool())
        pool.add(latents, batch[1])
        latents, captions = pool.some(self.recipe.batch, self.generator)
        ids = self.ids(captions)
        t = self.timesteps(len(latents))
        alpha = self.alphas[t].view(-1, 1, 1, 1)
        noise = torch.randn(latents.shape, generator=self.generator, device=self.device)
        noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
        target = alpha.sqrt() * noise - (1 - alpha).sqrt() * latents
        return (self.model(noisy, t, ids).float() - target).square().mean(), {}

    def timesteps(self, count: int) -> Tensor:
        """Timesteps (B,): logit-normal, some of them uniform. What stands where is soon learnt, from the noisiest; what
        a thing looks like is decided in the middle.
        """
        normal = torch.randn(count, generator=self.generator, device=self.device)
        uniform = torch.rand(count, generator=self.generator, device=self.device)
        keep = torch.rand(count, generator=self.generator, device=self.device) < UNIFORM
        share = torch.where(keep, uniform, (normal + MIDDLE).sigmoid())
        return (share * len(self.alphas)).long().clamp(max=len(self.alphas) - 1)

    @torch.no_grad()
    def latents(self, pictures: Tensor) -> Tensor:
        """Latents of unit variance: the means of the autoencoder's posterior, as what it does not use is all noise."""
        means = self.vae.encode(as_images(pictures, self.device)).latent_dist.mean
        return means.float() * self.vae.config.scaling_factor

    def ids(self, captions: list[str]) -> Tensor:
        """Token ids (B, L) of captions, some of them left empty."""
        left_out = torch.rand(len(captions), generator=self.generator, device=self.device) < UNCONDITIONAL
        texts = ["" if out else text for text, out in zip(captions, left_out.tolist(), strict=True)]
        encoded = self.tokenizer(
            texts, padding="max_length", max_length=CONTEXT_LENGTH, truncation=True, return_tensors="pt"
        )
        return encoded.input_ids.to(self.device)

    def export(self) -> None:
        config = {name: value for name, value in self.vae.config.items() if name != "_name_or_path"}
        vae = AutoencoderKL.from_config(config)  # without the path of the folder that it came from
        vae.load_state_dict(self.vae.state_dict())
        save_pipeline(self.ema, self.tokenizer, vae, self.folder)


def exported_weights(folder: Path) -> dict[str, Tensor]:
    """A Stable Diffusion folder's UNet and text encoder as the state of a `Denoiser`, in fp32."""
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet")
    text_encoder = CLIPTextModel.from_pretrained(folder, subfolder="text_encoder")
    parts = {"unet": unet, "text_encoder": text_encoder}
    return {
        f"{part}.{name}": value.float() for part in parts for name, value in parts[part].state_dict().items()
    }
