"""timm's convolutional networks with a mean pool (EfficientNet, ConvNeXt, ...), as open_clip's TimmModel holds them.

The mean over P places is an attention whose query is zero: A = softmax(0) = 1 / P, so that it is recorded and
differentiated as every pool is. Its output goes through the head as a map of one place, and so does each place of the
dense tokens: where the head is linear, their mean is the pooled row.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from timm.layers import SelectAdaptivePool2d
from timm.models.convnext import ConvNeXt
from timm.models.efficientnet import EfficientNet
from timm.models.regnet import RegNet
from timm.models.resnet import ResNet
from torch import Tensor, nn

from explain.towers.attention import AttentionRecorder
from explain.towers.image import (
    Layers,
    Parts,
    Shape,
    Tokens,
    cam_layer,
    dense,
    grid_of,
    head,
    head_input,
    layers,
    parts,
    pool,
    read_out,
    refusal,
    rows_of,
    seen,
    shape,
    trunk,
)

# The class of the trunk, and the module in it whose output is the last map.
_LAST = {EfficientNet: "bn2", ConvNeXt: "norm_pre", RegNet: "final_conv", ResNet: "layer4"}
_Trunk = EfficientNet | ConvNeXt | RegNet | ResNet


@refusal.register
def _(visual: _Trunk) -> str | None:
    pools = [module for module in visual.trunk.modules() if isinstance(module, SelectAdaptivePool2d)]
    if len(pools) != 1 or pools[0].pool_type != "avg" or "pool" in visual.head._modules:
        return (
            f"timm's {type(visual.trunk).__name__} can be opened here with a mean pool alone (timm_pool: avg)"
        )
    return None


@shape.register
def _(visual: _Trunk) -> Shape:
    return Shape(layers=1, prefix=0, skips=False, attends=False)


@trunk.register
def _(visual: _Trunk, images: Tensor) -> Tokens:
    stride = visual.trunk.feature_info[-1]["reduction"]
    grid = grid_of(images, (stride, stride))
    return Tokens(rows_of(visual.trunk.forward_features(images)), grid)


@layers.register
def _(visual: _Trunk, images: Tensor) -> Layers:
    tokens = trunk(visual, images)
    with AttentionRecorder() as recorder:
        pooled = pool(visual, tokens)
    return Layers((tokens.values,), tuple(recorder.probs), pooled, tokens.grid)


@seen.register
def _(visual: _Trunk, tokens: Tokens) -> Tensor:
    return tokens.values


@pool.register
def _(visual: _Trunk, tokens: Tokens, activations: Tensor | None = None) -> Tensor:
    return read_out(visual, _mean(tokens.values if activations is None else activations))[:, 0]


@dense.register
def _(visual: _Trunk, tokens: Tokens, rn_dense: str = "attn") -> Tensor:
    """The head of a picture that is this place all over. Ours: no paper gives it."""
    return read_out(visual, tokens.values)


@read_out.register
def _(visual: _Trunk, hidden: Tensor) -> Tensor:
    return visual.head(_before_head(visual, hidden))


@head_input.register
def _(visual: _Trunk, tokens: Tokens) -> Tensor:
    """Returns the input of the linear projection; where the head is not linear, its output, as for SigLIP."""
    rows = _before_head(visual, torch.cat([_mean(tokens.values), tokens.values], dim=1))
    return rows if _projection(visual) is not None else visual.head(rows)


@head.register
def _(visual: _Trunk) -> tuple[Tensor, Tensor]:
    projection = _projection(visual)
    if projection is None:
        like = next(visual.trunk.parameters())
        width = read_out(visual, like.new_zeros(1, 1, visual.trunk.num_features)).shape[-1]
        return torch.eye(width).to(like), like.new_zeros(width)
    bias = projection.bias
    return projection.weight.T, projection.weight.new_zeros(len(projection.weight)) if bias is None else bias


@parts.register
def _(visual: _Trunk, tokens: Tokens) -> Parts:
    """Keys and values are the places themselves; the one query is zero."""
    query = torch.zeros_like(tokens.values[:, :1])
    return Parts(
        query,
        tokens.values,
        tokens.values,
        1,
        lambda mixed: mixed,
        lambda rows, output, skips: read_out(visual, output),
    )


@cam_layer.register
def _(visual: _Trunk) -> nn.Module:
    return getattr(visual.trunk, next(name for kind, name in _LAST.items() if isinstance(visual.trunk, kind)))


def _mean(values: Tensor) -> Tensor:
    """The mean (B, 1, D) of places (B, P, D), as an attention."""
    query = torch.zeros_like(values[:, None, :1])
    return F.scaled_dot_product_attention(query, values[:, None], values[:, None])[:, 0]


def _before_head(visual: nn.Module, rows: Tensor) -> Tensor:
    """Rows (B, N, D), each as a map of one place, through what timm does from its last map to open_clip's head."""
    count = rows.shape[1]
    pooled = visual.trunk.forward_head(rows.flatten(0, 1)[..., None, None])
    return pooled.unflatten(0, (-1, count))


def _projection(visual: nn.Module) -> nn.Linear | None:
    """The linear layer that ends the tower, if it is in open_clip's head and alone there."""
    found = visual.head._modules.get("proj")
    return found if isinstance(found, nn.Linear) else None
