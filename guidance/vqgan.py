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

from guidance.decoding import cell, checkpointed, frozen
from guidance.generators import Advance, Guide
from guidance.gradients import clamp_with_gradient, pull
from guidance.memory import vqgan_advice, within_memory
from guidance.opening import opened
from guidance.places import Layout
from guidance.sampling import Sampling, check_pictures, check_size
from guidance.ways import Ways


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
    def codebook(self) -> Tensor:
        """Its entries (N, D)."""
        return self.model.quantize.embedding.weight

    def begin(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling,
        layouts: Sequence[Layout] = (),
        ways: Ways | None = None,
    ) -> VQGANProcess:
        """One picture for each seed. Prompts and layouts are the guide's affair, and only counted here; there are no
        candidates.
        """
        check_pictures(prompts, seeds, layouts)
        return VQGANProcess(self, seeds, sampling)

    def images(self, latents: Tensor) -> Tensor:
        """(B, D, h, w), not quantised -> (B, 3, H, W), float32 in [0, 1]. Differentiable."""
        low, high = self.span
        decoded = self.model.decode(latents.to(self.model.dtype), return_dict=False)[0]
        return clamp_with_gradient((decoded.float() - low) / (high - low), 0.0, 1.0)


class VQGANProcess:
    """B pictures on their way, each with optimiser state of its own. See `generators.Process`."""

    def __init__(self, vqgan: VQGAN, seeds: Sequence[int], sampling: Sampling) -> None:
        self._vqgan, self.total = vqgan, sampling.steps
        self._size = check_size(vqgan.size if sampling.size is None else sampling.size, vqgan.grid)
        codes = vqgan.codebook
        grid = self._size[0] // vqgan.grid, self._size[1] // vqgan.grid
        # One tensor for each picture, so that the optimiser can leave one out, moments and all.
        self._latents = [start(codes, grid, seed, sampling.start) for seed in seeds]
        self._optimizer = torch.optim.Adam(self._latents, lr=sampling.learning_rate)
        self._range = tuple(edge.float().view(1, -1, 1, 1) for edge in (codes.amin(0), codes.amax(0)))
        self._index = 0

    @property
    def latents(self) -> Tensor:
        """z (B, D, h, w) as it stands, not quantised."""
        return torch.cat(self._latents)

    def advance(self, guide: Guide | None = None) -> Advance:
        """One step of Adam. ValueError without a guide; RuntimeError after the last."""
        if guide is None:
            raise ValueError(
                "a VQGAN without a guide has nothing to optimise; allowed: a guide for every step"
            )
        if not self._latents:
            raise RuntimeError("this run ended when memory ran out")
        if self._index == self.total:
            raise RuntimeError(f"all {self.total} steps of this run are done")
        return self._within_memory(lambda: self._advance(guide))

    def finish(self) -> Tensor:
        """The pictures (B, 3, H, W), float32 in [0, 1]."""
        if not self._latents or self._index < self.total:
            raise RuntimeError(f"{self._index} of {self.total} steps are done; allowed: all")
        return self._within_memory(self._finish)

    @torch.no_grad()
    def _finish(self) -> Tensor:
        return self._vqgan.images(torch.cat(self._latents))

    @torch.no_grad()
    def _advance(self, guide: Guide) -> Advance:
        with checkpointed(self._vqgan.model):
            found = pull(guide, self._vqgan.images, torch.cat(self._latents), self._index)
        for latents, gradient, finite in zip(self._latents, found.gradients, found.finite, strict=True):
            latents.grad = gradient.unsqueeze(0) if finite else None
        self._optimizer.step()
        self._optimizer.zero_grad()
        for latents in self._latents:
            latents.clamp_(*self._range)
        self._index += 1
        return Advance(self._index - 1, self.total, found.images, found.losses, ~found.finite)

    def _within_memory(self, run: Any) -> Any:
        return within_memory(
            run, self._free, lambda: vqgan_advice(len(self._latents), self._size, self._vqgan.grid)
        )

    def _free(self) -> None:
        self._latents = []
        self._optimizer = torch.optim.Adam([torch.zeros(1)])


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
