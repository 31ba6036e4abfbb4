"""The whole comparison: tasks, seeds, lambdas, other ways to tune, and phrasings to begin with; kept as it goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

from explain.clip.model import Clip
from explain.commands.console import Progress
from explain.evaluation.resumable import Stretches, weights_digest
from explain.inputs.captions import has_module
from explain.stability.phrasebook import PHRASINGS
from guidance.checks import shown, within
from guidance.evaluation.tuning import report
from guidance.evaluation.tuning.measure import (
    VALIDATION,
    Record,
    measure_phrasing,
    measure_rivals,
    measure_tuning,
)
from guidance.tuning.examples import PER_CLASS, Examples, open_examples
from guidance.tuning.prompt_learner import ContextSettings
from guidance.tuning.settings import TuningSettings, Variant

FORMAT = 2  # of the records: those of another cannot be gone on with
WEIGHTS = (1.0, 5.0, 25.0)
BASE = Variant("paper")
# One thing is changed at a time.
OTHERS = (
    Variant("epochs_200", tuning=TuningSettings(epochs=200)),
    Variant("shots_4", shots=4),
    Variant("tokens_4", context=ContextSettings(tokens=4)),
    Variant("name_at_the_end", context=ContextSettings(position="end")),
    Variant("class_specific", context=ContextSettings(class_specific=True)),
    Variant("second_order", tuning=TuningSettings(second_order=True)),
    Variant("without_sot", tuning=TuningSettings(include_sot=False)),
)
# A context has a token or more, so that the name alone is none to begin with.
STARTS = (*(phrasing for phrasing in PHRASINGS if phrasing != "{}"), "a {} in the picture")
Measure = Callable[[int], Record]


@dataclass(frozen=True)
class Plan:
    """Plan of a run. `tasks`: of the package; all, where none are named. `pictures`: of each class in every set.
    ValueError for what is not there.
    """

    data: str = "toyland"
    tasks: tuple[str, ...] = ()
    seeds: int = 10
    map_seeds: int = 5
    phrasing_seeds: int = 1
    weights: tuple[float, ...] = WEIGHTS
    pictures: int = PER_CLASS

    def __post_init__(self) -> None:
        if not has_module(self.data, "tasks"):
            raise ValueError(f"{shown(self.data)} is no package that has tasks; allowed: toyland")
        module = import_module(f"{self.data}.tasks")
        tasks = tuple(module.find_task(name).name for name in self.tasks or module.TASKS)
        object.__setattr__(self, "tasks", tasks)
        if not self.weights:
            raise ValueError("there is no lambda to choose from; allowed: one above 0, or more")
        for weight in self.weights:
            within("a lambda", weight, 1e-6, 1000)

    def examples(self, task: str) -> Examples:
        """The task's pictures, with those to choose on."""
        tests = import_module(f"{self.data}.tasks").TESTS
        return open_examples(f"{self.data}:{task}", (VALIDATION, *tests), self.pictures)


def run(clip: Clip, plan: Plan, work: Path | None, progress: Progress) -> Record:
    """The report: by task what `_task` finds. `work`: a folder in which what is finished is kept."""
    told = {
        "format": FORMAT,
        "model": clip.name,
        "weights": weights_digest(clip),
        "data": plan.data,
        "pictures": plan.pictures,
        "variants": [asdict(variant) for variant in (BASE, *OTHERS)],
        "starts": STARTS,
    }
    keep = Stretches(work, json.loads(json.dumps(told)), progress.note)
    found = {task: _Task(clip, plan, task, keep, progress).measured() for task in plan.tasks}
    return {"model": clip.name, "seeds": plan.seeds, "weights": list(plan.weights), "tasks": found}


