"""A detector of centres, in the manner of CenterNet (Zhou, Wang, Krähenbühl 2019, arXiv 1904.07850), for 64 px
pictures.

Every cell of a 16x16 grid says how likely the centre of a thing of each kind lies in it, which colour it has, and how
far its sides are. Differs from the paper: the box is learnt by its overlap (GIoU), by the cells around the centre too.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from toyland.art import COLOURS, KINDS

PIXELS = 64
GRID = 16
FEATURES = 64  # channels of the pooled description that Fréchet distances are taken on
WEIGHTS = "model.safetensors"


class Residual(nn.Module):
    """Two convolutions beside a skip connection; the first may halve the grid."""

    def __init__(self, inward: int, outward: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(inward, outward, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outward, outward, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outward) for _ in range(2))
        self.skip = (
            nn.Conv2d(inward, outward, 1, stride) if (inward, stride) != (outward, 1) else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norms[0](self.first(x)))
        return F.relu(self.skip(x) + self.norms[1](self.second(y)))


class Detector(nn.Module):
    """Pictures (B, 3, 64, 64) in [-1, 1] -> kinds (B, 24, 16, 16), colours (B, 8, 16, 16), sides (B, 4, 16, 16).

    Kinds and colours are logits; sides are distances of left, top, right and bottom from the cell's centre, in
    fractions of the picture, at least 0.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, 1, 1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            Residual(width, width, 2),
            Residual(width, 2 * width, 2),
            Residual(2 * width, 2 * width),
        )
        self.around = nn.Sequential(  # what a cell cannot see: half the grid, twice the reach
            Residual(2 * width, 4 * width, 2), Residual(4 * width, 4 * width), Residual(4 * width, 4 * width)
        )
        self.inward = nn.Conv2d(4 * width, 2 * width, 1)
        self.last = nn.Sequential(Residual(2 * width, 2 * width), Residual(2 * width, FEATURES))
        self.kinds, self.colours, self.sides = (
            nn.Sequential(nn.Conv2d(FEATURES, FEATURES, 3, 1, 1), nn.ReLU(), nn.Conv2d(FEATURES, n, 1))
            for n in (len(KINDS), len(COLOURS), 4)
        )
        nn.init.constant_(self.kinds[-1].bias, -4.6)  # a cell is no centre unless something says so
        nn.init.constant_(self.sides[-1].bias, -2.0)

    def features(self, images: Tensor) -> Tensor:
        """Returns the features (B, 64, 16, 16) that the heads read."""
        x = self.stem(images)
        return self.last(x + F.interpolate(self.inward(self.around(x)), scale_factor=2.0))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.features(images)
        return self.kinds(x), self.colours(x), F.softplus(self.sides(x))


def centres(device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Centres of the cells, in fractions of the picture: x (1, 16) and y (16, 1)."""
    line = (torch.arange(GRID, device=device) + 0.5) / GRID
    return line[None], line[:, None]


def corners(sides: Tensor) -> Tensor:
    """Boxes (B, 4, 16, 16) as left, top, right, bottom in fractions, from the sides' distances."""
    x, y = centres(sides.device)
    left, top, right, bottom = sides.unbind(1)
    return torch.stack([x - left, y - top, x + right, y + bottom], dim=1)


def save_detector(state: dict[str, Tensor], folder: Path) -> None:
    """Write fp16 weights and the width."""
    folder.mkdir(parents=True, exist_ok=True)
    half = {k: (v.half() if v.is_floating_point() else v).contiguous().cpu() for k, v in state.items()}
    (folder / "config.json").write_text(json.dumps({"width": len(state["stem.0.bias"])}) + "\n")
    save_file(half, folder / WEIGHTS)


def load_detector(folder: Path, device: str = "cpu") -> Detector:
    """The detector of a folder, in fp32 and in evaluation mode. ValueError where there is none."""
    if not (folder / WEIGHTS).is_file():
        raise ValueError(f"{folder} holds no detector: {WEIGHTS} is missing")
    detector = Detector(**json.loads((folder / "config.json").read_text()))
    detector.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in load_file(folder / WEIGHTS).items()}
    )
    return detector.eval().requires_grad_(False).to(device)
