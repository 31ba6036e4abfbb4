"""Models of the same architecture with weights that were never trained: the sanity check of explanations.

Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim, "Sanity Checks for Saliency Maps", NeurIPS 2018 (arXiv 1810.03292): a
map that stays as it is when the model's weights are replaced by random ones does not explain what was learned.

Differs from the paper: all layers are replaced at once (its "full" randomisation), not one after the other.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from explain.clip.model import Clip
from explain.clip.projection import Projection

KEPT = ("logit_scale", "logit_bias")  # the unit of scores: no map depends on it
CALIBRATION = 8  # pictures of noise that batch norms take their statistics from
_MATRICES = (nn.Linear, nn.modules.conv._ConvNd, nn.MultiheadAttention)


def randomised(clip: Clip, seed: int = 0) -> Clip:
    """A copy of the model with fresh random weights, frozen, on the same device, with caches of its own.

    The given model and torch's global random state stay as they are; equal seeds give equal weights on every
    device. An ECLIP projection is replaced by a random one of the same shape: it was trained too, and kept it
    would carry what the check has to take away. The list of training words goes, as no word was ever seen.
    ValueError for a seed that is no whole number from 0 to 2^63 - 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise ValueError(f"the seed is {str(seed)[:40]!r}; allowed: a whole number from 0 to 2^63 - 1")
    generator = torch.Generator().manual_seed(seed)
    model = copy.deepcopy(clip.model).eval()
    with torch.no_grad():
        for module in model.modules():
            for name, values in module.named_parameters(recurse=False):
                if name not in KEPT:
                    values.copy_(_fresh(module, name, values, generator))
        _calibrate(model.visual, clip.size, clip.device, generator)
    fresh = replace(
        clip,
        name=f"{clip.name} with random weights (seed {seed})",
        model=model.requires_grad_(False),
        vocabulary=None,
        eclip=None,
    )
    if clip.eclip is None:
        return fresh
    return replace(fresh, eclip=_projection(clip.eclip, generator))


def _fresh(module: nn.Module, name: str, values: Tensor, generator: torch.Generator) -> Tensor:
    """Numbers for one parameter, drawn on the CPU: norms and scales start at 1, biases at 0, a matrix keeps the
    spread of what it multiplies, and vectors that stand alone (embeddings, queries) have a length of about 1.
    """
    if "bias" in name:
        return torch.zeros(values.shape)
    if isinstance(module, (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, _NormBase)) or "gamma" in name:
        return torch.ones(values.shape)
    if values.ndim == 0:
        return values.detach().cpu()
    # After a convolution half of the numbers are lost in a ReLU.
    gain = 2.0 if isinstance(module, nn.modules.conv._ConvNd) else 1.0
    across = values[0].numel() if isinstance(module, _MATRICES) else values.shape[-1]
    return torch.randn(values.shape, generator=generator) * (gain / across) ** 0.5


def _calibrate(
    visual: nn.Module, size: tuple[int, int], device: torch.device, generator: torch.Generator
) -> None:
    """Gives batch norms the statistics of smooth noise, as training would at its first step.

    With a mean of 0 and a variance of 1 instead, numbers would grow from block to block.
    """
    norms = [module for module in visual.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    coarse = torch.randn(CALIBRATION, 3, *(-(-side // 16) for side in size), generator=generator)
    pictures = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False).to(device)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = 1.0
        norm.train()
    visual(pictures)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def _projection(trained: Projection, generator: torch.Generator) -> Projection:
    """A random W of the same shape and no bias."""
    noise = torch.randn(trained.weight.shape, generator=generator) * len(trained.weight) ** -0.5
    return Projection(noise.to(trained.weight), torch.zeros_like(trained.bias), '{"random": true}')
