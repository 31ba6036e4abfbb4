"""Start of an edit, before its first step: it finds where the picture may change, and begins a process."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from torch import Tensor

from explain.inputs.content_words import FUNCTION_WORDS
from guidance.checks import shown
from guidance.editing.canvas import Canvas, to_cells, within_box, within_cells
from guidance.editing.settings import EditSettings
from guidance.generators.base import Process
from guidance.generators.diffusion.change_mask import change_mask
from guidance.generators.diffusion.model import LatentDiffusion
from guidance.generators.diffusion.source import Source, inverted_noise
from guidance.generators.latents import LatentProcess
from guidance.generators.memory import diffusion_advice, latents_advice
from guidance.generators.run_cache import Ways
from guidance.generators.vqgan import VQGAN
from guidance.layout.parsing import Box, Layout, targets

Editor = LatentDiffusion | VQGAN

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, eq=False)
class Asked:
    """Request to edit a picture, checked."""

    prompt: str
    caption: str
    box: Box | None
    seed: int
    settings: EditSettings

    @property
    def phrased(self) -> bool:
        """Whether the box's phrase says what of the prompt is to be there: it shares a word with it that counts."""
        if self.box is None:
            return False
        phrase, prompt = (set(_WORD.findall(each.lower())) for each in (self.box.phrase, self.prompt))
        return bool((phrase & prompt) - FUNCTION_WORDS)

    @property
    def found_out(self) -> bool:
        """Whether where to change is not said."""
        return self.box is None and (self.settings.way, self.settings.where) == ("diffusion", "auto")

    @property
    def notes(self) -> tuple[str, ...]:
        if self.found_out and not self.caption:
            return ("without a caption of what there is, the place that changes is little more than a guess",)
        if self.box is None or self.phrased or self.settings.way != "diffusion":
            return ()
        phrase = shown(self.box.phrase)
        return (f"the prompt has no word of {phrase}: what is in the box is drawn from all of the prompt",)


def begun(generator: Editor, canvas: Canvas, asked: Asked, ways: Ways | None) -> tuple[Canvas, Process]:
    """The picture with the place where it may change, and its process, of which no step is made."""
    ways, settings = ways or Ways(), asked.settings
    latents = ways.once("latents", lambda: generator.latents(canvas.image))
    if asked.box is not None:
        canvas = within_box(canvas, asked.box, generator.grid, settings.edge)
    elif asked.found_out and isinstance(generator, LatentDiffusion):
        told = (asked.prompt, asked.caption, asked.seed, settings.threshold)
        cells = ways.once("cells", lambda: change_mask(generator.pipe, latents, *told))
        canvas = within_cells(canvas, cells, settings.edge)
    masks = None if canvas.cells is None else canvas.cells.to(latents.device)
    if settings.way == "latents":
        start, steps, rate = latents.float().clone(), settings.sampling.steps, settings.sampling.learning_rate
        span = generator.code_span if isinstance(generator, VQGAN) else None
        return canvas, LatentProcess(
            generator, [start], steps, rate, True, settings.source_weight, masks, span
        )
    return canvas, _diffusion(generator, canvas.size, latents, masks, asked, ways)


def _diffusion(
    generator: LatentDiffusion,
    size: tuple[int, int],
    latents: Tensor,
    masks: Tensor | None,
    asked: Asked,
    ways: Ways,
) -> Process:
    settings, sampling = asked.settings, replace(asked.settings.sampling, size=size)
    if (
        settings.away
        and not asked.phrased
        and not sampling.negative_prompt
        and generator.leads_away(sampling)
    ):
        sampling = replace(sampling, negative_prompt=asked.caption)
    source = Source(latents, settings.strength_of(boxed=asked.box is not None), masks)
    if settings.begin == "inversion":
        left_out = source.left_out(sampling.steps)
        told = ([asked.caption], sampling.steps, left_out)
        noise = ways.once("noise", lambda: inverted_noise(generator.pipe, latents, *told))
        source = replace(source, noise=noise)
    layouts = []
    if asked.box is not None and asked.phrased:
        layouts = [Layout(asked.prompt, targets([to_cells(asked.box, size, generator.grid)]))]
    return generator.begin([asked.prompt], [asked.seed], sampling, layouts, ways, source)


def advice(generator: Editor, settings: EditSettings, size: tuple[int, int]) -> str:
    """Says what to change so that an edit fits in memory."""
    if settings.way == "latents" or not isinstance(generator, LatentDiffusion):
        return latents_advice(1, size, generator.grid)
    sampling, preview = settings.sampling, generator.preview is not None
    return diffusion_advice(1, size, generator.grid, sampling.mode, preview, sampling.candidates)
