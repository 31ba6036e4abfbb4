"""Prediction of the finished picture in a step of latent diffusion, before a guide has its say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from guidance.generators.diffusion.denoiser import Denoiser, denoiser
from guidance.generators.diffusion.regions import Regions, regions
from guidance.generators.diffusion.schedulers import NoiseLevel, noise_level, output_for, predicted_x0
from guidance.generators.diffusion.source import Source
from guidance.generators.sampling import Sampling
from guidance.layout.places import Layout


@dataclass(frozen=True, eq=False)
class Prediction:
    """x0 (B, C, h, w), float32, and the model's output that says so to the scheduler, at a noise level."""

    output: Tensor
    x0: Tensor
    level: NoiseLevel

    def moved(self, scheduler: Any, x0: Tensor) -> Prediction:
        """The one that says another x0."""
        return replace(self, output=output_for(scheduler, self.level, self.output, x0 - self.x0), x0=x0)


@dataclass(frozen=True, eq=False)
class Predictor:
    """A denoiser for B pictures and, where there are some, their regions, which draw in its place in the share
    `regions_to` of the scheduler's `steps`: in the share `blank_to` with all else blank. `source`: pictures that the
    run began with.
    """

    denoiser: Denoiser
    steps: int
    regions: Regions | None = None
    regions_to: float = 0.0
    blank_to: float = 0.0
    source: Source | None = None

    def repeated(self, times: int) -> Predictor:
        """Returns this predictor for the B pictures `times` times over."""
        regions = None if self.regions is None else self.regions.repeated(times)
        source = None if self.source is None else self.source.repeated(times)
        return replace(self, denoiser=self.denoiser.repeated(times), regions=regions, source=source)

    def held(self, x0: Tensor) -> Tensor:
        """x0 (B, C, h, w) with what is to stay of the pictures that the run began with."""
        return x0 if self.source is None else self.source.held(x0)

    def __call__(self, scheduler: Any, latents: Tensor, timestep: Tensor, index: int) -> Prediction:
        """For latents (B, C, h, w) at step `index`."""
        level = noise_level(scheduler, timestep)
        regions = self.regions if index / self.steps < self.regions_to else None
        output = (self.denoiser if regions is None else regions.rest)(scheduler, latents, timestep)
        found = Prediction(output, predicted_x0(scheduler, level, latents, output), level)
        x0 = found.x0
        if regions is not None:
            blank = index / self.steps < self.blank_to
            x0 = regions.fused(scheduler, level, latents, timestep, self.held(x0), blank)
        x0 = self.held(x0)
        return found if x0 is found.x0 else found.moved(scheduler, x0)


def predictor(
    pipe: Any,
    prompts: Sequence[str],
    layouts: Sequence[Layout],
    sampling: Sampling,
    steps: int,
    grid: tuple[int, int],
    source: Source | None = None,
) -> Predictor:
    """For a pipeline, B prompts and their layouts, if they have any: with regions where the settings ask for them.
    `steps`: of the scheduler. `grid`: (h, w) of the latents. `source`: pictures that they begin with, if any.
    """
    prompted = denoiser(pipe, prompts, sampling)
    if not (sampling.weight and sampling.regions_to and layouts):
        return Predictor(prompted, steps, source=source)
    places = regions(pipe, layouts, prompted, sampling, grid)
    return Predictor(prompted, steps, places, sampling.regions_to, sampling.blank_to, source)
