"""Layouts as tensors: what a CLIP model has to know of them, made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from explain import towers
from explain.clip.model import Clip
from explain.clip.prompts import read_prompts
from guidance.layout.parsing import Layout, grid_notes
from guidance.objectives.settings import ObjectiveSettings


@dataclass(frozen=True, eq=False)
class LayoutTensors:
    """B layouts of at most K targets each; K is at least 1, and places that are left over are 0 everywhere.

    `texts` (B, K, D) and `scenes` (B, D) are features of unit norm, `masks` (B, K, h, w) the shares of CLIP's pixels,
    `shares` (B, K) those of the picture, at least one patch of the `grid`; `there` (B, K): which targets there are.
    `notes` are sentences for people.
    """

    phrases: tuple[tuple[str, ...], ...]
    texts: Tensor
    scenes: Tensor
    masks: Tensor
    shares: Tensor
    there: Tensor
    grid: tuple[int, int]
    notes: tuple[str, ...]


@torch.no_grad()
def layout_tensors(clip: Clip, layouts: Sequence[Layout], settings: ObjectiveSettings) -> LayoutTensors:
    """Every prompt is read once, as `explain` reads prompts. ValueError for a layout that asks for nothing."""
    for number, layout in enumerate(layouts, start=1):
        _check(number, layout, settings)
    phrases = tuple(tuple(target.phrase for target in layout.targets) for layout in layouts)
    grid = _grid(clip)
    features, notes = _read(clip, phrases, layouts, settings)
    for layout in layouts:
        notes += [note for target in layout.targets for note in grid_notes(target.boxes, grid)]
    most = max(1, *(len(each) for each in phrases))
    like = clip.model.logit_scale
    width = len(clip.empty_text)
    texts = like.new_zeros(len(layouts), most, width)
    scenes = like.new_zeros(len(layouts), width)
    masks = like.new_zeros(len(layouts), most, *clip.size)
    shares = like.new_ones(len(layouts), most)
    there = torch.zeros(len(layouts), most, dtype=torch.bool, device=like.device)
    for b, layout in enumerate(layouts):
        if settings.scene_weight:
            scenes[b] = features[layout.prompt]
        for k, target in enumerate(layout.targets):
            texts[b, k] = features[settings.prompt(target.phrase)]
            masks[b, k] = torch.from_numpy(np.ascontiguousarray(target.mask(*clip.size))).to(masks)
            shares[b, k] = max(target.share, 1 / (grid[0] * grid[1]))
            there[b, k] = True
    return LayoutTensors(phrases, texts, scenes, masks, shares, there, grid, tuple(dict.fromkeys(notes)))


def _check(number: int, layout: Layout, settings: ObjectiveSettings) -> None:
    if settings.scene_weight and not layout.prompt:
        raise ValueError(
            f"picture {number} has no prompt, but scene_weight is {settings.scene_weight:g}; "
            "allowed: a prompt, or scene_weight 0"
        )
    if not settings.scene_weight and not layout.targets:
        raise ValueError(
            f"picture {number} has no boxes, so nothing guides it; allowed: at least one box, or scene_weight above 0"
        )


def _read(
    clip: Clip, phrases: Sequence[Sequence[str]], layouts: Sequence[Layout], settings: ObjectiveSettings
) -> tuple[dict[str, Tensor], list[str]]:
    """The feature of every prompt that is needed, by the prompt as it was written, and what has to be said of it."""
    wanted = {settings.prompt(phrase): phrase for each in phrases for phrase in each}
    if settings.scene_weight:
        wanted |= {layout.prompt: layout.prompt for layout in layouts}
    read = {prompt: read_prompts(clip, [prompt])[0] for prompt in wanted}
    features = clip.encode_texts(clip.tokenize([prompt.text for prompt in read.values()]))
    notes = [f"'{wanted[prompt]}': {note}" for prompt, found in read.items() for note in found.notes]
    return dict(zip(read, features, strict=True)), notes


def _grid(clip: Clip) -> tuple[int, int]:
    """Rows and columns of the model's patches."""
    like = clip.model.logit_scale
    return towers.trunk(clip.model.visual, like.new_zeros(1, 3, *clip.size)).grid
