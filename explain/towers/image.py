"""Image towers as two steps: the generic functions, dispatched on the class of the tower.

Every supported image tower is read as two steps, dispatched on its class:

    trunk   the blocks before the last attention; nothing here has to be differentiated for a last-block map
    pool    the last attention and the head, for the pooled row alone

so that T prompts of one image cost one trunk and T small gradients. `dense` applies the same end to every
patch: the dense tokens are what the model's own head returns for one patch. Positional embeddings are
interpolated at call time for sizes other than the native one, and never written back.

Differs from the papers: none gives ViT, ResNet and SigLIP one read-out; see each `dense` for whose it is.
"""

from dataclasses import dataclass
from functools import singledispatch

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Tokens:
    """What enters the last attention of an image tower: values (B, N, D), patches row-major after any
    prefix.
    """

    values: Tensor
    grid: tuple[int, int]  # rows and columns of patches


@dataclass(frozen=True)
class Shape:
    """How relevance is read from a tower.

    `layers`: how many attentions run in trunk and pool together. `prefix`: rows before the patches in the
    columns of the last attention. `skips`: whether a skip connection goes round the last attention (not
    round a pool).
    """

    layers: int
    prefix: int
    skips: bool


@singledispatch
def refusal(visual: nn.Module) -> str | None:
    """Why this image tower cannot be opened, or None if it can."""
    return (
        f"{type(visual).__name__} towers cannot be opened here; those that can: VisionTransformer with a class token, "
        "ModifiedResNet, SigLIP (timm's VisionTransformer with an attention pool)"
    )


@singledispatch
def shape(visual: nn.Module) -> Shape:
    """The number of attentions, prefix rows and kind of the last attention."""
    raise ValueError(refusal(visual))


@singledispatch
def trunk(visual: nn.Module, images: Tensor) -> Tokens:
    """Everything before the last attention: images (B, 3, H, W), normalised -> tokens (B, N, D)."""
    raise ValueError(refusal(visual))


@singledispatch
def seen(visual: nn.Module, tokens: Tokens) -> Tensor:
    """The tokens as the last attention sees them (B, N, D), after its own layer norm: the activations of
    Grad-CAM.
    """
    raise ValueError(refusal(visual))


@singledispatch
def pool(visual: nn.Module, tokens: Tokens, activations: Tensor | None = None) -> Tensor:
    """The last attention for the pooled row alone, and the head: (B, D), not normalised, equal to
    `visual(images)`.

    `activations` replaces `seen(visual, tokens)`, so that a gradient can be taken there.
    """
    raise ValueError(refusal(visual))


@singledispatch
def dense(visual: nn.Module, tokens: Tokens, rn_dense: str = "attn") -> Tensor:
    """Dense tokens in the joint space (B, h * w, D), not normalised. `rn_dense` matters to ModifiedResNet
    alone.
    """
    raise ValueError(refusal(visual))


@singledispatch
def cam_layer(visual: nn.Module) -> nn.Module:
    """The module whose output is `seen`: the layer that a Grad-CAM library is given."""
    raise ValueError(refusal(visual))


def resample(embedding: Tensor, grid: tuple[int, int], native: tuple[int, int], prefix: int) -> Tensor:
    """A positional embedding (prefix + H * W, D) for another grid, bicubic as in open_clip; the prefix is
    kept.
    """
    if grid == native:
        return embedding
    head, patches = embedding[:prefix], embedding[prefix:]
    patches = patches.unflatten(0, native).permute(2, 0, 1).unsqueeze(0)
    patches = F.interpolate(patches, size=grid, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([head, patches.squeeze(0).flatten(1).T])


def grid_of(images: Tensor, patch: tuple[int, int]) -> tuple[int, int]:
    """The grid (h, w) of patches of these images; their size must be a multiple of the patch's."""
    size = images.shape[-2:]
    if size[0] % patch[0] or size[1] % patch[1] or 0 in size:
        raise ValueError(f"image size {tuple(size)} must be a multiple of the patch size {tuple(patch)}")
    return size[0] // patch[0], size[1] // patch[1]
