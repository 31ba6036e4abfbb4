"""edit(): a picture changed until it shows what a prompt says, step by step, with the words that count in mind.

Paiss, Chefer, Wolf, "No Token Left Behind", ECCV 2022 (arXiv 2204.04908), section on editing: the latents of a picture
are moved by the gradient of CLIP's similarity and of the relevance of chosen words. That is the way "latents". In the
way "diffusion" a diffusion model draws the change, as in Meng et al., "SDEdit", ICLR 2022 (arXiv 2108.01073), and the
same objective chooses among its noises and pulls what it predicts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from explain.clip import Clip
from guidance.automask import change_mask
from guidance.boxes import Box, Layout, targets
from guidance.canvas import Canvas, read_picture, within_box, within_cells
from guidance.diffusion import LatentDiffusion
from guidance.edit_settings import WAYS, EditSettings, find_edit
from guidance.entries import choice, shown, text
from guidance.generate import Heard, as_picture
from guidance.generators import Generator, Process
from guidance.inversion import inverted_noise
from guidance.latents import LatentProcess
from guidance.memory import diffusion_advice, latents_advice, within_memory
from guidance.places import MAX_PROMPT
from guidance.sampling import check_pictures, check_size
from guidance.source import Source
from guidance.text_objective import TextObjective, TextReading
from guidance.ways import Ways
from guidance.words import Chosen


@dataclass(frozen=True, eq=False)
class EditStep:
    """A step of an edit, for people. Holds no tensor.

    `index` counts from 0 to `total`; the step `total` is the finished picture. `losses`: the total and its parts by
    name, empty where nothing guided the step. `image`: what the picture is going to be, at the generator's size.
    `reading`: its similarity to the prompt, and what it makes of every word. `skipped`: the gradient was no number, so
    the picture was not moved. `place` (H, W) in [0, 1]: where the picture may change; None: everywhere.
    """

    index: int
    total: int
    losses: Mapping[str, float]
    image: Image.Image
    reading: TextReading
    skipped: bool = False
    place: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        return self.index == self.total


def edit(
    generator: Generator,
    clip: Clip,
    picture: Image.Image,
    prompt: str,
    words: Chosen = (),
    seed: int = 0,
    settings: EditSettings | None = None,
    box: Box | None = None,
    caption: str = "",
    ways: Ways | None = None,
) -> Iterator[EditStep]:
    """Change a picture to show what a prompt says, yielding every step. The same seed makes the same picture.

    `prompt`: the wanted picture, all of it. `words`: those of it that must count, see `words.read_prompt`. `box`: the
    change stays within; its phrase says what is to be there. `caption`: what the picture shows now, which tells the
    model what need not change. `ways`: shared by edits that differ in their objective alone. Close the generator to
    stop: all state goes with it. ValueError, before the first step, for what cannot be done;
    `memory.GenerationOutOfMemory` where the memory does not suffice.
    """
    settings = settings or find_edit(generator)
    choice("way", settings.way, WAYS if isinstance(generator, LatentDiffusion) else ("latents",))
    if box is not None and not isinstance(box, Box):
        raise ValueError(f"the box is {shown(box)}; allowed: a Box, or none")
    caption = text("the caption", caption, MAX_PROMPT, empty=True)
    objective = TextObjective(clip, [prompt], [words], [seed], settings.objective)
    prompt = objective.prompts[0].text
    check_pictures([prompt], [seed])
    size = check_size(settings.sampling.size or generator.size, _grid(generator))
    canvas = read_picture(picture, size)
    begin = partial(_process, generator, canvas, prompt, seed, settings, box, caption, ways)
    canvas, process = within_memory(begin, lambda: None, partial(_advice, generator, settings, size))
    return _steps(process, Heard(objective), canvas, (*objective.notes, *canvas.notes))


def finished(steps: Iterator[EditStep]) -> EditStep:
    """The last of an edit's steps."""
    for step in steps:
        last = step
    return last


def _grid(generator: Any) -> int:
    return generator.grid


def _process(
    generator: Any,
    canvas: Canvas,
    prompt: str,
    seed: int,
    settings: EditSettings,
    box: Box | None,
    caption: str,
    ways: Ways | None,
) -> tuple[Canvas, Process]:
    """The picture with the place where it may change, and its process, which has not begun."""
    latents = generator.latents(canvas.image)
    if box is not None:
        canvas = within_box(canvas, box, generator.grid, settings.edge)
    elif settings.way == "diffusion" and settings.where == "auto":
        cells = change_mask(generator.pipe, latents, prompt, caption, seed, settings.threshold)
        canvas = within_cells(canvas, cells, settings.edge)
    masks = None if canvas.cells is None else canvas.cells.to(latents.device)
    sampling = replace(settings.sampling, size=canvas.size)
    if settings.way == "latents":
        start, rate, weight = latents.float().clone(), sampling.learning_rate, settings.source_weight
        span = getattr(generator, "code_span", None)
        return canvas, LatentProcess(generator, [start], sampling.steps, rate, True, weight, masks, span)
    if box is None and settings.away and not sampling.negative_prompt and generator.leads_away(sampling):
        sampling = replace(sampling, negative_prompt=caption)
    source = Source(latents, settings.strength, masks)
    if settings.begin == "inversion":
        begun = source.left_out(sampling.steps)
        noise = inverted_noise(generator.pipe, latents, [caption], sampling.steps, begun)
        source = replace(source, noise=noise)
    layouts = [] if box is None else [Layout(prompt, targets([box]))]
    return canvas, generator.begin([prompt], [seed], sampling, layouts, ways, source)


def _steps(process: Process, heard: Heard, canvas: Canvas, notes: tuple[str, ...]) -> Iterator[EditStep]:
    """No `with` and no grad mode is open across a yield: each may be resumed on another thread."""
    for _ in range(process.total):
        yield _step(process, heard, canvas, notes)
    images = canvas.composed(process.finish())
    reading = heard.objective.read(images)[0]
    yield EditStep(
        process.total, process.total, {}, as_picture(images[0]), reading, place=canvas.place, notes=notes
    )


def _step(process: Process, heard: Heard, canvas: Canvas, notes: tuple[str, ...]) -> EditStep:
    advance = process.advance(heard)
    losses = heard.losses()  # asked for in any case: what was said is said of this step
    if advance.losses is None:
        losses = {}
    elif isinstance(process, LatentProcess):  # what the distance to the picture adds
        total = float(advance.losses[0])
        losses |= {"source": total - losses["total"], "total": total}
    images = canvas.composed(advance.preview)
    reading = heard.objective.read(images)[0]
    skipped = bool(advance.skipped[0])
    return EditStep(
        advance.index, advance.total, losses, as_picture(images[0]), reading, skipped, canvas.place, notes
    )


def _advice(generator: Any, settings: EditSettings, size: tuple[int, int]) -> str:
    if settings.way == "latents":
        return latents_advice(1, size, generator.grid)
    sampling, preview = settings.sampling, generator.preview is not None
    return diffusion_advice(1, size, generator.grid, sampling.mode, preview, sampling.candidates)
