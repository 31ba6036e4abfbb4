"""Evaluation of generators by the detector: what it finds in an autoencoder's reconstructions, beside the error of
their pixels; and whether pictures of a prompt alone show what it says.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, VQModel
from torch import Tensor

from explain.clip.catalogue import MODELS
from guidance.generating import pictures
from guidance.generators.loading import open_generator
from guidance.generators.sampling import Sampling
from guidance.layout.parsing import Layout
from toyland.detector.evaluation import evaluate_detector
from toyland.detector.model import load_detector
from toyland.judging import Judge, Verdict
from toyland.layouts import COUNTS, sample_layouts

BATCH = 20  # pictures made at once
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


def evaluate_diffusion(
    folder: Path, split: str = "test", layouts: int = 300, device: str = "auto"
) -> dict[str, object]:
    """How much of what prompts of one, two and three things say is there, kind and colour right, without any guidance:
    of the things (`right_of_n`), and of the pictures, all of it (`all_right_of_n`); and how many things are found in a
    picture, wanted or not. 30 steps, classifier-free guidance of 7.5, seeds counted from 0.
    """
    generator, judge = open_generator(folder, device), Judge(JUDGE)
    drawn = sample_layouts(split, layouts)
    sampling = Sampling(mode="off")
    verdicts: list[Verdict] = []
    for first in range(0, layouts, BATCH):
        some = drawn[first : first + BATCH]
        seeds = range(first, first + len(some))
        made = pictures(generator, None, [Layout(one.prompt) for one in some], seeds, sampling)
        verdicts += judge.judge(made, some)
    figures: dict[str, object] = {"model": folder.name, "split": split, "layouts": layouts}
    figures |= {"steps": sampling.steps, "guidance_scale": sampling.guidance_scale}
    for count in COUNTS:
        there = [[thing.present for thing in each.things] for each in verdicts if len(each.things) == count]
        figures[f"right_of_{count}"] = round(sum(map(sum, there)) / (count * len(there)), 4)
        figures[f"all_right_of_{count}"] = round(sum(map(all, there)) / len(there), 4)
    return figures | {"found": round(sum(each.found for each in verdicts) / layouts, 4)}
