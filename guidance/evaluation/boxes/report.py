"""One report of how well pictures keep to their boxes: plain lists and numbers, as JSON knows them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from explain.clip.model import Clip
from explain.evaluation.measurement import Say
from explain.evaluation.resumable import Record
from guidance.evaluation import bootstrap
from guidance.evaluation.boxes import sources, tables, tallies
from guidance.evaluation.boxes.conditions import MIRRORED, OTHERS, OWN, Condition, conditions
from guidance.evaluation.boxes.run import Evaluation, Plan, Scenery
from guidance.evaluation.boxes.sources import REAL, Source
from guidance.evaluation.boxes.tables import Counted
from guidance.evaluation.gates import gates
from guidance.evaluation.world import Judge, open_world
from guidance.generators.base import Generator
from guidance.generators.vqgan import VQGAN
from guidance.layout.parsing import Layout
from guidance.presets import Preset

Report = dict[str, Any]
Shown = dict[
    str, list[tuple[str, Layout]]
]  # by condition: PNG files in base64, and what they are held against


def run(
    generator: Generator,
    clip: Clip,
    witness: Clip,
    preset: Preset,
    plan: Plan,
    folder: Path | None = None,
    judge: Judge | None = None,
    progress: Say = lambda what, done, total: None,
    note: Callable[[str], None] = lambda text: None,
) -> tuple[Report, Shown]:
    """The report of a generator that `clip` guides, and a picture of each of the first layouts.

    `witness`: a CLIP that does not guide. `judge`: the world's own where none is given. With a folder, what is finished
    is kept there, and what an earlier run of the same settings finished is taken from there. ValueError for what cannot
    be measured.
    """
    world = open_world(plan.data)
    judge = judge or world.judging.Judge(device=str(clip.device))
    chosen, left_out = conditions(preset, clip, isinstance(generator, VQGAN), plan.conditions)
    scenery = Scenery(world, plan, others=any(one.boxes == OTHERS for one in chosen))
    run_of = Evaluation(plan, scenery, clip, witness, judge, preset.objective, folder, progress, note)
    run_of.know(generator)
    began = time.perf_counter()
    maker = _Maker(run_of, generator)
    real = maker.counted(REAL, maker.real, OWN, "real pictures")
    counted = [] if not plan.real else [real, *maker.through_autoencoder(left_out)]
    for number, condition in enumerate(chosen, 1):
        what = f"{condition.name} ({number} of {len(chosen)})"
        counted.append(maker.counted(condition.name, maker.source(condition), condition.boxes, what))
    report = _head(run_of, generator, preset, chosen) | _tables(maker, counted, real)
    report |= {"left_out": left_out, "seconds": round(time.perf_counter() - began, 1)}
    return report | {"gates": gates(report)}, maker.shown


class _Maker:
    """From sources to what was counted of them."""

    def __init__(self, run_of: Evaluation, generator: Generator) -> None:
        self.run_of, self.generator, self.scenery = run_of, generator, run_of.scenery
        self.places = run_of.plan.places
        self.small = self.scenery.small(run_of.grid)
        self.real = sources.real(self.scenery.drawn[OWN], generator.size, self.places)
        self.shared = sources.Shared()
        self.shown: Shown = {}
        self.verdicts: dict[str, list] = {}

    def source(self, condition: Condition) -> Source:
        layouts = self.scenery.layouts
        return sources.generated(
            self.generator,
            self.run_of.clip,
            condition,
            layouts[OWN],
            layouts[MIRRORED],
            self.places,
            self.shared,
        )

    def counted(self, name: str, source: Source, boxes: str, what: str) -> Counted:
        records, seconds = self.run_of.seen(source, what)
        drawn = self.scenery.drawn[boxes]
        judged = tallies.verdicts(records, drawn, self.places, self.scenery.world.judging)
        self.verdicts[name] = judged
        layouts = self.scenery.layouts[boxes]
        self.shown[name] = [
            (record["shown"], layouts[self.places.layout(number)])
            for number, record in enumerate(records)
            if "shown" in record
        ]
        given = (records, judged, drawn, self.places)
        return Counted(
            name,
            tallies.tally(*given),
            tallies.tally(*given, lambda layout, thing: self.small[layout][thing]),
            tallies.tally(*given, lambda layout, thing: not self.small[layout][thing]),
            _features(records),
            seconds,
            asked=boxes == source.boxes,
        )

    def through_autoencoder(self, left_out: list[str]) -> list[Counted]:
        """One, or none where the generator cannot encode."""
        source = sources.reconstructed(self.generator, self.real)
        if source is None:
            left_out.append(f"{sources.RECONSTRUCTED}: {self.generator.name} has no autoencoder")
            return []
        return [self.counted(source.name, source, OWN, "reconstructions")]

    def floor(self, real: np.ndarray) -> float:
        """The Fréchet distance of real pictures of other layouts."""
        source = sources.real(self.scenery.drawn_others, self.generator.size, self.places)
        plan, judging = self.run_of.plan, self.scenery.world.judging
        edges = [*range(0, plan.pictures, plan.batch), plan.pictures]
        seen = [one for ends in pairwise(edges) for one in self.run_of.judge.look(source.make(*ends)[0])]
        return judging.frechet(real, np.array([one.features for one in seen]), judging.dimensions(len(real)))


def _head(run_of: Evaluation, generator: Generator, preset: Preset, chosen: list[Condition]) -> Report:
    """Returns what was measured, with all settings."""
    plan = run_of.plan
    return {
        "generator": generator.name,
        "clip": run_of.clip.name,
        "witness": run_of.witness.clip.name,
        "witness_map": run_of.witness.method.name,
        **{name: getattr(plan, name) for name in ("data", "split", "first", "layouts", "seeds", "pictures")},
        "preset": preset.name,
        "sampling": asdict(preset.sampling),
        "conditions": {
            one.name: {
                "sentence": one.sentence,
                "objective": None if one.objective is None else asdict(one.objective),
            }
            for one in chosen
        },
        "grid": list(run_of.grid),
    }


def _tables(maker: _Maker, counted: list[Counted], real: Counted) -> Report:
    plan, scenery = maker.run_of.plan, maker.scenery
    weights = bootstrap.resampled(plan.layouts)
    judging = scenery.world.judging
    sizes = np.array([len(layout.boxes) for layout in scenery.drawn[OWN]])
    made = {one.name: one for one in counted if one.name not in (REAL, sources.RECONSTRUCTED)}
    found: Report = {
        "dimensions": judging.dimensions(plan.pictures),
        "frechet_of_other_layouts": bootstrap.rounded(maker.floor(real.features)),
        "rows": tables.rows(counted, weights, tables.qualities(counted, real.features, weights, judging)),
        "by_things": tables.by_things(counted, sizes),
        "by_size": tables.by_size(counted, weights),
        "against": tables.comparisons(made, weights),
        "guiding_clip": tables.guiding(counted, weights),
    }
    if MIRRORED in made:
        turned = tallies.sides(
            maker.verdicts["preset"], maker.verdicts[MIRRORED], scenery.drawn[OWN], maker.places
        )
        found["mirrored"] = tables.side_changes(turned, weights)
    return found


def _features(records: list[Record]) -> np.ndarray:
    return np.array([record["judge"]["features"] for record in records])