class _Task:
    """One task, measured seed by seed."""

    def __init__(self, clip: Clip, plan: Plan, task: str, keep: Stretches, progress: Progress) -> None:
        self.clip, self.plan, self.task, self.keep, self.progress = clip, plan, task, keep, progress
        self.examples = plan.examples(task)
        self._known: dict[Variant, list[Record]] = {}

    def measured(self) -> Record:
        """Rivals, CoOp and paper A with the lambda that validation pictures chose, and maps around it."""
        seeds = self.plan.seeds
        coop = self._tuned(BASE.with_weight(0), seeds)
        by_weight = {weight: self._tuned(BASE.with_weight(weight), seeds) for weight in self.plan.weights}
        chosen = max(by_weight, key=lambda weight: _validation(by_weight[weight]))
        rivals = self._each("rivals", seeds, partial(measure_rivals, self.clip, self.examples, BASE.shots))
        return {
            "classes": list(self.examples.names),
            "rivals": {name: report.means(rivals, name) for name in rivals[0]},
            "lambda": chosen,
            "paper_a": report.compared(by_weight[chosen], coop),
            "by_lambda": {
                f"{weight:g}": report.compared(records, coop) for weight, records in by_weight.items()
            },
            "others": self._others(chosen) if self.plan.map_seeds else {},
            "phrasings": self._phrasings(chosen) if self.plan.phrasing_seeds else {},
            "seconds": {
                "coop": round(mean(record["seconds"] for record in coop), 2),
                "paper_a": round(mean(record["seconds"] for record in by_weight[chosen]), 2),
            },
        }

    def _others(self, weight: float) -> Record:
        seeds = self.plan.map_seeds
        return {
            variant.name: report.compared(
                self._tuned(variant.with_weight(weight), seeds), self._tuned(coop_of(variant), seeds)
            )
            for variant in OTHERS
        }

    def _phrasings(self, weight: float) -> Record:
        """Returns for every set the spread of accuracy over phrasings (standard deviation, worst and best), as they
        stand and as what tuning begins with.
        """
        variant = replace(BASE.with_weight(weight), name=f"phrasing-{self.plan.phrasing_seeds}")
        name = f"{variant.name}-{weight:g}"
        records = self._each(name, len(STARTS), lambda number: self._phrasing(variant, number))
        sets = records[0]["zero_shot"]
        return {
            "phrasings": list(STARTS),
            "spread": {
                way: {key: _spread([_mean(record[way], key) for record in records]) for key in sets}
                for way in ("zero_shot", "coop", "paper_a")
            },
        }

    def _phrasing(self, variant: Variant, number: int) -> Record:
        phrasing = STARTS[number]
        return measure_phrasing(self.clip, self.examples, phrasing, variant, self.plan.phrasing_seeds)

    def _tuned(self, variant: Variant, seeds: int) -> list[Record]:
        known = self._known.get(variant, [])
        if len(known) < seeds:
            name = f"{variant.name}-{variant.tuning.weight:g}"
            known = self._known[variant] = self._each(
                name, seeds, partial(measure_tuning, self.clip, self.examples, variant)
            )
        return known[:seeds]

    def _each(self, name: str, count: int, measure: Measure) -> list[Record]:
        phase, found = f"{self.task}-{name}", []
        stretches = self.keep.each(phase, range(count + 1), lambda first, _: measure(first))
        for number, (record, _) in enumerate(stretches, start=1):
            found.append(record)
            self.progress(phase, number, count)
        return found


def coop_of(variant: Variant) -> Variant:
    """Returns the variant with lambda 0; BASE's, where the variant is one of relevance alone."""
    tuning = replace(variant.tuning, weight=0.0, second_order=False, include_sot=True)
    found, base = replace(variant, tuning=tuning), BASE.with_weight(0)
    return base if replace(found, name=base.name) == base else found


def _validation(records: Sequence[Record]) -> float:
    return mean(record["accuracy"][VALIDATION] for record in records)


def _mean(found: Any, key: str) -> float:
    """Returns the value of one seed, or the mean of several."""
    return found[key] if isinstance(found, dict) else mean(each[key] for each in found)


def _spread(values: Sequence[float]) -> Record:
    found = {"mean": mean(values), "deviation": pstdev(values), "least": min(values), "most": max(values)}
    return {name: round(value, 4) for name, value in found.items()}
