"""Where generators live, as device.py decides: opened on first use, one at a time, for they are large. The GPU of a
ZeroGPU Space is lent for a run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ui.models import device

if TYPE_CHECKING:
    from PIL import Image

    from explain.clip.model import Clip
    from guidance.editing.edit import EditStep
    from guidance.editing.start import Editor
    from guidance.generating import Step
    from guidance.generators.catalogue import Entry
    from guidance.records import EditRecipe, Recipe

DEFAULT_GENERATOR = os.environ.get("TOKENLIGHT_GENERATOR", "").strip() or "toy-sd"


def check(generator: str) -> None:
    """ValueError for an unknown generator."""
    from guidance.generators.catalogue import find

    find(generator)


def unavailable(entry: Entry) -> str | None:
    """Why nobody can have this generator here and now, in a few words; None if they can."""
    from explain.clip.loading import find_device
    from guidance.generators.catalogue import available

    if entry.local:
        return None if available(entry) is None else "missing from this copy"
    if not device.ZERO_GPU and find_device(device.DEVICE).type == "cpu":
        return "needs a GPU"
    return None if available(entry) is None else "cannot be downloaded now"


def fetch(generator: str, progress: device.Progress | None = None) -> None:
    """Makes sure that a generator's files are on this machine. ValueError for one that cannot be had now."""
    from guidance.generators.loading import fetch as fetch_files

    fetch_files(generator, progress)


def _seconds(recipe: Recipe) -> int:
    """How long ZeroGPU should lend the GPU: loading, half a second a step, and what candidates ask of the generator,
    once for the prompt and once for each thing.
    """
    from guidance.generators.catalogue import find

    entry, sampling = find(recipe.generator), recipe.preset.sampling
    tried = sampling.candidates if sampling.candidates > 1 else 0
    asked = tried * sampling.judged_at * sampling.steps * (1 + len(recipe.layout.targets))
    return min(180, 15 + entry.megabytes // 200 + int(sampling.steps / 2 + asked / 25))


@device.lent(_seconds)
def generate(recipe: Recipe) -> Iterator[tuple[bool, Step]]:
    """A run, step by step: (True, step) of the guided picture; then, where the generator makes pictures alone, and no
    words are rescued, (False, step) of the finished picture that the same seed gives without guidance.

    Both of recipe's models are on this machine already. ValueError for what cannot be done, also for want of memory.
    """
    from guidance.generating import finished_alone
    from guidance.generating import generate as run
    from guidance.generators.memory import GenerationOutOfMemory
    from guidance.objectives.boxes import BoxObjective
    from guidance.rescuing import BoxesAndWords

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


def _edit_seconds(recipe: EditRecipe, picture: Image.Image, compare: bool) -> int:
    """Returns the seconds of GPU to lend for an edit: half a second a step, twice if compared, and for candidates."""
    from guidance.generators.catalogue import find

    sampling = recipe.settings.sampling
    tried = sampling.candidates if sampling.candidates > 1 else 0
    seconds = (1 + compare) * sampling.steps / 2 + tried * sampling.steps / 25
    return min(180, 20 + find(recipe.generator).megabytes // 200 + int(seconds))


@device.lent(_edit_seconds)
def edit(recipe: EditRecipe, picture: Image.Image, compare: bool) -> Iterator[tuple[str, EditStep]]:
    """An edit, step by step: ("before", step) is the picture as it was, as an edit of no steps; then ("edit", step);
    and, with `compare` and where words count, ("without", step): what comes of the same seed if none do.

    Both of recipe's models are on this machine already. ValueError for what cannot be done, also for want of memory.
    """
    from guidance.editing.edit import edit as run
    from guidance.editing.edit import finished
    from guidance.generators.memory import GenerationOutOfMemory
    from guidance.generators.run_cache import Ways

    generator, clip = _open(recipe.generator), device.load_model(recipe.clip)
    given = (generator, clip, picture, recipe.prompt, recipe.words, recipe.seed)
    settings, ways = recipe.settings, Ways()  # the noises that are tried are the same for both
    bare = replace(settings, objective=replace(settings.objective, weight=0.0))
    try:
        steps = run(*given, settings, recipe.box, recipe.caption, ways)
        yield "before", _unchanged(recipe, generator, clip, picture)
        for step in steps:
            yield "edit", step
        if compare and settings.objective.weight and any(recipe.words.values()):
            yield "without", finished(run(*given, bare, recipe.box, recipe.caption, ways))
    except GenerationOutOfMemory as error:
        raise ValueError(str(error)) from error


def _unchanged(recipe: EditRecipe, generator: Editor, clip: Clip, picture: Image.Image) -> EditStep:
    """The picture at the size at which it is edited, and what the guiding model makes of the prompt in it."""
    from guidance.editing.canvas import read_picture
    from guidance.editing.edit import EditStep
    from guidance.objectives.guide import as_picture
    from guidance.objectives.words import read_words

    settings = recipe.settings
    images = read_picture(picture, settings.sampling.size or generator.size).image
    (reading,) = read_words(clip, images, [recipe.prompt], [recipe.words], settings.objective.form)
    return EditStep(0, 0, {}, as_picture(images[0]), reading)


def warm(generator: str, clip: str) -> None:
    """Opens what a visitor is about to ask for, so that the first picture comes sooner. Only where no generator is open
    yet, and for files that are here. What is wrong is said when somebody asks.
    """
    from guidance.generators.catalogue import find

    with suppress(ValueError):
        entry = find(generator)
        if not device.ZERO_GPU and not _open.cache_info().currsize and unavailable(entry) is None:
            _open(entry.name)
            device.load_model(clip or entry.guide)


@lru_cache(maxsize=1)  # only whoever holds the models' lane comes here
def _open(name: str) -> Editor:
    from guidance.generators.catalogue import find
    from guidance.generators.loading import open_generator

    return open_generator(find(name).name, "cuda" if device.ZERO_GPU else device.DEVICE, download=False)
