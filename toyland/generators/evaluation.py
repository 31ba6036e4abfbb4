"""What an autoencoder's reconstructions are worth: the error of their pixels, and what the detector finds in them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, VQModel
from torch import Tensor

from explain.catalogue import MODELS
from toyland.detector.evaluation import evaluate_detector
from toyland.detector.model import load_detector

JUDGE = MODELS / "toy-detector"
FAMILIES = {family.__name__: family for family in (AutoencoderKL, VQModel)}


class Reconstruction:
    """An autoencoder there and back: pictures (B, 3, H, W) in [0, 1]. Keeps the mean absolute error, of 255."""

    def __init__(self, folder: Path) -> None:
        family = FAMILIES[json.loads((folder / "config.json").read_text())["_class_name"]]
        self.model = family.from_pretrained(folder).float().eval().requires_grad_(False)
        self.errors: list[float] = []

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        encoded = self.model.encode(images * 2 - 1)
        latents = encoded.latents if isinstance(self.model, VQModel) else encoded.latent_dist.mean
        found = (self.model.decode(latents).sample / 2 + 0.5).clamp(0, 1)
        self.errors.append((found - images).abs().mean().item() * 255)
        return found

    @property
    def pixel_error(self) -> float:
        return sum(self.errors) / len(self.errors)


def evaluate_autoencoder(folder: Path, split: str = "test", scenes: int = 1000) -> dict[str, object]:
    """The detector's figures on reconstructions of a split's scenes, as `evaluate_detector` gives them, and
    `pixel_error`.
    """
    through = Reconstruction(folder)
    figures = evaluate_detector(load_detector(JUDGE), split, scenes, through=through)
    return figures | {"model": folder.name, "pixel_error": round(through.pixel_error, 2)}
