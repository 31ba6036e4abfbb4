"""How well the detector finds what is in real scenes: precision, recall and F1, kind and colour right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from toyland.detector.finding import THRESHOLD, Wanted, f1, find, matches
from toyland.detector.model import PIXELS, Detector, load_detector
from toyland.world.drawing import draw_scene, scene_boxes
from toyland.world.scene import Scene, sample_scene

BATCH = 100
OVERLAPS = (0.5, 0.75)


def evaluate_detector(
    detector: Path | Detector,
    split: str = "test",
    scenes: int = 1000,
    threshold: float = THRESHOLD,
    through: Callable[[Tensor], Tensor] = lambda images: images,
) -> dict[str, object]:
    """Figures on `scenes` scenes of a split, shares in [0, 1]: of all things, and F1 by how many things there are.
    `through`: what happens to pictures (B, 3, H, W) in [0, 1] before the detector sees them.

    ValueError for a folder without a detector, an unknown split, or fewer than 10 scenes.
    """
    if scenes < 10:
        raise ValueError(f"{scenes} scenes say nothing; at least 10")
    name = "detector" if isinstance(detector, Detector) else detector.name
    model = detector if isinstance(detector, Detector) else load_detector(detector)
    drawn = [sample_scene(seed, split) for seed in range(scenes)]
    found = [
        each
        for start in range(0, scenes, BATCH)
        for each in find(model, through(_images(drawn[start : start + BATCH])), threshold)
    ]
    wanted = [_wanted(scene) for scene in drawn]
    figures: dict[str, object] = {"model": name, "split": split, "scenes": scenes, "threshold": threshold}
    for overlap in OVERLAPS:
        hits = [
            sum(m is not None for m in matches(f, w, overlap)) for f, w in zip(found, wanted, strict=True)
        ]
        key = f"_{round(100 * overlap)}"
        figures[f"precision{key}"] = round(sum(hits) / max(1, sum(map(len, found))), 4)
        figures[f"recall{key}"] = round(sum(hits) / sum(map(len, wanted)), 4)
        for count in (0, 1, 2, 3, 4):  # 0: all
            chosen = [i for i, scene in enumerate(drawn) if count in (0, len(scene.things))]
            totals = (
                sum(hits[i] for i in chosen),
                sum(len(found[i]) for i in chosen),
                sum(len(wanted[i]) for i in chosen),
            )
            figures[f"f1{key}{f'_of_{count}' if count else ''}"] = round(f1(*totals), 4)
    return figures


def _images(scenes: list[Scene]) -> Tensor:
    pictures = np.stack([np.asarray(draw_scene(scene, PIXELS)) for scene in scenes])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def _wanted(scene: Scene) -> list[Wanted]:
    return [
        Wanted(thing.kind, thing.colour, box)
        for thing, box in zip(scene.things, scene_boxes(scene), strict=True)
    ]
