"""Latent diffusion, steered: any checkpoint of the shape of Stable Diffusion 1.5.

Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", CVPR 2022 (arXiv 2112.10752); Luo et
al., "Latent Consistency Models", 2023 (arXiv 2310.04378). Steered as in Bansal et al., "Universal Guidance for
Diffusion Models", 2023 (arXiv 2302.07121): the guide's gradient, through the decoder, moves the predicted picture x0,
and the scheduler is given the model output that says the moved x0. Or the noisy latents are moved, by a gradient
through the UNet, and the UNet is asked again.

diffusers' pipeline loads and encodes; the loop is ours, and without a guide its latents are the pipeline's, to the
bit.

Differs from the paper: moves have their length under control (`Sampling.norm_control`), and its "forward guidance",
which adds the gradient through the UNet to the predicted noise, is not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from guidance.generators.decoding import cell, check_preview, decoded, encoded, frozen
from guidance.generators.diffusion.process import DiffusionProcess
from guidance.generators.diffusion.schedulers import SCHEDULERS, check_scheduler
from guidance.generators.diffusion.source import Source
from guidance.generators.hub_folders import opened
from guidance.generators.memory import place
from guidance.generators.run_cache import Ways
from guidance.generators.sampling import Sampling, check_pictures
from guidance.layout.places import Layout


@dataclass(frozen=True, eq=False)
class LatentDiffusion:
    """A StableDiffusionPipeline as a Generator. `preview`: a small decoder (AutoencoderTiny) for gradients and
    previews, or None for the pipeline's own, which always decodes what is finished.

    ValueError for a pipeline that is of another shape.
    """

    kind: ClassVar[str] = "diffusion"
    name: str
    pipe: Any = field(repr=False)
    preview: Any = field(default=None, repr=False)
    offloaded: bool = False

    def __post_init__(self) -> None:
        check_scheduler(self.pipe.scheduler)
        channels, latent = self.pipe.unet.config.in_channels, self.pipe.vae.config.latent_channels
        if channels != latent:
            raise ValueError(
                f"the UNet takes {channels} channels, its latents have {latent}; allowed: text to image models"
            )
        if self.preview is not None:
            check_preview(self.preview, self.pipe.vae)
            frozen(self.preview)
        if self.pipe.unet.config.addition_embed_type is not None:
            raise ValueError(
                "the UNet asks for more than a prompt; allowed: models of the shape of Stable Diffusion 1.5"
            )
        for model in (self.pipe.unet, self.pipe.vae, self.pipe.text_encoder):
            frozen(model)

    @property
    def decoder(self) -> Any:
        """Decoder of pictures while they are on their way."""
        return self.pipe.vae if self.preview is None else self.preview

    @property
    def network(self) -> Any:
        """Decoder of finished pictures."""
        return self.pipe.vae

    @property
    def grid(self) -> int:
        """How many pixels wide one cell of the latent grid is."""
        return cell(self.pipe.vae)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels that the model was trained for."""
        side = self.pipe.unet.config.sample_size
        height, width = (side, side) if isinstance(side, int) else side
        return height * self.grid, width * self.grid

    def leads_away(self, sampling: Sampling) -> bool:
        """Whether anything can be led away from: a model that was distilled with its guidance has no use for it."""
        return sampling.guidance_scale > 1 and self.pipe.unet.config.time_cond_proj_dim is None

    @torch.no_grad()
    def latents(self, images: Tensor) -> Tensor:
        """Encodes images (B, 3, H, W) in [0, 1] into latents (B, C, h, w) as the UNet takes them, without noise."""
        return encoded(self.pipe.vae, images.to(self.pipe._execution_device))

    def images(self, latents: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, 3, H, W), float32 in [0, 1], by the pipeline's own decoder. Differentiable."""
        return decoded(self.pipe.vae, latents)

    def begin(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling,
        layouts: Sequence[Layout] = (),
        ways: Ways | None = None,
        source: Source | None = None,
    ) -> DiffusionProcess:
        """One picture for each prompt and its seed. `source`: as many pictures to begin with, of the sampling's
        size.
        """
        check_pictures(prompts, seeds, layouts)
        if source is not None and len(source.latents) != len(prompts):
            raise ValueError(
                f"there are {len(prompts)} prompts and {len(source.latents)} pictures; allowed: as many of both"
            )
        if sampling.time_travel and isinstance(self.pipe.scheduler, SCHEDULERS["pndm"]):
            others = ", ".join(name for name in SCHEDULERS if name != "pndm")
            raise ValueError(f"time_travel is {sampling.time_travel}; allowed with PNDM: 0; or take {others}")
        if self.offloaded and self.preview is None and sampling.mode == "latent":
            raise ValueError(
                "mode is 'latent'; allowed where the models take turns on the GPU: 'x0', or a preview decoder"
            )
        return DiffusionProcess(self, prompts, seeds, sampling, layouts, ways, source)


def open_diffusion(
    folder: str | Path,
    name: str | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    preview: str | Path | None = None,
    scheduler: str | None = None,
) -> LatentDiffusion:
    """A pipeline from a folder in the hub's layout (safetensors alone), and a preview decoder from another.

    `dtype`: fp16 on a GPU and fp32 elsewhere, unless it is named. `scheduler`: one of `SCHEDULERS`, in place of the
    checkpoint's own. On a GPU with less than 10 GiB the models take turns, where accelerate is installed.

    ValueError for what cannot be opened.
    """
    from diffusers import AutoencoderTiny, StableDiffusionPipeline

    if scheduler is not None and scheduler not in SCHEDULERS:
        raise ValueError(f"scheduler is {scheduler!r}; allowed: {', '.join(SCHEDULERS)}")
    if dtype is None:
        dtype = torch.float16 if torch.device(device).type == "cuda" else torch.float32
    pipe = opened(
        StableDiffusionPipeline,
        folder,
        "model_index.json",
        dtype,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    if scheduler is not None:
        # DDIM and LCM would clip pictures at 1 unless told not to: other schedulers' settings do not say.
        pipe.scheduler = SCHEDULERS[scheduler].from_config({**pipe.scheduler.config, "clip_sample": False})
    decoder = None
    if preview is not None:
        decoder = opened(AutoencoderTiny, preview, "config.json", dtype).to(device)
    offloaded = place(pipe, device)
    return LatentDiffusion(name or Path(folder).name, pipe, decoder, offloaded)
