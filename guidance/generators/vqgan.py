"""Pictures by optimising the latents of a VQGAN: what paper A steers with its boxes.

Paiss, Chefer, Wolf, "No Token Left Behind", ECCV 2022 (arXiv 2204.04908), section on spatial generation, after
Crowson et al., "VQGAN-CLIP", ECCV 2022 (arXiv 2204.08583); the model is that of Esser, Rombach, Ommer, "Taming
Transformers", CVPR 2021 (arXiv 2012.09841), by diffusers' VQModel. With e the codebook and L the guide's loss,

    q(z) = the nearest entry of e at every place, with the gradient of z       picture = clamp(decoder(q(z)))
    z <- clamp(Adam(z, dL/dz), min e, max e), channel by channel

where the clamp of the picture lets gradients pass that lead back into the range. There is no diffusion, and no prompt
but what the guide makes of it: without one there is nothing to optimise.

Differs from the paper: z may start from random codes (`Sampling.start`), which the released code intends, and then
overwrites by numbers from 0 to 2; a step whose gradient is not finite is left out, picture by picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from guidance.generators.decoding import cell, frozen
from guidance.generators.gradients import clamp_with_gradient
from guidance.generators.hub_folders import opened
from guidance.generators.latents import LatentProcess
from guidance.generators.run_cache import Ways
from guidance.generators.sampling import Sampling, check_pictures, check_size
from guidance.layout.places import Layout


@dataclass(frozen=True, eq=False)
class VQGAN:
    """A VQModel as a Generator. `span`: the numbers that it decodes black and white to: -1 and 1 for Taming
    Transformers' models, 0 and 1 for aMUSEd's.
    """

    kind: ClassVar[str] = "vqgan"
    name: str
    model: Any = field(repr=False)
    size: tuple[int, int] = (256, 256)
    span: tuple[float, float] = (-1.0, 1.0)

    def __post_init__(self) -> None:
        low, high = self.span
        if not -1e6 < low < high < 1e6:
            raise ValueError(f"span is {self.span}; allowed: two numbers, black below white")
        check_size(self.size, self.grid)
        frozen(self.model)

    @property
    def grid(self) -> int:
        """How many pixels wide one cell of the latent grid is."""
        return cell(self.model)

    @property
    def network(self) -> Any:
        """Network that decodes."""
        return self.model

    @property
    def codebook(self) -> Tensor:
        """Its entries (N, D)."""
        return self.model.quantize.embedding.weight

    @property
    def code_span(self) -> tuple[Tensor, Tensor]:
        """The least and the largest number of each channel of the codebook, (1, D, 1, 1)."""
        codes = self.codebook.float()
        return codes.amin(0).view(1, -1, 1, 1), codes.amax(0).view(1, -1, 1, 1)

    def begin(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling,
        layouts: Sequence[Layout] = (),
        ways: Ways | None = None,
    ) -> LatentProcess:
        """One picture for each seed. Prompts and layouts are the guide's affair, and only counted here; there are no
        candidates.
        """
        check_pictures(prompts, seeds, layouts)
        height, width = check_size(self.size if sampling.size is None else sampling.size, self.grid)
        grid = height // self.grid, width // self.grid
        starts = [start(self.codebook, grid, seed, sampling.start) for seed in seeds]
        return LatentProcess(self, starts, sampling.steps, sampling.learning_rate, span=self.code_span)

    @torch.no_grad()
    def latents(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, D, h, w), float32, not quantised."""
        low, high = self.span
        return self.model.encode((low + images * (high - low)).to(self.codebook)).latents.float()

    def images(self, latents: Tensor) -> Tensor:
        """(B, D, h, w), not quantised -> (B, 3, H, W), float32 in [0, 1]. Differentiable."""
        low, high = self.span
        decoded = self.model.decode(latents.to(self.model.dtype), return_dict=False)[0]
        return clamp_with_gradient((decoded.float() - low) / (high - low), 0.0, 1.0)


def start(codebook: Tensor, grid: tuple[int, int], seed: int, way: str) -> Tensor:
    """The latents (1, D, h, w), float32, that a picture starts from: drawn on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    if way == "uniform":
        return (2 * torch.rand(1, codebook.shape[1], *grid, generator=generator)).to(codebook.device)
    codes = torch.randint(len(codebook), grid, generator=generator).to(codebook.device)
    return codebook[codes].permute(2, 0, 1).unsqueeze(0).float().contiguous()


def open_vqgan(
    folder: str | Path,
    name: str | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    subfolder: str = "",
    size: tuple[int, int] = (256, 256),
    span: tuple[float, float] = (-1.0, 1.0),
) -> VQGAN:
    """A VQModel (safetensors alone) from a folder, or from `subfolder` of one. ValueError for what cannot be opened."""
    from diffusers import VQModel

    model = opened(VQModel, Path(folder) / subfolder, "config.json", dtype).to(device)
    return VQGAN(name or Path(folder).name, model, size, span)
