"""The loop of latent diffusion: a step is a forward pass, a guide's pull on it, and the scheduler's step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from guidance.decoding import checkpointed, decoded, noise_like
from guidance.denoising import denoiser
from guidance.generators import Advance, Guide
from guidance.gradients import Descent, descend
from guidance.memory import Result, diffusion_advice, within_memory
from guidance.prediction import (
    attempt,
    fresh_scheduler,
    noise_level,
    output_for,
    predicted_x0,
    renoised,
    step_with,
)
from guidance.sampling import Sampling, check_size

if TYPE_CHECKING:
    from guidance.diffusion import LatentDiffusion

# Mixed into a seed: going back in time draws from noise of its own, and so do candidates.
TRAVEL, CANDIDATES = 0x7472_6176_656C, 0x6F74_6865_7273
PROMISE = 0.25  # of the steps: where candidates are judged
TOGETHER = 8  # pictures that candidates are tried of at once: small batches are slow, large ones take memory


class DiffusionProcess:
    """B pictures on their way through `model`, each with noise of its own seed. See `generators.Process`."""

    def __init__(
        self, model: LatentDiffusion, prompts: Sequence[str], seeds: Sequence[int], sampling: Sampling
    ) -> None:
        self._model, self._sampling = model, sampling
        self._size = check_size(model.size if sampling.size is None else sampling.size, model.grid)
        device = model.pipe._execution_device
        self._scheduler = fresh_scheduler(model.pipe.scheduler, sampling.steps, device)
        self._denoiser = denoiser(model.pipe, prompts, sampling)
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._travel = [torch.Generator().manual_seed(seed ^ TRAVEL) for seed in seeds]
        self._others = [torch.Generator().manual_seed(seed ^ CANDIDATES) for seed in seeds]
        self._latents: Tensor | None = self._noise(self._generators)
        self._index = 0

    @property
    def total(self) -> int:
        """The scheduler's timesteps: PNDM has one more than `Sampling.steps`."""
        return len(self._scheduler.timesteps)

    @property
    def latents(self) -> Tensor | None:
        """The noisy latents (B, C, h, w) as they stand; None after memory ran out."""
        return self._latents

    def advance(self, guide: Guide | None = None) -> Advance:
        """One step, guided where the settings say so. RuntimeError after the last."""
        if self._latents is None:
            raise RuntimeError("this run ended when memory ran out")
        if self._index == self.total:
            raise RuntimeError(f"all {self.total} steps of this run are done")
        return self._within_memory(lambda: self._advance(guide))

    def finish(self) -> Tensor:
        """The pictures (B, 3, H, W), float32 in [0, 1], by the pipeline's own decoder."""
        if self._latents is None or self._index < self.total:
            raise RuntimeError(f"{self._index} of {self.total} steps are done; allowed: all")
        return self._within_memory(self._finish)

    @torch.no_grad()
    def _finish(self) -> Tensor:
        images = decoded(self._model.pipe.vae, self._latents)
        self._model.pipe.maybe_free_model_hooks()
        return images

    @torch.no_grad()
    def _advance(self, guide: Guide | None) -> Advance:
        index, sampling = self._index, self._sampling
        if index == 0 and guide is not None and self._chooses:
            self._latents = self._most_promising(self._latents, guide)
        if not sampling.guides(index, self.total):
            guide = None
        timestep = self._scheduler.timesteps[index]
        number = index * sampling.inner_steps * (1 + sampling.time_travel)
        latents, skipped = self._latents, []
        last = index + 1 == self.total
        for _ in range(0 if guide is None or last or not sampling.weight else sampling.time_travel):
            back = self._there_and_back(latents, timestep, guide, number)
            latents, number = back.latents, number + sampling.inner_steps
            skipped.append(back.skipped)
        step = self._step(self._scheduler, latents, timestep, guide, number, self._generators)
        self._latents, self._index = step.latents, index + 1
        skipped.append(step.skipped)
        return Advance(index, self.total, step.images, step.losses, torch.stack(skipped).any(0))

    @property
    def _chooses(self) -> bool:
        sampling = self._sampling
        return bool(sampling.mode != "off" and sampling.weight and sampling.candidates > 1)

    def _noise(self, generators: list[torch.Generator]) -> Tensor:
        """What a run begins with (B, C, h, w)."""
        model, embeddings = self._model, self._denoiser.embeddings
        sides = (side // model.grid for side in self._size)
        shape = len(generators), model.pipe.unet.config.in_channels, *sides
        noise = randn_tensor(shape, generator=generators, device=embeddings.device, dtype=embeddings.dtype)
        return noise * self._scheduler.init_noise_sigma

    def _most_promising(self, own: Tensor, guide: Guide) -> Tensor:
        """Of the seeds' own noises and the other candidates, picture by picture, what the guide says least against."""
        best, least = own, torch.full((len(own),), torch.inf)
        more, at_once = self._sampling.candidates, max(1, TOGETHER // len(own))
        noises = [own]
        while more:
            noises += [self._noise(self._others) for _ in range(min(more, at_once) - len(noises))]
            for noise, promised in zip(noises, self._promised(noises), strict=True):
                losses = guide(decoded(self._model.decoder, promised), 0).cpu()
                better = losses.isfinite() & (losses < least)
                best = torch.where(better.to(best.device).view(-1, 1, 1, 1), noise, best)
                least = torch.where(better, losses, least)
            more, noises = more - len(noises), []
        return best

    def _promised(self, noises: list[Tensor]) -> tuple[Tensor, ...]:
        """The pictures, as latents (B, C, h, w), that each noise leads to."""
        scheduler, latents = attempt(self._scheduler), torch.cat(noises)
        denoise, generators = self._denoiser.repeated(len(noises)), self._others * len(noises)
        *before, last = scheduler.timesteps[: max(1, round(PROMISE * self.total))]
        for timestep in before:
            output = denoise(scheduler, latents, timestep)
            latents = step_with(scheduler, output, timestep, latents, generators)
        level = noise_level(scheduler, last)
        x0 = predicted_x0(scheduler, level, latents, denoise(scheduler, latents, last))
        return x0.chunk(len(noises))

    def _there_and_back(self, latents: Tensor, timestep: Tensor, guide: Guide | None, number: int) -> Descent:
        """A step, and the noise that takes it back to where it began: other latents of the same noise level."""
        scheduler = attempt(self._scheduler)
        before = noise_level(scheduler, timestep)
        step = self._step(scheduler, latents, timestep, guide, number, self._travel)
        after = noise_level(scheduler, scheduler.timesteps[self._index + 1])
        return replace(step, latents=renoised(step.latents, before, after, noise_like(latents, self._travel)))

    def _step(
        self,
        scheduler: Any,
        latents: Tensor,
        timestep: Tensor,
        guide: Guide | None,
        number: int,
        generators: list[torch.Generator],
    ) -> Descent:
        """One step of `scheduler`, whose state goes on; the noise that it takes, if any, is of `generators`."""
        level = noise_level(scheduler, timestep)
        mode, decoder = self._sampling.mode, self._model.decoder
        found = None
        if guide is not None and mode == "latent":

            def look(x: Tensor) -> Tensor:
                output = self._denoiser(scheduler, x.to(latents.dtype), timestep)
                return decoded(decoder, predicted_x0(scheduler, level, x, output))

            with checkpointed(self._denoiser.unet, decoder):
                found = descend(guide, look, latents, number, self._sampling)
            latents = found.latents
        output = self._denoiser(scheduler, latents, timestep)
        x0 = predicted_x0(scheduler, level, latents, output)
        if guide is not None and mode == "x0":
            with checkpointed(decoder):
                found = descend(guide, lambda x: decoded(decoder, x), x0, number, self._sampling)
            output = output_for(scheduler, level, output, found.latents - x0)
        latents = step_with(scheduler, output, timestep, latents, generators)
        if found is not None:
            return replace(found, latents=latents)
        unmoved = torch.zeros(len(latents), dtype=torch.bool, device=latents.device)
        return Descent(latents, decoded(decoder, x0), None, unmoved)

    def _within_memory(self, run: Callable[[], Result]) -> Result:
        model, count = self._model, len(self._generators)
        advice = partial(
            diffusion_advice, count, self._size, model.grid, self._sampling.mode, model.preview is not None
        )
        return within_memory(run, self._free, advice)

    def _free(self) -> None:
        self._latents = None
