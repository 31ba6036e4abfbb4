"""The loop of latent diffusion: a step is a forward pass, a guide's pull on it, and the scheduler's step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import torch
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from guidance.generators.base import Advance, Guide, TargetGuide
from guidance.generators.decoding import checkpointed, decoded, noise_like
from guidance.generators.diffusion.candidates import Search, walk
from guidance.generators.diffusion.predictor import predictor
from guidance.generators.diffusion.regions import place_masks
from guidance.generators.diffusion.schedulers import (
    attempt,
    fresh_scheduler,
    noise_level,
    renoised,
    step_with,
    timesteps_from,
)
from guidance.generators.diffusion.source import Source
from guidance.generators.gradients import Descent, descend
from guidance.generators.memory import Result, diffusion_advice, within_memory
from guidance.generators.run_cache import Ways
from guidance.generators.sampling import Sampling, check_size
from guidance.layout.places import Layout
from guidance.seeding import generator_of

# Mixed into a seed: going back in time draws from noise of its own, and so do candidates.
TRAVEL, CANDIDATES = 0x7472_6176_656C, 0x6F74_6865_7273


class Pipeline(Protocol):
    """Part of `LatentDiffusion` that a process needs."""

    pipe: Any
    preview: Any

    @property
    def decoder(self) -> Any: ...

    @property
    def grid(self) -> int: ...

    @property
    def size(self) -> tuple[int, int]: ...


class DiffusionProcess:
    """B pictures on their way through `model`, each with noise of its own seed. See `generators.Process`.

    The first steps try the candidates, if there are several; the others are the scheduler's. `ways`: where they came
    to, if another run of the same pictures has found out, and for the next one. `source`: what they begin with, of the
    size of the sampling.
    """

    def __init__(
        self,
        model: Pipeline,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling,
        layouts: Sequence[Layout] = (),
        ways: Ways | None = None,
        source: Source | None = None,
    ) -> None:
        self._model, self._sampling, self._source = model, sampling, source
        self._size = check_size(model.size if sampling.size is None else sampling.size, model.grid)
        height, width = (side // model.grid for side in self._size)
        self._grid = height, width
        device = model.pipe._execution_device
        self._scheduler = fresh_scheduler(model.pipe.scheduler, sampling.steps, device)
        steps = len(self._scheduler.timesteps)
        self._predictor = predictor(model.pipe, prompts, layouts, sampling, steps, self._grid, source)
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._travel = [torch.Generator().manual_seed(seed ^ TRAVEL) for seed in seeds]
        self._begun = 0 if source is None else source.left_out(sampling.steps)
        self._latents: Tensor | None = self._noise(self._generators, None if source is None else source.noise)
        self._search: Search | None = None
        self._ways = Ways() if ways is None else ways
        self._rounds, self._walked, self._index, self._seeds = 0, self._begun, 0, tuple(seeds)
        if sampling.acts and sampling.candidates > 1:
            places = [place_masks(layout, self._grid) for layout in layouts]
            self._search = Search(len(seeds), sampling.candidates, places)
            self._rounds = len(self._search.rounds)
            left = steps - self._begun
            self._walked += max(1, min(left - 1, round(sampling.judged_at * left)))
            times = self._scheduler.timesteps.tolist()
            if times[self._walked : self._walked + 1] == [times[self._begun]]:
                self._walked += 1  # PNDM has its second timestep twice
        self._timesteps = timesteps_from(self._scheduler, self._walked)

    @property
    def total(self) -> int:
        """The rounds in which candidates are tried, and the scheduler's timesteps after those that they went: PNDM has
        one more than `Sampling.steps`.
        """
        return self._rounds + len(self._timesteps)

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
        if self._search is None:
            return self._within_memory(lambda: self._advance(guide))
        if guide is None:
            count = self._sampling.candidates
            raise ValueError(f"candidates is {count}; allowed without a guide to choose: 1")
        return self._within_memory(lambda: self._try(guide))

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
    def _try(self, guide: Guide) -> Advance:
        """Some candidates go a share of the way, without a pull. The last round's end is where the run goes on."""
        search = self._search
        assert search is not None
        for latents, x0 in self._ways.of(search.rounds[0], self._walk):
            images = decoded(self._model.decoder, x0)
            if search.places and isinstance(guide, TargetGuide):
                search.tried(latents, images, guide.of_targets(images), of_places=True)
            else:
                search.tried(latents, images, guide(images, 0)[:, None], of_places=False)
        self._index += 1
        if not search.rounds:
            self._latents, self._search, self._ways = search.latents, None, Ways()
        unmoved = torch.zeros(len(self._seeds), dtype=torch.bool, device=search.images.device)
        return Advance(self._index - 1, self.total, search.images, None, unmoved)

    @torch.no_grad()
    def _advance(self, guide: Guide | None) -> Advance:
        place, sampling, scheduler = self._index - self._rounds, self._sampling, self._scheduler
        index = len(scheduler.timesteps) - len(self._timesteps) + place
        if not sampling.guides(index, len(scheduler.timesteps)):
            guide = None
        timestep, *after = self._timesteps[place:]
        number = index * sampling.inner_steps * (1 + sampling.time_travel)
        latents, skipped = self._latents, []
        for _ in range(0 if guide is None or not after or not sampling.weight else sampling.time_travel):
            back = self._there_and_back(latents, timestep, after[0], guide, index, number)
            latents, number = back.latents, number + sampling.inner_steps
            skipped.append(back.skipped)
        step = self._step(scheduler, latents, timestep, guide, index, number, self._generators)
        self._latents = step.latents
        self._index += 1
        skipped.append(step.skipped)
        return Advance(self._index - 1, self.total, step.images, step.losses, torch.stack(skipped).any(0))

    def _walk(self, numbers: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
        """Where the candidates of these numbers come to, see `candidates.walk`. Number 0 has the seeds' own noise."""
        draws = [[generator_of(seed, number, CANDIDATES) for seed in self._seeds] for number in numbers]
        noises = [
            self._noise(each) if number else self._latents
            for number, each in zip(numbers, draws, strict=True)
        ]
        steps = enumerate(timesteps_from(self._scheduler, self._begun, self._walked), start=self._begun)
        return walk(self._predictor, attempt(self._scheduler), noises, draws, steps)

    def _noise(self, generators: list[torch.Generator], given: Tensor | None = None) -> Tensor:
        """Returns the initial latents (B, C, h, w) of a run: noise, drawn where none is given, and in it the source."""
        model, embeddings = self._model, self._predictor.denoiser.embeddings
        shape, like = (len(generators), model.pipe.unet.config.in_channels, *self._grid), embeddings
        noise = given
        if noise is None:
            noise = randn_tensor(shape, generator=generators, device=like.device, dtype=like.dtype)
        if self._source is None:
            return noise * self._scheduler.init_noise_sigma
        return self._source.noisy(self._scheduler, noise.to(like), self._scheduler.timesteps[self._begun])

    def _there_and_back(
        self,
        latents: Tensor,
        timestep: Tensor,
        next_one: Tensor,
        guide: Guide | None,
        index: int,
        number: int,
    ) -> Descent:
        """A step, and the noise that takes it back to where it began: other latents of the same noise level."""
        scheduler = attempt(self._scheduler)
        before = noise_level(scheduler, timestep)
        step = self._step(scheduler, latents, timestep, guide, index, number, self._travel)
        after = noise_level(scheduler, next_one)
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
            prediction = prediction.moved(scheduler, predict.held(found.latents))
        latents = step_with(scheduler, prediction.output, timestep, latents, generators)
        if found is not None:
            return replace(found, latents=latents)
        unmoved = torch.zeros(len(latents), dtype=torch.bool, device=latents.device)
        return Descent(latents, decoded(decoder, prediction.x0), None, unmoved)

    def _within_memory(self, run: Callable[[], Result]) -> Result:
        model, sampling, count = self._model, self._sampling, len(self._generators)
        preview = model.preview is not None
        advice = partial(
            diffusion_advice, count, self._size, model.grid, sampling.mode, preview, sampling.candidates
        )
        return within_memory(run, self._free, advice)

    def _free(self) -> None:
        self._latents, self._search, self._ways = None, None, Ways()
