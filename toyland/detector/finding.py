"""From the detector's grids to things with kind, colour and box, and how well they agree with what should be there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import box_iou, nms

from toyland.art import COLOURS, KINDS
from toyland.detector.model import PIXELS, Detector, corners
from toyland.world.drawing import Corners

THRESHOLD = 0.35  # of the score; chosen on validation scenes
OVERLAP = 0.5  # boxes that share more are one thing
AT_ONCE = 16  # peaks looked at in a picture

_KINDS, _COLOURS = tuple(KINDS), tuple(COLOURS)


@dataclass(frozen=True)
class Found:
    """A thing in a picture: kind, colour, how sure the detector is of the kind, and left, top, right, bottom in
    fractions.
    """

    kind: str
    colour: str
    score: float
    box: Corners


@dataclass(frozen=True)
class Wanted:
    """A thing that a picture should show."""

    kind: str
    colour: str
    box: Corners


@torch.no_grad()
def find(detector: Detector, images: Tensor, threshold: float = THRESHOLD) -> list[list[Found]]:
    """The things of pictures (B, 3, H, W) in [0, 1], surest first. Pictures of another size are resized."""
    kinds, colours, sides = detector(for_detector(images))
    heat = kinds.float().sigmoid()
    peaks = torch.where(heat == F.max_pool2d(heat, 3, 1, 1), heat, 0).amax(dim=1)  # (B, 16, 16)
    boxes = corners(sides.float()).clamp(0, 1)
    return [
        _one(peak, heat[row].argmax(dim=0), colours[row].argmax(dim=0), boxes[row], threshold)
        for row, peak in enumerate(peaks)
    ]


def for_detector(images: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) in [0, 1] as the detector takes them."""
    images = images.float()
    if images.shape[-2:] != (PIXELS, PIXELS):
        images = F.interpolate(images, (PIXELS, PIXELS), mode="bilinear", antialias=True, align_corners=False)
    return images * 2 - 1


def _one(peak: Tensor, kinds: Tensor, colours: Tensor, boxes: Tensor, threshold: float) -> list[Found]:
    scores, cells = peak.flatten().topk(AT_ONCE)
    cells, scores = cells[scores > threshold], scores[scores > threshold]
    candidates = boxes.flatten(1)[:, cells].T
    kept = nms(candidates, scores, OVERLAP)
    return [
        Found(
            _KINDS[int(kinds.flatten()[cells[i]])],
            _COLOURS[int(colours.flatten()[cells[i]])],
            round(float(scores[i]), 4),
            tuple(round(value, 4) for value in candidates[i].tolist()),
        )
        for i in kept.tolist()
    ]


def matches(found: Sequence[Found], wanted: Sequence[Wanted], overlap: float = 0.5) -> list[int | None]:
    """For every wanted thing the number of the found one that is it, or None. Surest first, each used once.

    It must have the kind, the colour, and an intersection over union of at least `overlap`.
    """
    matched: list[int | None] = [None] * len(wanted)
    for number, thing in enumerate(found):
        free = [
            (iou(thing.box, other.box), i)
            for i, other in enumerate(wanted)
            if matched[i] is None and (thing.kind, thing.colour) == (other.kind, other.colour)
        ]
        best, i = max(free, default=(0.0, -1))
        if i >= 0 and best >= overlap:
            matched[i] = number
    return matched


def iou(a: Corners, b: Corners) -> float:
    """Intersection over union of two boxes."""
    return float(box_iou(torch.tensor([a]), torch.tensor([b])))


def f1(hits: int, found: int, wanted: int) -> float:
    """Harmonic mean of precision and recall; 1 where there is nothing to find and nothing was found."""
    return 2 * hits / (found + wanted) if found + wanted else 1.0
