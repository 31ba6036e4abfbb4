"""Fresh training scenes with captions, for the generators."""

from __future__ import annotations

from random import Random

import numpy as np
import torch
from torch import Tensor

from toyland.world.batches import NumberedBatches
from toyland.world.captions import write_caption
from toyland.world.drawing import draw_scene
from toyland.world.scene import SPLITS, Scene, plain_caption, sample_scene

FIRST = 400_000_000  # scenes of the training split that no CLIP here was trained on
SCENES_PER_SEED = 10_000_000
USUAL_SHARE = 0.25  # a generator should know a boat on grass: things are seldom tied to their places
PLAIN = 0.6  # how many captions name every thing with its colour; the others are as people write them

Batch = tuple[Tensor, list[str]]  # pictures uint8 (B, H, W, 3), captions


class DrawnScenes(NumberedBatches):
    """Batches of the training split's scenes with captions, counted on from `start`.

    The first `alone` scenes are mostly single things, fewer and fewer of them. With `crop`, a share `crops` of the
    batches shows only so many pixels around one of the things, of the only one if `single`. Every seed has scenes of
    its own.
    """

    def __init__(
        self,
        pixels: int,
        batch: int,
        start: int = 0,
        alone: int = 0,
        seed: int = 0,
        crop: int = 0,
        crops: float = 1.0,
        single: bool = False,
    ) -> None:
        super().__init__(batch, start)
        self.pixels, self.alone, self.seed = pixels, alone, seed
        self.crop, self.crops, self.single = crop, crops, single

    def made(self, numbers: range) -> Batch:
        crop = self.crop if Random(f"batch-{self.seed}-{numbers.start}").random() < self.crops else 0
        found = [self.scene(number, single=bool(crop) and self.single) for number in numbers]
        pictures = np.stack([self.picture(scene, crop) for scene, _ in found])
        return torch.from_numpy(pictures), [caption for _, caption in found]

    def picture(self, scene: Scene, crop: int = 0) -> np.ndarray:
        """A scene's picture uint8 (H, W, 3), or `crop` pixels around one of its things."""
        picture = np.asarray(draw_scene(scene, self.pixels))
        if not crop:
            return picture
        rng = Random(f"crop-{scene.seed}")
        thing = rng.choice(scene.things)
        spare = crop - thing.scale * self.pixels  # below 0, the thing fills the crop and more
        last = self.pixels - crop
        left, top = (
            min(max(round((at - thing.scale / 2) * self.pixels - rng.random() * spare), 0), last)
            for at in (thing.x, thing.y)
        )
        return picture[top : top + crop, left : left + crop]

    def scene(self, number: int, single: bool = False) -> tuple[Scene, str]:
        """Scene `number` of this seed, and its caption. `single`: with one thing."""
        scene_number = (FIRST + self.seed * SCENES_PER_SEED + number) % SPLITS["train"].count
        rng = Random(f"generators-{scene_number}")
        single = (self.alone > 0 and rng.random() < 0.8 * (1 - number / self.alone)) or single
        scene = sample_scene(scene_number, "train", 1 if single else None, USUAL_SHARE)
        return scene, plain_caption(scene) if rng.random() < PLAIN else write_caption(scene, rng)


def as_images(pictures: Tensor, device: torch.device) -> Tensor:
    """uint8 (B, H, W, 3) -> float (B, 3, H, W) in [-1, 1], diffusers' range."""
    return pictures.to(device).permute(0, 3, 1, 2).float().div(127.5).sub(1)
