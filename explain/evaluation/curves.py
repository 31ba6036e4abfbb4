"""Is a map true to the model? Deletion and insertion of patches, for the maps of a picture that was looked at.

`faithfulness.py` has the curves and the paper; here the model gives the scores. Only the first thing of each picture
is asked for, because every method costs two runs of the image tower per step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from explain.clip.model import Clip
from explain.evaluation.faithfulness import blurred, curve_area, deletion_insertion
from explain.evaluation.maps import Seen, spread

STEPS = 16
BASELINE = "blurred"
RANDOM = "random map"
LARGEST = 1024  # pixels of a side: larger pictures are made smaller first, models see less anyway

Entry = dict[str, list[list[float]]]  # method -> shares, deletion, insertion


def curves(seen: Seen, steps: int = STEPS) -> Entry:
    """The curves of every method's map of the first thing, and of a random map, the yardstick.

    Scores are the model's cosine with the thing's prompt; pictures are prepared as the model always sees them. What
    several curves come by, the whole picture, the baseline or a set of patches, is scored once.
    """
    clip, text = seen.encoding.clip, seen.texts[0]
    image = _pixels(seen.subject.image)
    baseline = blurred(image)

    known = {image.tobytes(): float(seen.encoding.features[0] @ text)}

    def score(pictures: np.ndarray) -> np.ndarray:
        keys = [picture.tobytes() for picture in pictures]
        new = {key: Image.fromarray(x) for key, x in zip(keys, pictures, strict=True) if key not in known}
        if new:
            known.update(zip(new, cosines(clip, list(new.values()), text).tolist(), strict=True))
        return np.array([known[key] for key in keys])

    ends = tuple(score(np.stack([image, baseline])))
    grid = seen.encoding.tokens.grid
    noise = np.random.default_rng(seen.number).random(grid)
    found = {}
    for name, heatmap in (*((name, maps[0]) for name, maps in seen.maps.items()), (RANDOM, noise)):
        each = deletion_insertion(image, baseline, heatmap, score, min(steps, heatmap.size), ends=ends)
        found[name] = [each.shares.tolist(), each.deletion.tolist(), each.insertion.tolist()]
    return found


@torch.no_grad()
def cosines(clip: Clip, pictures: Sequence[Image.Image], text: torch.Tensor) -> np.ndarray:
    """The cosine (B,) of each picture with a text (D,) of unit norm; one batch."""
    return (clip.encode_images(clip.prepare(pictures)) @ text).float().cpu().numpy()


def summary(entries: Sequence[Entry], steps: int = STEPS) -> dict[str, object]:
    """Mean areas with 95 % intervals over the pictures, and the mean curves; cosines as they come.

    Small deletion areas and large insertion areas are good; both are read against the random map's.
    """
    rows, mean_curves = [], {}
    for name in entries[0]:
        shares, deletion, insertion = (np.array([entry[name][i] for entry in entries]) for i in range(3))
        rows.append(
            {"method": name}
            | spread("deletion", [curve_area(y, x) for y, x in zip(deletion, shares, strict=True)])
            | spread("insertion", [curve_area(y, x) for y, x in zip(insertion, shares, strict=True)])
        )
        mean_curves[name] = {
            "deletion": deletion.mean(0).round(4).tolist(),
            "insertion": insertion.mean(0).round(4).tolist(),
        }
    return {
        "pictures": len(entries),
        "things": "the first of each picture",
        "baseline": BASELINE,
        "steps": len(entries[0][RANDOM][0]) - 1,
        "shares": np.round(entries[0][RANDOM][0], 4).tolist(),
        "rows": rows,
        "curves": mean_curves,
    }


def _pixels(image: Image.Image) -> np.ndarray:
    image = image.convert("RGB")
    if max(image.size) > LARGEST:
        image = image.copy()
        image.thumbnail((LARGEST, LARGEST))
    return np.asarray(image)
