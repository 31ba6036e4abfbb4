"""Losses that guidance minimises, as pure functions of tensors, batched over leading dimensions.

Paiss, Chefer, Wolf, "No Token Left Behind", ECCV 2022 (arXiv 2204.04908), as its official code computes it. With q the
relevance of every pixel to a phrase, m the mask of the phrase's boxes and r = mean(m),

    b = sigmoid((q / max(q) - t) T),  t = 0.1, T = 20        I = sum b m,  U = sum b (1 - m)
    D = 2 I / (2 I + U)                                      lambda = 0.15 / sqrt(r)
    d = 2 arcsin(|x/|x| - y/|y|| / 2)^2                      (x an image's feature, y a text's)

D is no Dice coefficient: with P = I / (I + U), the share of the relevance that is inside, D = 2 P / (1 + P). It does
not ask that relevance reaches all of the mask, and as b is 0.12 where q is 0, the best that can be reached grows with
r: 0.39 for r = 0.036, 0.94 for r = 0.5.

Differs from the paper: q is not negative (bicubic interpolation undershoots), and a map that is 0 everywhere is
allowed. `mask_coverage` is ours.
"""

import torch.nn.functional as F
from torch import Tensor

THRESHOLD = 0.1
SHARPNESS = 20.0
LAMBDA = 0.15
EPS = 1e-12  # relevance below this is none


def spherical_distance(features: Tensor, others: Tensor) -> Tensor:
    """2 arcsin(|x - y| / 2)^2 of (..., D) and (..., D), of any length: (...). 0 where they point the same way, pi^2 / 8
    at right angles.
    """
    chord = (F.normalize(features, dim=-1) - F.normalize(others, dim=-1)).norm(dim=-1)
    return 2 * (chord / 2).clamp(max=1 - 1e-7).arcsin() ** 2  # the slope of arcsin at 1 has no end


def on_pixels(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (..., h, w) at the size (height, width) of pictures, bicubic, nowhere negative."""
    flat = maps.reshape(-1, 1, *maps.shape[-2:])
    large = F.interpolate(flat, size=size, mode="bicubic", align_corners=False).clamp(min=0)
    return large.reshape(*maps.shape[:-2], *size)


def lit(relevance: Tensor, threshold: float = THRESHOLD, sharpness: float = SHARPNESS) -> Tensor:
    """b in (0, 1): which pixels of maps (..., H, W), not negative, have more than `threshold` of the map's largest
    relevance, softly. A map that is 0 everywhere is lit nowhere.
    """
    largest = relevance.amax((-2, -1), keepdim=True).clamp(min=EPS)
    return ((relevance / largest - threshold) * sharpness).sigmoid()


def relevance_in_mask(
    relevance: Tensor, masks: Tensor, threshold: float = THRESHOLD, sharpness: float = SHARPNESS
) -> Tensor:
    """D in [0, 1] of maps (..., H, W), not negative, and masks (..., H, W) in [0, 1] at the same size: (...).

    1 where the mask is the whole picture, whatever the map; 0 where it is empty.
    """
    on = lit(relevance, threshold, sharpness)
    inside = (on * masks).sum((-2, -1))
    outside = (on * (1 - masks)).sum((-2, -1))
    return 2 * inside / (2 * inside + outside)


def mask_coverage(
    relevance: Tensor, masks: Tensor, threshold: float = THRESHOLD, sharpness: float = SHARPNESS
) -> Tensor:
    """The share of the mask (...) that is lit, sum b m / sum m: ours. What D leaves out, as recall beside precision: it
    rises where relevance reaches another part of the mask, or another of several boxes, and not where it grows.
    0 where the mask is empty.
    """
    area = masks.sum((-2, -1))
    return (lit(relevance, threshold, sharpness) * masks).sum((-2, -1)) / area.clamp(min=EPS)


def share_in_mask(relevance: Tensor, masks: Tensor) -> Tensor:
    """The share (...) of the relevance that is inside: no threshold, for people to read. 0 for an empty map."""
    return (relevance * masks).sum((-2, -1)) / relevance.sum((-2, -1)).clamp(min=EPS)


def object_weight(shares: Tensor, weight: float = LAMBDA) -> Tensor:
    """lambda of targets whose masks have these shares r > 0 of the picture: small things weigh more."""
    return weight / shares.sqrt()
