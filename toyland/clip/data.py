"""Endless batches of fresh training scenes with captions, drawn in worker processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np
import torch

from toyland.world.batches import NumberedBatches
from toyland.world.captions import write_caption
from toyland.world.drawing import draw_scene
from toyland.world.scene import SPLITS, USUAL_SHARE, Scene, Thing, sample_scene

SCENES_PER_SEED = 10_000_000

Batch = tuple[torch.Tensor, torch.Tensor]  # images uint8 (B, H, W, 3), texts int64 (B, L)


class CaptionedScenes(NumberedBatches):
    """Batches of the training split's scenes, counted on from `start`; every seed has a stretch of scenes of its
    own, so that runs that continue one another draw new ones.

    Two curricula: the first `alone` scenes are mostly single things, fewer and fewer of them; and with `zoom` above 1
    all scenes are single things, drawn that much larger, so that small pictures show them at the size in pixels that
    they have in full pictures. A share `grey` of the pictures comes without colours, and so do their captions:
    what no colour gives away has to be known by its shape. `usual_share`: how often a thing is where it belongs.
    """

    def __init__(
        self,
        tokenizer_directory: Path,
        pixels: int,
        batch: int,
        start: int = 0,
        alone: int = 0,
        zoom: float = 1,
        grey: float = 0,
        seed: int = 0,
        usual_share: float = USUAL_SHARE,
    ) -> None:
        super().__init__(batch, start)
        self.tokenizer_directory, self.pixels = tokenizer_directory, pixels
        self.alone, self.zoom = alone, zoom
        self.grey, self.seed, self.usual_share = grey, seed, usual_share

    def made(self, numbers: range) -> Batch:
        pairs = [self._pair(number) for number in numbers]
        images = torch.from_numpy(np.stack([image for image, _ in pairs]))
        return images, self._tokenizer([text for _, text in pairs])

    @cached_property
    def _tokenizer(self) -> Callable[[list[str]], torch.Tensor]:
        from open_clip import get_tokenizer

        return get_tokenizer(f"local-dir:{self.tokenizer_directory}")

    def _pair(self, number: int) -> tuple[np.ndarray, str]:
        scene_number = (self.seed * SCENES_PER_SEED + number) % SPLITS["train"].count
        rng = Random(f"caption-{scene_number}")
        single = self.zoom > 1 or (self.alone > 0 and rng.random() < 0.8 * (1 - number / self.alone))
        scene = sample_scene(scene_number, "train", 1 if single else None, self.usual_share)
        if self.zoom > 1:
            scene = closeup(scene, self.zoom)
        picture = draw_scene(scene, self.pixels)
        grey = self.grey > 0 and rng.random() < self.grey
        if grey:
            picture = picture.convert("L").convert("RGB")
        return np.asarray(picture), write_caption(scene, rng, colours=not grey)


def closeup(scene: Scene, zoom: float) -> Scene:
    """The scene with its things `zoom` times as large (at most filling the picture), moved inside the frame."""

    def closer(thing: Thing) -> Thing:
        scale = min(zoom * thing.scale, 1.0)
        x, y = (min(max(centre, scale / 2), 1 - scale / 2) for centre in (thing.x, thing.y))
        return replace(thing, scale=scale, x=x, y=y)

    return replace(scene, things=tuple(map(closer, scene.things)))


def augmented(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """uint8 (B, H, W, 3) -> float (B, 3, H, W) in [-1, 1], with random brightness, contrast and softness.

    What uploads and resizing do to a picture; nothing that would make a caption untrue.
    """
    x = images.permute(0, 3, 1, 2).float().div(127.5).sub(1)

    def amount(low: float, high: float) -> torch.Tensor:
        return torch.empty(len(x), 1, 1, 1, device=x.device).uniform_(low, high, generator=generator)

    soft = torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    x = torch.lerp(x, soft, amount(-0.2, 0.5))
    return (x * amount(0.85, 1.1) + amount(-0.08, 0.08)).clamp(-1, 1)
