"""How well maps fall on things: every method on labelled pictures, measured against exact masks.

Every thing of a picture is one question: its phrase as the prompt, its mask as the truth. The towers run once per
picture, however many methods ask (occlusion and gScoreCAM excepted), and once per different phrase.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from explain.clip.model import Clip
from explain.encodings import ImageEncoding
from explain.evaluation.iou_table import IouTable
from explain.evaluation.subjects import Subject, Thing
from explain.methods import Method, find
from explain.metrics import Measures, grid_ceiling, mean_of_classes, measure

CEILING = "grid ceiling"
BATCH = 32
Row = list  # of one map as JSON knows it: [class], or [class, intersections, unions, contrast, hit]
DRAWS = 2000


@dataclass
class Scores:
    """Scores of one method. Row i of every list is the same thing for all methods."""

    method: str
    ious: IouTable = field(default_factory=IouTable)
    contrasts: list[tuple[str, float]] = field(default_factory=list)
    hits: list[tuple[str, float]] = field(default_factory=list)
    rows: list[np.ndarray | None] = field(default_factory=list)  # IoU at every threshold
    seconds: float = 0.0

    @property
    def msc(self) -> float:
        return mean_of_classes(self.contrasts)

    @property
    def pointing(self) -> float:
        return mean_of_classes(self.hits)

    def add(self, row: Row) -> None:
        """Adds the row that `measured` found for one map."""
        name, *rest = row
        found = Measures(np.array(rest[0]), np.array(rest[1]), *rest[2:]) if rest else None
        self.rows.append(self.ious.count(name, found))
        if found is not None:
            self.hits.append((name, float(found.hit)))
            if found.contrast is not None:
                self.contrasts.append((name, found.contrast))


@dataclass(frozen=True)
class Seen:
    """A picture that was looked at: number in its data, texts (T, D) of its things, and raw maps (T, h, w) and
    seconds by method.
    """

    number: int
    subject: Subject
    encoding: ImageEncoding
    texts: Tensor
    maps: Mapping[str, np.ndarray]
    seconds: Mapping[str, float]


class Texts:
    """Features of prompts, each different one read once. `new` are those read since it was last emptied."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self.found: dict[str, Tensor] = {}
        self.new: dict[str, list[float]] = {}

    @torch.no_grad()
    def features(self, prompts: Sequence[str]) -> Tensor:
        """(T, D) of unit norm, new ones in one batch."""
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self.found]
        if new:
            rows = self.clip.encode_texts(self.clip.tokenize(new))
            self.found |= dict(zip(new, rows, strict=True))
            self.new |= dict(zip(new, rows.tolist(), strict=True))
        return torch.stack([self.found[prompt] for prompt in prompts])

    def restore(self, earlier: Mapping[str, list[float]]) -> None:
        """Puts back what another run read, bit for bit."""
        rows = {prompt: torch.tensor(row, device=self.clip.device) for prompt, row in earlier.items()}
        self.found |= rows


def evaluate(
    clip: Clip,
    subjects: Iterable[Subject],
    methods: Sequence[str],
    progress: Callable[[int], None] | None = None,
) -> dict[str, Scores]:
    """Scores by method, and of the grid's ceiling. `progress` is called with the pictures done so far.

    ValueError for a method that does not work with the model, and where there is nothing to measure on.
    """
    chosen = choose(clip, methods)
    scores = {name: Scores(name) for name in (*(method.name for method in chosen), CEILING)}
    for done, seen in enumerate(look(clip, enumerate(subjects), chosen, Texts(clip)), 1):
        for name, rows in measured(seen).items():
            scores[name].seconds += seen.seconds.get(name, 0.0)
            for row in rows:
                scores[name].add(row)
        if progress is not None:
            progress(done)
    if not scores[CEILING].hits:
        raise ValueError("there is no thing with a mask to measure on")
    return scores


def choose(clip: Clip, methods: Sequence[str]) -> list[Method]:
    """The methods of these names. ValueError for an unknown one, and for one that does not work with the model."""
    chosen = [find(name) for name in dict.fromkeys(methods)]
    for method in chosen:
        reason = method.supports(clip)
        if reason is not None:
            raise ValueError(f"{method.label} does not work with {clip.name}: {reason}")
    return chosen


