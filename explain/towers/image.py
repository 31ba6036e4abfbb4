"""Image towers as two steps: the generic functions, dispatched on the class of the tower (in timm's wrapper, of what
it wraps).

Every supported image tower is read as two steps, dispatched on its class:

    trunk   the blocks before the last attention; nothing here has to be differentiated for a last-block map
    pool    the last attention and the head, for the pooled row alone

so that T prompts of one image cost one trunk and T small gradients. `dense` applies the same end to every
patch: the dense tokens are what the model's own head returns for one patch. `layers` is one run with every
attention open, for the methods that read them all; `parts` takes the last attention to pieces, for those
that put another in its place. Positional embeddings are interpolated at call time for sizes other than the
native one, and never written back.

Differs from the papers: none gives ViT, ResNet and SigLIP one read-out; see each `dense` for whose it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch, wraps
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.timm_model import TimmModel
from torch import Tensor, nn


@dataclass(frozen=True)
class Tokens:
    """Tokens that enter the last attention of an image tower: values (B, N, D), patches row-major after any
    prefix.
    """

    values: Tensor
    grid: tuple[int, int]  # rows and columns of patches


@dataclass(frozen=True)
class Shape:
    """How relevance is read from a tower.

    `layers`: how many attentions run in trunk and pool together. `prefix`: rows before the patches in the
    columns of the last attention. `skips`: whether a skip connection goes round the last attention (not
    round a pool). `attends`: whether the last attention weighs patches; a mean gives all the same weight.
    """

    layers: int
    prefix: int
    skips: bool
    attends: bool = True


# What is alike in all towers of a family; the number of layers stands for "several" or "one".
FAMILIES = {
    "ViT": Shape(layers=12, prefix=1, skips=True),
    "ResNet": Shape(layers=1, prefix=1, skips=False),
    "SigLIP": Shape(layers=13, prefix=0, skips=False),
    "CNN": Shape(layers=1, prefix=0, skips=False, attends=False),
}


@dataclass(frozen=True)
class Layers:
    """One run of an image tower with every attention open, on a graph that leads from A to the pooled row.

    `hidden`: what enters each attention (B, N, D), the last of them the values of `tokens`. `probs`: A of
    each (B, heads, L, S); of the last only the pooled row, L = 1. `pooled` (B, D), not normalised.
    """

    hidden: tuple[Tensor, ...]
    probs: tuple[Tensor, ...]
    pooled: Tensor
    grid: tuple[int, int]

    @property
    def tokens(self) -> Tokens:
        """Tokens that `trunk` returns, without the graph."""
        return Tokens(self.hidden[-1].detach(), self.grid)


@dataclass(frozen=True)
class Parts:
    """The last attention in pieces. Row 0 of `query` is the pooled one.

    `query` (B, L, D), `key` and `value` (B, N, D) are projected, all heads side by side. `out` projects what
    the attention mixed, (..., D) -> (..., D'). `finish` takes a slice of the rows and their projected
    outputs to the joint space, through the skip connections and MLP that follow, or without them.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    heads: int
    out: Callable[[Tensor], Tensor]
    finish: Callable[[slice, Tensor, bool], Tensor]

    @property
    def by_head(self) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value with a dimension of heads: (B, heads, L or N, d)."""
        query, key, value = (
            x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (self.query, self.key, self.value)
        )
        return query, key, value


def tower_dispatch(function: Callable[..., Any]) -> Any:
    """`singledispatch` on the tower's class; timm's wrapper is one class for all, so there on that of its trunk."""
    generic = singledispatch(function)

    @wraps(function)
    def call(visual: nn.Module, *args: Any, **kwargs: Any) -> Any:
        inner = visual.trunk if isinstance(visual, TimmModel) else visual
        return generic.dispatch(type(inner))(visual, *args, **kwargs)

    call.register = generic.register  # type: ignore[attr-defined]
    return call


@tower_dispatch
def refusal(visual: nn.Module) -> str | None:
    """Why this image tower cannot be opened, or None if it can."""
    timm = isinstance(visual, TimmModel)
    name = f"timm's {type(visual.trunk).__name__}" if timm else type(visual).__name__
    return (
        f"{name} towers cannot be opened here; those that can: VisionTransformer with a class token, "
        "ModifiedResNet, SigLIP (timm's VisionTransformer with an attention pool), timm's EfficientNet, ConvNeXt, "
        "RegNet and ResNet with a mean pool"
    )


@tower_dispatch
def shape(visual: nn.Module) -> Shape:
    """The number of attentions, prefix rows and kind of the last attention."""
    raise ValueError(refusal(visual))


@tower_dispatch
def trunk(visual: nn.Module, images: Tensor) -> Tokens:
    """Everything before the last attention: images (B, 3, H, W), normalised -> tokens (B, N, D)."""
    raise ValueError(refusal(visual))


@tower_dispatch
def seen(visual: nn.Module, tokens: Tokens) -> Tensor:
    """The tokens as the last attention sees them (B, N, D), after its own layer norm: the activations of
    Grad-CAM.
    """
    raise ValueError(refusal(visual))


@tower_dispatch
def pool(visual: nn.Module, tokens: Tokens, activations: Tensor | None = None) -> Tensor:
    """The last attention for the pooled row alone, and the head: (B, D), not normalised, equal to
    `visual(images)`.

    `activations` replaces `seen(visual, tokens)`, so that a gradient can be taken there.
    """
    raise ValueError(refusal(visual))


@tower_dispatch
def dense(visual: nn.Module, tokens: Tokens, rn_dense: str = "attn") -> Tensor:
    """Dense tokens in the joint space (B, h * w, D), not normalised. `rn_dense` matters to ModifiedResNet
    alone.
    """
    raise ValueError(refusal(visual))


@tower_dispatch
def layers(visual: nn.Module, images: Tensor) -> Layers:
    """`trunk` and `pool` in one run with every attention open; gradients must be enabled."""
    raise ValueError(refusal(visual))


@tower_dispatch
def last_block(visual: nn.Module, tokens: Tokens) -> Tensor:
    """All tokens (B, N, D) after the block that the last attention belongs to, before the head."""
    raise ValueError(f"{type(visual).__name__} towers have no block round their last attention")


@tower_dispatch
def value_blocks(visual: nn.Module, hidden: Sequence[Tensor]) -> Tensor:
    """CLIP Surgery's second path through blocks that `hidden` (B, N, D) enters: values mixed by how alike they
    are, added up without MLPs. The tokens (B, N, D) that it ends with, before the head.
    """
    raise ValueError(f"{type(visual).__name__} towers have no blocks with a class token")


@tower_dispatch
def read_out(visual: nn.Module, hidden: Tensor) -> Tensor:
    """Tokens between two blocks (B, N, D) through the head, as if no block came after: (B, N, D')."""
    raise ValueError(refusal(visual))


@tower_dispatch
def head_input(visual: nn.Module, tokens: Tokens) -> Tensor:
    """Returns the input (B, 1 + P, D') of the last linear projection to the joint space, the pooled row first.

    With `head`, the first row is `pool`, and patches are `dense`; those of a ModifiedResNet, whose pool mixes all
    tokens before the projection, are its value path instead: what a patch is before any pooling.
    """
    raise ValueError(refusal(visual))


@tower_dispatch
def head(visual: nn.Module) -> tuple[Tensor, Tensor]:
    """That projection's weight (D', D) and bias (D,)."""
    raise ValueError(refusal(visual))


@tower_dispatch
def parts(visual: nn.Module, tokens: Tokens) -> Parts:
    """The last attention, taken to pieces."""
    raise ValueError(refusal(visual))


@tower_dispatch
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


def rows_of(maps: Tensor) -> Tensor:
    """The places of maps (B, D, h, w) as rows (B, h * w, D).

    Their gradient comes back contiguous: of one image it would have strides that pass for channels last, of which torch
    (2.14) makes a wrong gradient in a batch norm on the CPU.
    """
    if maps.requires_grad:
        maps.register_hook(Tensor.contiguous)
    return maps.flatten(2).transpose(1, 2)
