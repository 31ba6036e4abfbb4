"""ECLIP: a second image projection, trained so that the similarity map falls on the things.

Li, Wang, Duan, Xu, Li, "Exploring Visual Interpretability for Contrastive Language-Image Pre-training", 2022 (arXiv
2209.07046). Reconstructed from the abstract: with x_i the frozen tokens of the patches, m the mask of free attention
(training only) and W a linear projection beside the model's own,

    v_c = max over i with m_i = 1 of (x_i W)_c          Masked Max Pooling
    z = v / |v|,  t = text / |text|
    L = 1/2 CE(s Z T^T, diagonal) + 1/2 CE(s T Z^T, diagonal),   s the model's own temperature

and the map is ITSM with W in the place of the model's projection: no mask, no pooling. The model's own projection
stays for recognition, so its scores do not change by a bit. On a ModifiedResNet x_i are the values of the attention
pool, before it mixes them, so that W with the model's own numbers gives MaskCLIP's map there.

Not known, and ours: W starts from the model's own or fresh; the texts' side and s are frozen; the maximum is taken
before the norm. `eclip_training.py` has the training, `freeattention.py` the masks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from explain import towers
from explain.registry import method
from explain.similarity import similarity_map

if TYPE_CHECKING:
    from explain.clip import Clip
    from explain.encodings import ImageEncoding
    from explain.towers import Tokens

FILE = "projection.safetensors"
FOLDER = "eclip"  # in a model's folder: beside its weights, open_clip might take one for the other
POOLINGS = ("class", "average", "max", "masked_average", "masked_max")


@dataclass(frozen=True)
class Projection:
    """W (D', D) and its bias (D,), and how they were trained (JSON, for people)."""

    weight: Tensor
    bias: Tensor
    settings: str = "{}"

    def __call__(self, tokens: Tensor) -> Tensor:
        """Tokens (..., D') -> (..., D) in the joint space, not normalised."""
        return tokens @ self.weight.to(tokens) + self.bias.to(tokens)


def masked_max(tokens: Tensor, masks: Tensor) -> Tensor:
    """The maximum of each channel over the kept tokens: (B, P, D), masks (B, P) -> (B, D).

    ValueError where a mask keeps nothing.
    """
    _must_keep(masks)
    return tokens.masked_fill(~masks.unsqueeze(-1), -torch.inf).amax(1)


def masked_average(tokens: Tensor, masks: Tensor) -> Tensor:
    """The mean of each channel over the kept tokens: (B, P, D), masks (B, P) -> (B, D)."""
    _must_keep(masks)
    kept = masks.unsqueeze(-1).to(tokens.dtype)
    return (tokens * kept).sum(1) / kept.sum(1)


def pooled(tokens: Tensor, masks: Tensor, pooling: str) -> Tensor:
    """One of POOLINGS over projected rows (B, 1 + P, D), the model's own pooled row first -> (B, D)."""
    if pooling not in POOLINGS:
        raise ValueError(f"pooling is {pooling!r}; allowed: {', '.join(POOLINGS)}")
    if pooling == "class":
        return tokens[:, 0]
    masks = masks if pooling.startswith("masked") else torch.ones_like(masks)
    return (masked_max if pooling.endswith("max") else masked_average)(tokens[:, 1:], masks)


def eclip_map(clip: Clip, encoding: ImageEncoding, projection: Projection, text_features: Tensor) -> Tensor:
    """Maps (B, T, h, w) in [-1, 1]: cosines of the texts with the patches, projected by `projection`."""
    with torch.no_grad():
        dense = projected_tokens(clip, encoding.tokens, projection)
    return similarity_map(dense, text_features)


def projected_tokens(clip: Clip, tokens: Tokens, projection: Projection) -> Tensor:
    """Dense tokens (B, h, w, D) of unit norm through `projection`; differentiable."""
    rows = towers.head_input(clip.model.visual, tokens)[:, 1:]
    return F.normalize(projection(rows), dim=-1).unflatten(1, tokens.grid)


def start(clip: Clip, fresh: bool, generator: torch.Generator) -> Projection:
    """W before training: the model's own projection, or random numbers of the same spread."""
    weight, bias = (x.detach().float().clone() for x in towers.head(clip.model.visual))
    if not fresh:
        return Projection(weight, bias)
    noise = torch.randn(weight.shape, generator=generator).to(weight)
    return Projection(noise * len(weight) ** -0.5, torch.zeros_like(bias))


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


def read(path: Path, clip: Clip) -> Projection:
    """What `save` wrote, for this model. ValueError for anything else, and for another model's."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            found = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
            settings = (file.metadata() or {}).get("settings", "{}")
        json.loads(settings)
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"{path.name} holds no ECLIP projection: {error}") from error
    weight, bias = towers.head(clip.model.visual)
    shapes = {name: tuple(x.shape) for name, x in found.items()}
    if shapes != {"weight": tuple(weight.shape), "bias": tuple(bias.shape)}:
        raise ValueError(f"{path.name} is for another model: it holds {shapes}")
    if not all(x.isfinite().all() for x in found.values()):
        raise ValueError(f"{path.name} holds numbers that are not finite")
    return Projection(found["weight"].to(weight), found["bias"].to(bias), settings)


def _must_keep(masks: Tensor) -> None:
    if not masks.any(1).all():
        raise ValueError("a mask that keeps no patch cannot be pooled")


@method(
    "eclip",
    "ECLIP",
    "Li et al. 2022, arXiv 2209.07046",
    "The similarity map through a projection that was trained, with captions alone, to find things.",
    "What made the model's own score, which it does not touch.",
    trained=True,
)
def eclip(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    clip = encoding.clip
    if clip.eclip is None:
        raise ValueError(f"there is no ECLIP projection for {clip.name}")
    return eclip_map(clip, encoding, clip.eclip, text_features)
