"""generate(): a picture with every object in its box, step by step; pictures(): many at once, to be measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image
from torch import Tensor

from explain.clip.model import Clip
from guidance.generators.base import Advance, Generator, Process
from guidance.generators.run_cache import Ways
from guidance.generators.sampling import Sampling
from guidance.layout.places import Layout
from guidance.objectives.boxes import BoxObjective, ObjectiveSettings, TargetReading
from guidance.objectives.guide import Guided, as_picture


@dataclass(frozen=True, eq=False)
class Step:
    """A step of a run, for people. Holds no tensor.

    `index` counts from 0 to `total`; the step `total` is the finished picture, by the full decoder. `losses`: the total
    and its parts by name, empty where nothing guided the step. `image`: what the picture is going to be. `readings`:
    of each target similarity, D, and its map on the grid of patches. `skipped`: the gradient was no number, so the
    picture was not moved.
    """

    index: int
    total: int
    losses: Mapping[str, float]
    image: Image.Image
    readings: tuple[TargetReading, ...] = ()
    skipped: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def maps(self) -> tuple[np.ndarray, ...]:
        """The targets' maps (h, w), raw."""
        return tuple(reading.map for reading in self.readings if reading.map is not None)

    @property
    def finished(self) -> bool:
        return self.index == self.total


def generate(
    generator: Generator,
    clip: Clip,
    layout: Layout,
    seed: int = 0,
    sampling: Sampling | None = None,
    objective: ObjectiveSettings | BoxObjective | None = None,
) -> Iterator[Step]:
    """Make one picture of a layout, yielding every step. The same seed makes the same picture.

    `objective`: settings, or what was made of them for this layout and seed. Close the generator to stop: all state
    goes with it. ValueError, before the first step, for what cannot be done; `memory.GenerationOutOfMemory` where the
    memory does not suffice.
    """
    sampling = sampling or Sampling()
    guide = Guided(_objective(clip, layout, seed, objective))
    process = generator.begin([layout.prompt], [seed], sampling, [layout])
    return _steps(process, guide)


def _objective(
    clip: Clip, layout: Layout, seed: int, objective: ObjectiveSettings | BoxObjective | None
) -> BoxObjective:
    if isinstance(objective, BoxObjective):
        return objective
    return BoxObjective(clip, [layout], [seed], objective)


def _steps(process: Process, guide: Guided) -> Iterator[Step]:
    """No `with` and no grad mode is open across a yield: each may be resumed on another thread."""
    notes = guide.objective.notes
    for _ in range(process.total):
        yield _step(process.advance(guide), guide, notes)
    images = process.finish()
    yield Step(
        process.total, process.total, {}, as_picture(images[0]), guide.objective.read(images)[0], notes=notes
    )


def _step(advance: Advance, guide: Guided, notes: tuple[str, ...]) -> Step:
    readings = guide.objective.read(advance.preview)[0]
    picture = as_picture(advance.preview[0])
    losses = guide.losses()  # asked for in any case: what was said is said of this step
    return Step(
        advance.index,
        advance.total,
        {} if advance.losses is None else losses,
        picture,
        readings,
        bool(advance.skipped[0]),
        notes,
    )


def finished_alone(
    generator: Generator,
    clip: Clip,
    layout: Layout,
    seed: int = 0,
    sampling: Sampling | None = None,
    objective: ObjectiveSettings | BoxObjective | None = None,
) -> Step:
    """The last step of a run without guidance, and what the model that might have guided says of its picture."""
    sampling = (sampling or Sampling()).alone
    judge = _objective(clip, layout, seed, objective)
    images = pictures(generator, None, [layout], [seed], sampling)
    return Step(
        sampling.steps, sampling.steps, {}, as_picture(images[0]), judge.read(images)[0], notes=judge.notes
    )


def pictures(
    generator: Generator,
    clip: Clip | None,
    layouts: Sequence[Layout],
    seeds: Sequence[int],
    sampling: Sampling,
    objective: ObjectiveSettings | None = None,
    guided_by: Sequence[Layout] | None = None,
    ways: Ways | None = None,
) -> Tensor:
    """Finished pictures (B, 3, H, W) in [0, 1] of layouts, all at once: each as `generate` makes it alone.

    `clip` None: no guide. `guided_by`: layouts to go by in place of their own, for controls. `ways`: see
    `generators.Generator.begin`.
    """
    guide, places = None, guided_by or layouts
    if clip is not None and sampling.mode != "off":
        guide = Guided(BoxObjective(clip, places, seeds, objective))
    else:
        sampling = replace(sampling, mode="off")
    process = generator.begin([layout.prompt for layout in layouts], seeds, sampling, places, ways)
    for _ in range(process.total):
        process.advance(guide)
    return process.finish()
