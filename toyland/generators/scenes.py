"""Endless batches of fresh training scenes for the generators, drawn in worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from toyland.captions import plain_caption, write_caption
from toyland.drawing import draw_scene
from toyland.scene import SPLITS, Scene, sample_scene

FIRST = 400_000_000  # scenes of the training split that no CLIP here was trained on
SCENES_PER_SEED = 10_000_000
USUAL_SHARE = 0.25  # a generator should know a boat on grass: things are seldom tied to their places
PLAIN = 0.6  # how many captions name every thing with its colour; the others are as people write them

Batch = tuple[Tensor, list[str]]  # pictures uint8 (B, H, W, 3), captions


class DrawnScenes(IterableDataset[Batch]):
    """Batches of the training split's scenes with captions, counted on from `start`.

    The first `alone` scenes are mostly single things, fewer and fewer of them. `crop`: only so many pixels around one
    of the things, 0 for whole pictures. Every seed has scenes of its own.
    """

    def __init__(
        self, pixels: int, batch: int, start: int = 0, alone: int = 0, seed: int = 0, crop: int = 0
    ) -> None:
        self.pixels, self.batch, self.start = pixels, batch, start
        self.alone, self.seed, self.crop = alone, seed, crop

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        if worker:  # a drawing process must not compete with the training for cores
            torch.set_num_threads(1)
        mine, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        first = self.start + mine * self.batch
        while True:
            scenes, captions = zip(
                *(self.scene(number) for number in range(first, first + self.batch)), strict=True
            )
            pictures = np.stack([self.picture(scene) for scene in scenes])
            yield torch.from_numpy(pictures), list(captions)
            first += workers * self.batch

    def picture(self, scene: Scene) -> np.ndarray:
        """A scene's picture uint8 (H, W, 3), or what is around one of its things."""
        picture = np.asarray(draw_scene(scene, self.pixels))
        if not self.crop:
            return picture
        rng = Random(f"crop-{scene.seed}")
        thing = rng.choice(scene.things)
        left, top = (
            min(
                max(round(at * self.pixels + rng.uniform(-0.9, -0.1) * self.crop), 0), self.pixels - self.crop
            )
            for at in (thing.x, thing.y)
        )
        return picture[top : top + self.crop, left : left + self.crop]

    def scene(self, number: int) -> tuple[Scene, str]:
        """Scene `number` of this seed, and its caption."""
        scene_number = (FIRST + self.seed * SCENES_PER_SEED + number) % SPLITS["train"].count
        rng = Random(f"generators-{scene_number}")
        single = self.alone > 0 and rng.random() < 0.8 * (1 - number / self.alone)
        scene = sample_scene(scene_number, "train", 1 if single else None, USUAL_SHARE)
        return scene, plain_caption(scene) if rng.random() < PLAIN else write_caption(scene, rng)


def batches_of(dataset: DrawnScenes, workers: int) -> Iterator[Batch]:
    """The dataset's batches, drawn in `workers` processes (0: in this one)."""
    return iter(
        DataLoader(dataset, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None)
    )


def as_images(pictures: Tensor, device: torch.device) -> Tensor:
    """uint8 (B, H, W, 3) -> float (B, 3, H, W) in [-1, 1], diffusers' range."""
    return pictures.to(device).permute(0, 3, 1, 2).float().div(127.5).sub(1)
