"""gScoreCAM.

Chen, Li, Biaz, Bui, Nguyen, "gScoreCAM: What Objects Is CLIP Looking At?", ACCV 2022; ScoreCAM (Wang et al. 2019, arXiv
1910.01279) for the channels that the gradient likes best. With activations a_c (h, w) before the last attention:

    H_c = min-max of a_c, resized to the picture
    w = softmax over the chosen c of S(picture * H_c)           M = relu(sum_c w_c a_c)

chosen are the 300 channels of the largest mean gradient dS/da_c.

Differs from the paper: S is the model's logit; the activations are those of `grad_cam.py`; their min-max comes before
they are resized, where ScoreCAM and its code have it after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from explain.methods.grad_cam import activations_and_gradients
from explain.methods.registry import method

if TYPE_CHECKING:
    from explain.clip.model import Clip
    from explain.encodings import ImageEncoding
    from explain.towers import Tokens

CHANNELS = 300
BATCH = 64


def gscorecam_map(
    clip: Clip, images: Tensor, tokens: Tokens, text_features: Tensor, channels: int = CHANNELS
) -> Tensor:
    """Maps (B, T, h, w), not negative: a forward for every channel that some text chose, for each image."""
    activations, grads = activations_and_gradients(clip, tokens, text_features)  # (B, P, D), (T, B, P, D)
    chosen = grads.mean(2).topk(min(channels, grads.shape[-1]), dim=-1).indices  # (T, B, k)
    planes = activations.transpose(1, 2).unflatten(-1, tokens.grid)  # (B, D, h, w)
    maps = []
    for b, image in enumerate(images):
        needed, places = chosen[:, b].unique(return_inverse=True)
        logits = _masked_logits(clip, image, planes[b, needed], text_features)  # (needed, T)
        weights = logits.T.gather(1, places).softmax(-1)  # (T, k)
        maps.append(torch.einsum("tk,tkhw->thw", weights, planes[b][chosen[:, b]]))
    return torch.stack(maps).clamp(min=0)


@torch.no_grad()
def _masked_logits(clip: Clip, image: Tensor, planes: Tensor, text_features: Tensor) -> Tensor:
    """S (C, T) of the image (3, H, W) seen through each of the planes (C, h, w)."""
    rows = [
        clip.encode_images(image * masks_of(some, image.shape[-2:])) @ text_features.T
        for some in planes.split(BATCH)
    ]
    return torch.cat(rows) * clip.logit_scale


def masks_of(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """H (C, 1, H, W), from 0 to 1 on the grid, of the planes (C, h, w)."""
    low, high = planes.amin((1, 2), keepdim=True), planes.amax((1, 2), keepdim=True)
    planes = (planes - low) / (high - low).clamp(min=torch.finfo(planes.dtype).tiny)
    return F.interpolate(planes.unsqueeze(1), size=size, mode="bilinear", align_corners=False)


@method(
    "gscorecam",
    "gScoreCAM",
    "Chen et al. 2022, ACCV; ScoreCAM, arXiv 1910.01279",
    "Activations weighted by the score of the picture seen through each of them: slow.",
    "Which patch a feature was needed in: one weight per feature serves the whole picture.",
    own_forwards=True,
    title="What scores when the rest is dimmed",
)
def gscorecam(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return gscorecam_map(encoding.clip, encoding.images, encoding.tokens, text_features)