def look(
    clip: Clip,
    subjects: Iterable[tuple[int, Subject]],
    methods: Sequence[Method],
    texts: Texts,
    layers: bool = False,
) -> Iterator[Seen]:
    """The maps of every method on numbered pictures that have things; `layers`: all attentions will be asked for."""
    layers = layers or any(method.all_layers for method in methods)
    source = ((number, subject) for number, subject in subjects if subject.things)
    while batch := list(islice(source, 1 if layers else BATCH)):
        whole = ImageEncoding(clip, clip.prepare([subject.image for _, subject in batch]))
        if layers:
            _ = whole.layers  # before all else, which is then taken from the same run
        texts.features([thing.prompt for _, subject in batch for thing in subject.things])
        encodings = whole.singles() if len(batch) > 1 else [whole]
        for (number, subject), encoding in zip(batch, encodings, strict=True):
            features = texts.features([thing.prompt for thing in subject.things])
            maps, seconds = {}, {}
            for method in methods:
                begun = time.perf_counter()
                maps[method.name] = maps_of(method, encoding, features)
                seconds[method.name] = time.perf_counter() - begun
            yield Seen(number, subject, encoding, features, maps, seconds)


def maps_of(method: Method, encoding: ImageEncoding, texts: Tensor) -> np.ndarray:
    """The raw maps (T, h, w) of one picture. ValueError naming the method where one is not finite."""
    maps = method.image_map(encoding, texts)[0].detach().float().cpu().numpy()
    if not np.isfinite(maps).all():
        raise ValueError(f"{method.label} gave numbers that are not finite with {encoding.clip.name}")
    return maps


def measured(seen: Seen) -> dict[str, list[Row]]:
    """The rows of every method's maps, and of the grid's ceiling, in the order of the things."""
    subject, grid = seen.subject, seen.encoding.tokens.grid
    maps: dict[str, Sequence[np.ndarray]] = {name: list(found) for name, found in seen.maps.items()}
    maps[CEILING] = [grid_ceiling(thing.mask, grid, subject.valid) for thing in subject.things]
    return {
        name: [as_row(thing, heatmap, subject) for thing, heatmap in zip(subject.things, found, strict=True)]
        for name, found in maps.items()
    }


def as_row(thing: Thing, heatmap: np.ndarray, subject: Subject) -> Row:
    """Returns what `measure` finds of one map (h, w), as a row that JSON can hold."""
    found = measure(heatmap, thing.mask, subject.valid)
    if found is None:
        return [thing.name]
    return [thing.name, found.intersections.tolist(), found.unions.tolist(), found.contrast, found.hit]


def thresholds(scores: dict[str, Scores]) -> dict[str, float]:
    """The threshold with the highest mIoU for every method: choose on other pictures than you report."""
    return {name: each.ious.best_threshold() for name, each in scores.items()}


def paired_interval(
    ours: Scores, theirs: Scores, chosen: dict[str, float], seed: int = 0, draws: int = 2000
) -> tuple[float, float, float]:
    """Mean difference of IoU per thing, ours - theirs, in points, and its 95 % interval: bootstrap over things.

    Each at its own threshold, as in the report's `miou`; here every thing weighs the same.
    """
    a, b = (
        [row[each.ious.thresholds.index(chosen[each.method])] for row in each.rows if row is not None]
        for each in (ours, theirs)
    )
    return interval(100 * (np.array(a) - np.array(b)), seed, draws)


def interval(values: Sequence[float], seed: int = 0, draws: int = DRAWS) -> tuple[float, float, float]:
    """The mean, and its 95 % interval by the percentiles of a bootstrap over the values (Efron 1979).

    Equal values and seeds give equal intervals. ValueError where there is no value, or one is not finite.
    """
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or len(found) == 0 or not np.isfinite(found).all():
        raise ValueError(f"an interval needs 1 finite number or more in a row, not {found.shape}")
    rng = np.random.default_rng(seed)
    means = found[rng.integers(0, len(found), (draws, len(found)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(found.mean()), float(low), float(high)


def spread(name: str, values: Sequence[float | None], scale: float = 1.0) -> dict[str, float | None]:
    """`name`, `name_low` and `name_high` for a report, times `scale`; None are left out, and all None stay None."""
    known = [value for value in values if value is not None]
    found = [round(scale * x, 4) for x in interval(known)] if known else [None] * 3
    return dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))
