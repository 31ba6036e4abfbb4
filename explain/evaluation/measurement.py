"""Measuring a model's methods stretch by stretch: every picture is looked at once, whatever is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from explain.clip.model import Clip
from explain.evaluation import curves, shift_profile, words
from explain.evaluation.maps import CEILING, Scores, Seen, Texts, look, measured
from explain.evaluation.resumable import Record, Stretches, borders, weights_digest
from explain.evaluation.sanity import RandomModel
from explain.evaluation.subjects import Pictures, Subject
from explain.methods import Method

FORMAT = 1  # of the records: those of another cannot be gone on with
TUNING, TESTING = "choosing thresholds", "measuring"
EXTRAS = ("faithful", "randomised", "shift")

Say = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Plan:
    """Plan of a run: on how many pictures to measure, and on how many of the first deletion, insertion and words
    (`faithful`), random weights (`randomised`) and semantic shift (`shift`); 0 leaves one out.

    `data` and `split` are as in `subjects.py`. `methods`: all that the model supports, but the slow ones, where none
    are named. `seed` is of the random weights.
    """

    data: str
    split: str = "test"
    pictures: int = 1000
    methods: tuple[str, ...] = ()
    faithful: int = 100
    randomised: int = 100
    shift: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if self.pictures < 2:
            raise ValueError(f"{self.pictures} pictures say nothing; at least 2")
        for name in EXTRAS:
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; allowed: 0 pictures or more")


class Measurement:
    """The run of one plan. What prompts were read, and the random model, serve all stretches."""

    def __init__(
        self,
        clip: Clip,
        plan: Plan,
        methods: Sequence[Method],
        kept: Stretches,
        progress: Say,
    ) -> None:
        self.clip, self.plan, self.methods = clip, plan, tuple(methods)
        self.kept, self.progress = kept, progress
        self.texts = Texts(clip)
        self.random: RandomModel | None = None
        self._random_texts: dict[str, list[float]] = {}

    def records(self, phase: str, source: Pictures) -> list[Record]:
        """Measures every stretch of TUNING or TESTING; records kept by an earlier run are taken as they are."""
        extras = [getattr(self.plan, name) for name in EXTRAS] if phase == TESTING else []
        found = []
        for record, earlier in self.kept.each(
            "testing" if phase == TESTING else "tuning",
            borders(source.count, *extras),
            lambda first, stop: self._stretch(phase, source, first, stop),
        ):
            if earlier:
                self.texts.restore(record["texts"])
                self._random_texts |= record["random_texts"]
                if self.random is not None:
                    self.random.texts.restore(record["random_texts"])
            found.append(record)
        self.progress(phase, source.count, source.count)
        return found

    def _stretch(self, phase: str, source: Pictures, first: int, stop: int) -> Record:
        wanted = [name for name in EXTRAS if phase == TESTING and first < getattr(self.plan, name)]
        names = [*(method.name for method in self.methods), CEILING]
        record: Record = {"skipped": [], "bare": 0, "rows": {name: [] for name in names}}
        record |= {"seconds": dict.fromkeys(names, 0.0), "words": [], **{name: [] for name in EXTRAS}}
        self.progress(phase, first, source.count)
        subjects = _counting(source.read(first, stop, record["skipped"]), record)
        for seen in look(self.clip, subjects, self.methods, self.texts, layers="shift" in wanted):
            for name, rows in measured(seen).items():
                record["rows"][name] += rows
                record["seconds"][name] += seen.seconds.get(name, 0.0)
            for name, entry in self._extra(seen, wanted).items():
                record[name].append(entry)
            self.progress(phase, seen.number + 1, source.count)
        for text in record["skipped"]:
            self.kept.note(f"left out: {text}")
        record["texts"], self.texts.new = self.texts.new, {}
        record["random_texts"] = {}
        if self.random is not None:
            record["random_texts"], self.random.texts.new = self.random.texts.new, {}
        return record

    def _extra(self, seen: Seen, wanted: Sequence[str]) -> dict[str, Any]:
        """An entry for each of EXTRAS that is wanted, and of words."""
        found: dict[str, Any] = {}
        if "faithful" in wanted:
            found["faithful"] = curves.curves(seen)
            found["words"] = words.word_entry(seen)
        if "randomised" in wanted:
            if self.random is None:
                self.random = RandomModel(self.clip, self.methods, self.plan.seed)
                self.random.texts.restore(self._random_texts)
            found["randomised"] = self.random.entry(seen)
        if "shift" in wanted:
            found["shift"] = shift_profile.shift_entry(seen)
        return found


def settings(
    clip: Clip, plan: Plan, methods: Sequence[Method], tuning: Pictures, testing: Pictures
) -> Record:
    """Returns what identifies a run: the model with its weights, the plan, the pictures' names, the format."""
    return (
        {"format": FORMAT, "model": clip.name, "weights": weights_digest(clip)}
        | asdict(plan)
        | {"methods": [method.name for method in methods], "files": [tuning.digest, testing.digest]}
    )


def gathered(records: Sequence[Record]) -> dict[str, Scores]:
    """The scores of all stretches together. ValueError where there is nothing to measure on."""
    scores = {name: Scores(name) for name in records[0]["rows"]}
    for record in records:
        for name, each in scores.items():
            each.seconds += record["seconds"][name]
            for row in record["rows"][name]:
                each.add(row)
    if not scores[CEILING].hits:
        skipped = [text for record in records for text in record["skipped"]]
        why = f"; {len(skipped)} pictures cannot be used, the first: {skipped[0]}" if skipped else ""
        raise ValueError(f"there is no thing with a mask to measure on{why}")
    return scores


def _counting(subjects: Iterator[tuple[int, Subject]], record: Record) -> Iterator[tuple[int, Subject]]:
    """The pictures that have things; those that have none are counted."""
    for number, subject in subjects:
        if subject.things:
            yield number, subject
        else:
            record["bare"] += 1
