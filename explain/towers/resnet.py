"""ModifiedResNet (CLIP's RN50 and its kin): an attention pool whose query is the mean token."""

import torch
import torch.nn.functional as F
from open_clip.modified_resnet import ModifiedResNet
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
    resample,
    rows_of,
    seen,
    shape,
    trunk,
)

RN_DENSE = ("attn", "value")
_STRIDE = (32, 32)


@refusal.register
def _(visual: ModifiedResNet) -> str | None:
    return None


@shape.register
def _(visual: ModifiedResNet) -> Shape:
    return Shape(layers=1, prefix=1, skips=False)


@trunk.register
def _(visual: ModifiedResNet, images: Tensor) -> Tokens:
    grid = grid_of(images, _STRIDE)
    x = visual.stem(images)
    for stage in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
        x = stage(x)
    return Tokens(rows_of(x), grid)


@seen.register
def _(visual: ModifiedResNet, tokens: Tokens) -> Tensor:
    return tokens.values


@pool.register
def _(visual: ModifiedResNet, tokens: Tokens, activations: Tensor | None = None) -> Tensor:
    x = _pool_tokens(visual, tokens.values if activations is None else activations, tokens.grid)
    return _attention_pool(visual.attnpool, x[:1], x)[0]


@dense.register
def _(visual: ModifiedResNet, tokens: Tokens, rn_dense: str = "attn") -> Tensor:
    """ "attn": the attention pool with every token as query; "value": its value path alone (MaskCLIP,
    2112.01071).
    """
    attnpool = visual.attnpool
    if rn_dense == "value":
        return read_out(visual, tokens.values)
    if rn_dense != "attn":
        raise ValueError(f"rn_dense is '{rn_dense}'; allowed: {', '.join(RN_DENSE)}")
    x = _pool_tokens(visual, tokens.values, tokens.grid)
    return _attention_pool(attnpool, x, x)[1:].transpose(0, 1)


@layers.register
def _(visual: ModifiedResNet, images: Tensor) -> Layers:
    tokens = trunk(visual, images)
    with AttentionRecorder() as recorder:
        pooled = pool(visual, tokens)
    return Layers((tokens.values,), tuple(recorder.probs), pooled, tokens.grid)


@read_out.register
def _(visual: ModifiedResNet, hidden: Tensor) -> Tensor:
    """The value path: a token alone, without positions."""
    return visual.attnpool.c_proj(visual.attnpool.v_proj(hidden))


@head_input.register
def _(visual: ModifiedResNet, tokens: Tokens) -> Tensor:
    """Returns what the attention pool mixed for the mean token; of the patches the values, which nothing has mixed."""
    query, key, value = parts(visual, tokens).by_head
    pooled = F.scaled_dot_product_attention(query[:, :, :1], key, value).transpose(1, 2).flatten(-2)
    return torch.cat([pooled, visual.attnpool.v_proj(tokens.values)], dim=1)


@head.register
def _(visual: ModifiedResNet) -> tuple[Tensor, Tensor]:
    return visual.attnpool.c_proj.weight.T, visual.attnpool.c_proj.bias


@parts.register
def _(visual: ModifiedResNet, tokens: Tokens) -> Parts:
    """Row 0 is the mean token; the projection already ends in the joint space."""
    attnpool = visual.attnpool
    x = _pool_tokens(visual, tokens.values, tokens.grid).transpose(0, 1)
    q, k, v = attnpool.q_proj(x), attnpool.k_proj(x), attnpool.v_proj(x)
    return Parts(q, k, v, attnpool.num_heads, attnpool.c_proj, lambda rows, output, skips: output)


@cam_layer.register
def _(visual: ModifiedResNet) -> nn.Module:
    return visual.layer4


def _pool_tokens(visual: ModifiedResNet, patches: Tensor, grid: tuple[int, int]) -> Tensor:
    """[mean token; patches] + position (1 + N, B, D), the input of the attention pool."""
    embedding = visual.attnpool.positional_embedding
    side = round((len(embedding) - 1) ** 0.5)
    x = torch.cat([patches.mean(1, keepdim=True), patches], dim=1)
    return (x + resample(embedding, grid, (side, side), prefix=1)).transpose(0, 1)


def _attention_pool(attnpool: nn.Module, query: Tensor, x: Tensor) -> Tensor:
    """The attention pool of open_clip for any queries: query (L, B, D), x (S, B, D) -> (L, B, D')."""
    output, _ = F.multi_head_attention_forward(
        query,
        x,
        x,
        embed_dim_to_check=x.shape[-1],
        num_heads=attnpool.num_heads,
        in_proj_weight=None,
        in_proj_bias=torch.cat([attnpool.q_proj.bias, attnpool.k_proj.bias, attnpool.v_proj.bias]),
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=attnpool.c_proj.weight,
        out_proj_bias=attnpool.c_proj.bias,
        training=False,
        need_weights=False,
        use_separate_proj_weight=True,
        q_proj_weight=attnpool.q_proj.weight,
        k_proj_weight=attnpool.k_proj.weight,
        v_proj_weight=attnpool.v_proj.weight,
    )
    return output
