"""Does a map depend on what the model learned? Every method on the model and on one with random weights.

Adebayo et al. 2018 (arXiv 1810.03292); `clip/random_weights.py` makes the model. A map of a random model that is ranked
as the trained one's comes from the picture and the architecture alone, and explains nothing that was learned.

Differs from the paper: of its measures of likeness the rank correlation, signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from explain.clip.model import Clip
from explain.clip.random_weights import randomised
from explain.encodings import ImageEncoding
from explain.evaluation.faithfulness import rank_agreement
from explain.evaluation.maps import Row, Scores, Seen, Texts, as_row, maps_of, spread
from explain.methods import Method

SURVIVES = 0.5
RULE = f"survives: mean rank correlation above {SURVIVES}"
Entry = dict[str, Any]


class RandomModel:
    """A model with random weights beside a trained one, and the prompts that it has read."""

    def __init__(self, clip: Clip, methods: Sequence[Method], seed: int = 0) -> None:
        self.clip, self.methods = randomised(clip, seed), tuple(methods)
        self.texts = Texts(self.clip)

    def entry(self, seen: Seen) -> Entry:
        """For every method: Spearman's rho of its maps of the two models, a number per thing, and the rows of the
        random model's maps. One forward of the random model; things that no valid pixel shows have no row.
        """
        encoding = ImageEncoding(self.clip, seen.encoding.images)
        if any(method.all_layers for method in self.methods):
            _ = encoding.layers
        things = seen.subject.things
        features = self.texts.features([thing.prompt for thing in things])
        correlations: dict[str, list[float]] = {}
        rows: dict[str, list[Row]] = {}
        for method in self.methods:
            maps = maps_of(method, encoding, features)
            correlations[method.name] = [
                rank_agreement(ours.ravel(), theirs.ravel())
                for ours, theirs in zip(seen.maps[method.name], maps, strict=True)
            ]
            rows[method.name] = [
                as_row(thing, heatmap, seen.subject) for thing, heatmap in zip(things, maps, strict=True)
            ]
        return {"correlations": correlations, "rows": rows}


def summary(entries: Sequence[Entry], seed: int) -> dict[str, object]:
    """A row per method: mean correlation with its 95 % interval over pictures, and what the random model's maps
    reach, in percent; the mIoU at the best threshold on these pictures, which flatters it.

    `survives`: the mean correlation is above 0.5, so that the map is mostly not about what was learned.
    """
    rows = []
    for name in entries[0]["correlations"]:
        scores = Scores(name)
        for entry in entries:
            for row in entry["rows"][name]:
                scores.add(row)
        means = [sum(found) / len(found) for found in (entry["correlations"][name] for entry in entries)]
        row = {"method": name} | spread("correlation", means)
        row["msc"] = round(100 * scores.msc, 4) if scores.contrasts else None
        row["miou_oracle"] = round(100 * scores.ious.oracle(), 4) if scores.hits else None
        rows.append(row | {"survives": row["correlation"] > SURVIVES})
    return {"pictures": len(entries), "seed": seed, "rule": RULE, "rows": rows}
