"""Where generators live, as device.py decides: opened on first use, one at a time, for they are large. The GPU of a
ZeroGPU Space is lent for a run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

from ui import device

if TYPE_CHECKING:
    from guidance.catalogue import Entry
    from guidance.generate import Step
    from guidance.generators import Generator
    from guidance.records import Recipe

DEFAULT_GENERATOR = os.environ.get("TOKENLIGHT_GENERATOR", "").strip() or "toy-sd"

if device.ZERO_GPU:
    import spaces


def check(generator: str) -> None:
    """ValueError for an unknown generator."""
    from guidance.catalogue import find

    find(generator)


def unavailable(entry: Entry) -> str | None:
    """Why nobody can have this generator here and now, in a few words; None if they can."""
    from explain.loading import find_device
    from guidance.catalogue import available

    if entry.local:
        return None if available(entry) is None else "missing from this copy"
    if not device.ZERO_GPU and find_device(device.DEVICE).type == "cpu":
        return "needs a GPU"
    return None if available(entry) is None else "cannot be downloaded now"


def fetch(generator: str, progress: device.Progress | None = None) -> None:
    """Makes sure that a generator's files are on this machine. ValueError for one that cannot be had now."""
    from guidance.loading import fetch as fetch_files

    fetch_files(generator, progress)


def generate(recipe: Recipe) -> Iterator[tuple[bool, Step]]:
    """A run, step by step: (True, step) of the guided picture; then, where the generator makes pictures alone, and no
    words are rescued, (False, step) of the finished picture that the same seed gives without guidance.

    Both of recipe's models are on this machine already. ValueError for what cannot be done, also for want of memory.
    """
    yield from _generate_there(recipe) if device.ZERO_GPU else _generate(recipe)


def _generate(recipe: Recipe) -> Iterator[tuple[bool, Step]]:
    from guidance.generate import finished_alone
    from guidance.generate import generate as run
    from guidance.memory import GenerationOutOfMemory
    from guidance.objective import BoxObjective
    from guidance.rescue import BoxesAndWords

    generator, clip = _open(recipe.generator), device.load_model(recipe.clip)
    layout, seed, sampling = recipe.layout, recipe.seed, recipe.preset.sampling
    asked = recipe.preset.objective
    try:
        judge = BoxObjective(clip, [layout], [seed], asked)  # for both: texts are read once
        if recipe.words:
            judge = BoxesAndWords(clip, layout, recipe.words, seed, asked)
        for step in run(generator, clip, layout, seed, sampling, judge):
            yield True, step
        if generator.kind == "diffusion" and not recipe.words:
            yield False, finished_alone(generator, clip, layout, seed, sampling, judge)
    except GenerationOutOfMemory as error:
        raise ValueError(str(error)) from error


def warm(generator: str, clip: str) -> None:
    """Opens what a visitor is about to ask for, so that the first picture comes sooner. Only where no generator is open
    yet, and for files that are here. What is wrong is said when somebody asks.
    """
    from guidance.catalogue import find

    with suppress(ValueError):
        entry = find(generator)
        if not device.ZERO_GPU and not _open.cache_info().currsize and unavailable(entry) is None:
            _open(entry.name)
            device.load_model(clip or entry.guide)


@lru_cache(maxsize=1)  # only whoever holds the models' lane comes here
def _open(name: str) -> Generator:
    from guidance.catalogue import find
    from guidance.loading import open_generator

    return open_generator(find(name).name, "cuda" if device.ZERO_GPU else device.DEVICE, download=False)


def _seconds(recipe: Recipe) -> int:
    """How long ZeroGPU should lend the GPU: loading, half a second a step, and what candidates ask of the generator,
    once for the prompt and once for each thing.
    """
    from guidance.catalogue import find

    entry, sampling = find(recipe.generator), recipe.preset.sampling
    tried = sampling.candidates if sampling.candidates > 1 else 0
    asked = tried * sampling.judged_at * sampling.steps * (1 + len(recipe.layout.targets))
    return min(180, 15 + entry.megabytes // 200 + int(sampling.steps / 2 + asked / 25))


if device.ZERO_GPU:
    _generate_there = spaces.GPU(duration=_seconds)(_generate)
