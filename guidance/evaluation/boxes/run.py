"""Making and looking at all pictures of an evaluation, a batch at a time. Every picture is looked at once; what was
seen is kept, so that all scores are made of records alone.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from explain.clip.model import Clip
from explain.evaluation.measurement import Say
from explain.evaluation.resumable import Record, Stretches, weights_digest
from guidance.evaluation.boxes.conditions import MIRRORED, OTHERS, OWN
from guidance.evaluation.boxes.sources import Places, Source
from guidance.evaluation.boxes.witness import Witness, own_readings
from guidance.evaluation.digests import generator_digest
from guidance.evaluation.world import Drawn, Judge, World, as_layout
from guidance.generators.base import Generator
from guidance.generators.sampling import MAX_PICTURES
from guidance.layout.parsing import Layout, grid_notes
from guidance.objectives.boxes import BoxObjective, ObjectiveSettings
from guidance.objectives.guide import as_picture

FORMAT = 1  # of the records: those of another cannot be gone on with
SHOWN = 6  # layouts whose first picture is kept
SHOWN_SIDE = 256  # pixels


@dataclass(frozen=True)
class Plan:
    """Plan of a run: so many layouts of a split of a drawn world, from number `first` on, with so many seeds each.

    `conditions`: all that the model can do, where none are named. `batch`: pictures made at once. `real`: rows for real
    pictures, too, and for what the generator's autoencoder makes of them.
    """

    data: str = "toyland"
    split: str = "test"
    layouts: int = 40
    seeds: int = 2
    first: int = 0
    conditions: tuple[str, ...] = ()
    batch: int = 20
    real: bool = False

    def __post_init__(self) -> None:
        if self.layouts < 2:
            raise ValueError(f"{self.layouts} layouts say nothing; allowed: 2 or more")
        for name, most in (("seeds", 100), ("batch", MAX_PICTURES)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}; allowed: 1 to {most}")

    @property
    def pictures(self) -> int:
        return self.layouts * self.seeds

    @property
    def places(self) -> Places:
        return Places(self.first, self.seeds)


class Scenery:
    """The layouts of a plan, drawn and as guidance takes them. `others`: with one another's boxes, where they are
    wanted. `drawn_others`: as many other layouts, of the same split.
    """

    def __init__(self, world: World, plan: Plan, others: bool) -> None:
        self.world = world
        drawn = world.layouts.sample_layouts(plan.split, 2 * plan.layouts, plan.first)
        own, self.drawn_others = drawn[: plan.layouts], drawn[plan.layouts :]
        self.drawn: dict[str, Sequence[Drawn]] = {
            OWN: own,
            MIRRORED: [world.layouts.mirrored(one) for one in own],
        }
        if others:
            self.drawn[OTHERS] = world.layouts.exchanged(own)
        self.layouts = {name: [as_layout(one) for one in each] for name, each in self.drawn.items()}

    @property
    def phrases(self) -> list[str]:
        return [target.phrase for layout in self.layouts[OWN] for target in layout.targets]

    @property
    def digest(self) -> str:
        told = [[one.prompt, one.phrases, one.boxes] for one in self.drawn[OWN]]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def small(self, grid: tuple[int, int]) -> list[list[bool]]:
        """Says which things of every layout have boxes smaller than 2x2 patches of a grid."""
        return [
            [bool(grid_notes(target.boxes, grid)) for target in layout.targets]
            for layout in self.layouts[OWN]
        ]


class Evaluation:
    """The run of one plan: `seen(source)` is what there is to see in a source's pictures, record by record."""

    def __init__(
        self,
        plan: Plan,
        scenery: Scenery,
        clip: Clip,
        witness: Clip,
        judge: Judge,
        reading: ObjectiveSettings,
        folder: Path | None = None,
        progress: Say = lambda what, done, total: None,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.plan, self.scenery, self.clip, self.judge = plan, scenery, clip, judge
        self.witness = Witness(witness, scenery.phrases)
        self.reading, self.folder, self.progress, self.note = reading, folder, progress, note
        self.grid = BoxObjective(clip, scenery.layouts[OWN][:1], [0], reading).grid
        self._models: Record = {}
        self._seen: dict[str, tuple[list[Record], float]] = {}

    def know(self, generator: Generator) -> None:
        """Tells what makes two runs the same run: all weights, layouts and seeds. Only runs that are kept need it."""
        if self.folder is None:
            return
        plan = self.plan
        self._models = {
            "format": FORMAT,
            "generator": generator.name,
            "generator_weights": generator_digest(generator),
            "clip": self.clip.name,
            "clip_weights": weights_digest(self.clip),
            "witness": self.witness.clip.name,
            "witness_weights": weights_digest(self.witness.clip),
            "judge": self.judge.digest,
            "reading": repr(self.reading),
            "data": plan.data,
            "split": plan.split,
            "first": plan.first,
            "layouts": self.scenery.digest,
            "seeds": plan.seeds,
            "batch": plan.batch,
        }

    def seen(self, source: Source, what: str) -> tuple[list[Record], float]:
        """A record of every picture, and the seconds that making them took. Pictures that another source made before
        are not made again. `what` is told to `progress`.
        """
        key = json.dumps([source.key, source.boxes], sort_keys=True)
        if key not in self._seen:
            settings = json.loads(json.dumps(self._models | {"condition": source.key}))
            kept = Stretches(self.folder / source.folder if self.folder else None, settings, self.note)
            total, seconds = self.plan.pictures, 0.0
            records: list[Record] = []
            borders = [*range(0, total, self.plan.batch), total]
            for record, _ in kept.each("pictures", borders, lambda *part: self._stretch(source, what, *part)):
                records += record["pictures"]
                seconds += record["seconds"]
            self.progress(what, total, total)
            self._seen[key] = records, seconds
        return self._seen[key]

    def _stretch(self, source: Source, what: str, first: int, stop: int) -> Record:
        self.progress(what, first, self.plan.pictures)
        made, seconds = source.make(first, stop)
        images = made.float().cpu()
        places, layouts = self.plan.places, self.scenery.layouts[source.boxes]
        chosen = [layouts[places.layout(number)] for number in range(first, stop)]
        return {"seconds": seconds, "pictures": self._look(first, images, chosen)}

    def _look(self, first: int, images: Tensor, layouts: Sequence[Layout]) -> list[Record]:
        judged = self.judge.look(images)
        witnessed = self.witness.look(images, layouts)
        own = own_readings(self.clip, images, layouts, self.reading)
        records = []
        for number, parts in enumerate(zip(images, judged, witnessed, own, strict=True), first):
            image, found, witness, reading = parts
            record = {"judge": found.as_record(), "witness": witness, "own": reading}
            places = self.plan.places
            if not places.take(number) and places.layout(number) < SHOWN:
                record["shown"] = _png(image)
            records.append(record)
        return records


def _png(image: Tensor) -> str:
    picture = as_picture(image)
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
