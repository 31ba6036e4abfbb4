"""Training the detector on scenes with their exact boxes, pictures blurred, tinted and noisy as generators' are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss

from toyland.art import COLOURS, KINDS
from toyland.clip.data import augmented
from toyland.detector.model import GRID, PIXELS, Detector, centres, corners, save_detector
from toyland.world.batches import NumberedBatches, batches_of
from toyland.world.drawing import draw_scene, scene_masks
from toyland.world.scene import Scene, sample_scene
from training.run import Recipe, Run, adamw

SPLIT = "balanced"  # every kind in every colour and place: a judge must not be surprised
FIRST = 500_000_000  # far from what the app draws
NOISE = 0.12
FOCUS = 2.0  # exponents of the focal loss
NEAR = 4.0

KIND_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}
COLOUR_NUMBERS = {colour: number for number, colour in enumerate(COLOURS)}

Batch = tuple[Tensor, Tensor, Tensor]  # pictures uint8 (B, H, W, 3), things float (N, 5), labels int64 (N, 3)


@dataclass(frozen=True, kw_only=True)
class DetectorRecipe(Recipe):
    """How to train the detector."""

    width: int = 32
    weight_decay: float = 0.02

    @property
    def identity(self) -> dict[str, Any]:
        return {"width": self.width}


class BoxedScenes(NumberedBatches):
    """Batches of scenes, counted on from `start`: pictures; for every thing left, top, right, bottom in fractions; and
    its picture's number in the batch, kind and colour.
    """

    def made(self, numbers: range) -> Batch:
        scenes = [sample_scene(FIRST + number, SPLIT) for number in numbers]
        pictures = np.stack([np.asarray(draw_scene(scene, PIXELS)) for scene in scenes])
        boxes = np.concatenate([_boxes(scene) for scene in scenes])
        labels = [
            (row, KIND_NUMBERS[thing.kind], COLOUR_NUMBERS[thing.colour])
            for row, scene in enumerate(scenes)
            for thing in scene.things
        ]
        return torch.from_numpy(pictures), torch.from_numpy(boxes), torch.tensor(labels)


def _boxes(scene: Scene) -> np.ndarray:
    """Boxes (things, 4) of the visible parts, in fractions, to the pixel."""
    found = []
    for mask in scene_masks(scene, PIXELS):
        columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        found.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    return np.array(found, np.float32) / PIXELS


class DetectorTraining(Run):
    """Training of the detector."""

    model: Detector

    def __init__(self, recipe: DetectorRecipe, folder: Path, device: str) -> None:
        torch.manual_seed(recipe.seed)
        model = Detector(recipe.width).to(device)
        super().__init__(recipe, folder, device, model, adamw(model, recipe))

    def batches(self) -> Iterator[Batch]:
        return batches_of(BoxedScenes(self.recipe.batch, self.progress.pictures), self.recipe.workers)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        pictures, boxes, labels = (part.to(self.device) for part in batch)
        images = self.disturbed(augmented(pictures, self.generator))
        kinds, colours, sides = (output.float() for output in self.model(images))
        heat, owner = targets(boxes, labels, len(pictures))
        rows, ys, xs = torch.nonzero(owner >= 0, as_tuple=True)
        things = owner[rows, ys, xs]
        found = corners(sides)[rows, :, ys, xs]
        overlap = generalized_box_iou_loss(found, boxes[things], reduction="mean")
        colour = F.cross_entropy(colours[rows, :, ys, xs], labels[things, 2])
        centre = focal_loss(kinds, heat) / len(boxes)
        return centre + overlap + colour, {
            "centre": centre.item(),
            "box": overlap.item(),
            "colour": colour.item(),
        }

    def disturbed(self, images: Tensor) -> Tensor:
        """Half of the pictures coarser (down and up again), and all with noise of random strength."""
        coarse = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2.0, mode="bilinear")
        strengths = torch.rand(2, len(images), 1, 1, 1, generator=self.generator, device=self.device)
        images = torch.lerp(images, coarse, (2 * strengths[0] - 1).clamp(min=0))
        noise = torch.randn(images.shape, generator=self.generator, device=self.device)
        return images + NOISE * strengths[1] ** 2 * noise

    def export(self) -> None:
        save_detector(self.ema, self.folder)


def targets(boxes: Tensor, labels: Tensor, pictures: int) -> tuple[Tensor, Tensor]:
    """Returns what the grid should say of things (N, 4) with labels (N, 3).

    Heat (B, kinds, 16, 16) in [0, 1]: 1 in the cell of each centre, less around it the smaller the thing. Owner (B, 16,
    16): the thing whose box the cell must tell, -1 for none; the smaller thing where two claim a cell.
    """
    x, y = centres(boxes.device)
    left, top, right, bottom = boxes.T[:, :, None, None]
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    width, height = (right - left) / 6, (bottom - top) / 6
    bump = torch.exp(-((x - middle_x) ** 2) / (2 * width**2) - (y - middle_y) ** 2 / (2 * height**2))
    cell_x, cell_y = ((m[:, 0, 0] * GRID).long().clamp(0, GRID - 1) for m in (middle_x, middle_y))
    every = torch.arange(len(boxes), device=boxes.device)
    bump[every, cell_y, cell_x] = 1
    heat = torch.zeros(pictures, len(KINDS), GRID, GRID, device=boxes.device)
    owner = torch.full((pictures, GRID, GRID), -1, device=boxes.device)
    areas = ((right - left) * (bottom - top)).flatten()
    for thing in areas.argsort(descending=True).tolist():
        row, kind, _ = labels[thing].tolist()
        heat[row, kind] = torch.maximum(heat[row, kind], bump[thing])
        owner[row][bump[thing] > 0.6] = thing
    return heat, owner


def focal_loss(logits: Tensor, heat: Tensor) -> Tensor:
    """CenterNet's loss of centres, summed: full weight where heat is 1, less and less near a centre."""
    at_centre = heat == 1
    p = logits.sigmoid()
    hit = (1 - p) ** FOCUS * F.logsigmoid(logits)
    miss = (1 - heat) ** NEAR * p**FOCUS * F.logsigmoid(-logits)
    return -torch.where(at_centre, hit, miss).sum()
