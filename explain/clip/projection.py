"""ECLIP's projection beside the model's own (Li et al. 2022): its file, read and written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from explain import towers

FILE = "projection.safetensors"
FOLDER = "eclip"  # in a model's folder: beside its weights, open_clip might take one for the other


@dataclass(frozen=True)
class Projection:
    """W (D', D) and its bias (D,), and how they were trained (JSON, for people)."""

    weight: Tensor
    bias: Tensor
    settings: str = "{}"

    def __call__(self, tokens: Tensor) -> Tensor:
        """Tokens (..., D') -> (..., D) in the joint space, not normalised."""
        return tokens @ self.weight.to(tokens) + self.bias.to(tokens)


def save(projection: Projection, path: Path) -> None:
    """Writes W as fp16 safetensors, its settings in the header."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    tensors = {
        name: x.detach().half().cpu().contiguous()
        for name, x in (("weight", projection.weight), ("bias", projection.bias))
    }
    save_file(tensors, partial, {"settings": projection.settings})
    partial.replace(path)


def read(path: Path, visual: nn.Module) -> Projection:
    """Reads what `save` wrote, for this image tower. ValueError for anything else, and for another model's."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            found = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
            settings = (file.metadata() or {}).get("settings", "{}")
        json.loads(settings)
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"{path.name} holds no ECLIP projection: {error}") from error
    weight, bias = towers.head(visual)
    shapes = {name: tuple(x.shape) for name, x in found.items()}
    if shapes != {"weight": tuple(weight.shape), "bias": tuple(bias.shape)}:
        raise ValueError(f"{path.name} is for another model: it holds {shapes}")
    if not all(x.isfinite().all() for x in found.values()):
        raise ValueError(f"{path.name} holds numbers that are not finite")
    return Projection(found["weight"].to(weight), found["bias"].to(bias), settings)
