"""edit(): a picture changed until it shows what a prompt says, step by step, with the words that count in mind.

Paiss, Chefer, Wolf, "No Token Left Behind", ECCV 2022 (arXiv 2204.04908), section on editing: the latents of a picture
are moved by the gradient of CLIP's similarity and of the relevance of chosen words. That is the way "latents". In the
way "diffusion" a diffusion model draws the change, as in Meng et al., "SDEdit", ICLR 2022 (arXiv 2108.01073), and the
same objective chooses among its noises and pulls what it predicts.

Differs from the paper: relevance of words can rise without the picture getting better. With `EditSettings.guarded` the
picture is made without it too, from the same noises, and kept where CLIP finds it more like the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from explain.clip.model import Clip
from guidance.checks import choice, shown, text
from guidance.editing.canvas import Canvas, read_picture
from guidance.editing.settings import WAYS, EditSettings, find_edit
from guidance.editing.start import Asked, Editor, advice, begun
from guidance.generators.base import Process
from guidance.generators.diffusion.model import LatentDiffusion
from guidance.generators.latents import LatentProcess
from guidance.generators.memory import within_memory
from guidance.generators.run_cache import Ways
from guidance.generators.sampling import check_size
from guidance.layout.parsing import Box
from guidance.layout.places import MAX_PROMPT
from guidance.objectives.guide import Heard, as_picture
from guidance.objectives.word_relevance import Chosen
from guidance.objectives.words import TextObjective, TextReading


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
    generator: Editor,
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
    change stays within; a phrase that has words of the prompt says what is to be there. `caption`: what the picture
    shows now, which tells the model what need not change. `ways`: shared by edits that differ in their objective alone.
    Close the generator to stop: all state goes with it. ValueError, before the first step, for what cannot be done;
    `memory.GenerationOutOfMemory` where the memory does not suffice.
    """
    settings = settings or find_edit(generator)
    choice("way", settings.way, WAYS if isinstance(generator, LatentDiffusion) else ("latents",))
    if box is not None and not isinstance(box, Box):
        raise ValueError(f"the box is {shown(box)}; allowed: a Box, or none")
    caption = text("the caption", caption, MAX_PROMPT, empty=True)
    objective = TextObjective(clip, [prompt], [words], [seed], settings.objective)
    size = check_size(settings.sampling.size or generator.size, generator.grid)
    asked = Asked(objective.prompts[0].text, caption, box, objective.seeds[0], settings)
    canvas = read_picture(picture, size)
    guarded = settings.guarded and objective.acts and settings.sampling.acts
    if guarded:
        ways = ways or Ways()
    canvas, process = within_memory(
        lambda: begun(generator, canvas, asked, ways),
        lambda: None,
        lambda: advice(generator, settings, size),
    )
    notes = (*objective.notes, *canvas.notes, *asked.notes)
    steps = _steps(process, Heard(objective), canvas, notes)
    if not guarded:
        return steps
    bare = replace(settings, guarded=False, objective=replace(settings.objective, weight=0.0))
    given = (prompt, words, seed, bare, box, caption, ways)
    return _guarded(lambda: steps, lambda: edit(generator, clip, picture, *given))


def _guarded(*runs: Callable[[], Iterator[EditStep]]) -> Iterator[EditStep]:
    """The steps of a run with the words counted and of one without, begun when the first is over, as those of one, of
    which the better picture comes out.
    """
    ends: list[EditStep] = []
    for begin in runs:
        for step in begin():
            if step.finished:
                ends.append(step)
            else:
                yield replace(step, index=len(ends) * step.total + step.index, total=2 * step.total)
    ours, theirs = ends
    likes = [end.reading.similarity for end in ends]
    kept = ours
    if likes[1] > likes[0]:
        note = (
            f"with the chosen words counted, the picture would be less like the prompt (similarity {likes[0]:.3f} in "
            f"place of {likes[1]:.3f}), so they are left out"
        )
        kept = replace(theirs, notes=(*theirs.notes, note))
    yield replace(kept, index=2 * ours.total, total=2 * ours.total)


def finished(steps: Iterator[EditStep]) -> EditStep:
    """The last of an edit's steps."""
    for step in steps:
        last = step
    return last


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
