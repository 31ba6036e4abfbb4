"""The loop of latent diffusion: a step is a forward pass, a guide's pull on it, and the scheduler's step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from guidance.candidates import Search
from guidance.decoding import checkpointed, decoded, noise_like
from guidance.denoising import denoiser
from guidance.generators import Advance, Guide
from guidance.gradients import Descent, descend
from guidance.memory import Result, diffusion_advice, within_memory
from guidance.places import Layout
from guidance.prediction import attempt, fresh_scheduler, noise_level, renoised, step_with
from guidance.predictor import Predictor
from guidance.regions import regions
from guidance.sampling import Sampling, check_size

if TYPE_CHECKING:
    from guidance.diffusion import LatentDiffusion

# Mixed into a seed: going back in time draws from noise of its own, and so do candidates.
TRAVEL, CANDIDATES = 0x7472_6176_656C, 0x6F74_6865_7273


class DiffusionProcess:
    """B pictures on their way through `model`, each with noise of its own seed. See `generators.Process`.

    The first steps try the candidates, if there are several; the others are the scheduler's.
    """

    def __init__(
        self,
        model: LatentDiffusion,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling,
        layouts: Sequence[Layout] = (),
    ) -> None:
        self._model, self._sampling = model, sampling
        self._size = check_size(model.size if sampling.size is None else sampling.size, model.grid)
        device = model.pipe._execution_device
        self._scheduler = fresh_scheduler(model.pipe.scheduler, sampling.steps, device)
        self._predictor = self._made_predictor(prompts, layouts)
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._travel = [torch.Generator().manual_seed(seed ^ TRAVEL) for seed in seeds]
        self._others = [torch.Generator().manual_seed(seed ^ CANDIDATES) for seed in seeds]
        self._latents: Tensor | None = self._noise(self._generators)
        self._search: Search | None = Search(self._latents, sampling.candidates if sampling.acts else 1)
        self._tries, self._index = self._search.rounds, 0

    @property
    def total(self) -> int:
        """How often candidates are tried, and the scheduler's timesteps: PNDM has one more than `Sampling.steps`."""
        return self._tries + len(self._scheduler.timesteps)

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
        if self._index < self._tries:
            if guide is None:
                raise ValueError(
                    f"candidates is {self._sampling.candidates}; allowed without a guide to choose: 1"
                )
            return self._within_memory(lambda: self._try(self._search, guide))
        self._search = None
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
    def _try(self, search: Search, guide: Guide) -> Advance:
        """Some candidates: each goes a share of its way without a pull, and the guide judges what it leads to."""
        noises = search.drawn(lambda: self._noise(self._others))
        images = [decoded(self._model.decoder, x0) for x0 in self._promised(noises)]
        preview = search.judged(noises, images, guide)
        self._latents = search.best
        self._index += 1
        unmoved = torch.zeros(len(preview), dtype=torch.bool, device=preview.device)
        return Advance(self._index - 1, self.total, preview, None, unmoved)

    @torch.no_grad()
    def _advance(self, guide: Guide | None) -> Advance:
        index, sampling, scheduler = self._index - self._tries, self._sampling, self._scheduler
        if not sampling.guides(index, len(scheduler.timesteps)):
            guide = None
        timestep = scheduler.timesteps[index]
        number = index * sampling.inner_steps * (1 + sampling.time_travel)
        latents, skipped = self._latents, []
        last = index + 1 == len(scheduler.timesteps)
        for _ in range(0 if guide is None or last or not sampling.weight else sampling.time_travel):
            back = self._there_and_back(latents, timestep, guide, index, number)
            latents, number = back.latents, number + sampling.inner_steps
            skipped.append(back.skipped)
        step = self._step(scheduler, latents, timestep, guide, index, number, self._generators)
        self._latents = step.latents
        self._index += 1
        skipped.append(step.skipped)
        return Advance(self._index - 1, self.total, step.images, step.losses, torch.stack(skipped).any(0))

    def _made_predictor(self, prompts: Sequence[str], layouts: Sequence[Layout]) -> Predictor:
        model, sampling, steps = self._model, self._sampling, len(self._scheduler.timesteps)
        asked = denoiser(model.pipe, prompts, sampling)
        if not (sampling.acts and sampling.regions_to and layouts):
            return Predictor(asked)
        height, width = (side // model.grid for side in self._size)
        places = regions(model.pipe, layouts, sampling, (height, width))
        return Predictor(
            asked, places, *(round(to * steps) for to in (sampling.regions_to, sampling.blank_to))
        )

    def _noise(self, generators: list[torch.Generator]) -> Tensor:
        """What a run begins with (B, C, h, w)."""
        model, embeddings = self._model, self._predictor.denoiser.embeddings
        sides = (side // model.grid for side in self._size)
        shape = len(generators), model.pipe.unet.config.in_channels, *sides
        noise = randn_tensor(shape, generator=generators, device=embeddings.device, dtype=embeddings.dtype)
        return noise * self._scheduler.init_noise_sigma

    def _promised(self, noises: list[Tensor]) -> tuple[Tensor, ...]:
        """The pictures, as latents (B, C, h, w), that each noise leads to."""
        scheduler, latents = attempt(self._scheduler), torch.cat(noises)
        predict, generators = self._predictor.repeated(len(noises)), self._others * len(noises)
        steps = max(1, round(self._sampling.judged_at * len(scheduler.timesteps)))
        for index, timestep in enumerate(scheduler.timesteps[: steps - 1]):
            output = predict(scheduler, latents, timestep, index).output
            latents = step_with(scheduler, output, timestep, latents, generators)
        return predict(scheduler, latents, scheduler.timesteps[steps - 1], steps - 1).x0.chunk(len(noises))

    def _there_and_back(
        self, latents: Tensor, timestep: Tensor, guide: Guide | None, index: int, number: int
    ) -> Descent:
        """A step, and the noise that takes it back to where it began: other latents of the same noise level."""
        scheduler = attempt(self._scheduler)
        before = noise_level(scheduler, timestep)
        step = self._step(scheduler, latents, timestep, guide, index, number, self._travel)
        after = noise_level(scheduler, scheduler.timesteps[index + 1])
        return replace(step, latents=renoised(step.latents, before, after, noise_like(latents, self._travel)))

    def _step(
        self,
        scheduler: Any,
        latents: Tensor,
        timestep: Tensor,
        guide: Guide | None,
        index: int,
        number: int,
        generators: list[torch.Generator],
    ) -> Descent:
        """One step of `scheduler`, whose state goes on; the noise that it takes, if any, is of `generators`."""
        mode, decoder, predict = self._sampling.mode, self._model.decoder, self._predictor
        found = None
        if guide is not None and mode == "latent":

            def look(x: Tensor) -> Tensor:
                return decoded(decoder, predict(scheduler, x.to(latents.dtype), timestep, index).x0)

            with checkpointed(predict.denoiser.unet, decoder):
                found = descend(guide, look, latents, number, self._sampling)
            latents = found.latents
        prediction = predict(scheduler, latents, timestep, index)
        if guide is not None and mode == "x0":
            with checkpointed(decoder):
                found = descend(guide, lambda x: decoded(decoder, x), prediction.x0, number, self._sampling)
            prediction = prediction.moved(scheduler, found.latents)
        latents = step_with(scheduler, prediction.output, timestep, latents, generators)
        if found is not None:
            return replace(found, latents=latents)
        unmoved = torch.zeros(len(latents), dtype=torch.bool, device=latents.device)
        return Descent(latents, decoded(decoder, prediction.x0), None, unmoved)

    def _within_memory(self, run: Callable[[], Result]) -> Result:
        model, count = self._model, len(self._generators)
        advice = partial(
            diffusion_advice, count, self._size, model.grid, self._sampling.mode, model.preview is not None
        )
        return within_memory(run, self._free, advice)

    def _free(self) -> None:
        self._latents = self._search = None
