"""VisionTransformer with a class token (OpenAI's and LAION's ViTs): the last block, read at row 0."""

import torch
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn

from explain.towers.image import (
    Shape,
    Tokens,
    cam_layer,
    dense,
    grid_of,
    pool,
    refusal,
    resample,
    seen,
    shape,
    trunk,
)


@refusal.register
def _(visual: VisionTransformer) -> str | None:
    if visual.attn_pool is not None:
        return "CoCa towers pool with learned queries, so their tokens are no grid of patches"
    if visual.pool_type != "tok" or visual.final_ln_after_pool:
        return f"VisionTransformer with pool type '{visual.pool_type}' cannot be opened here; allowed: 'tok'"
    if not isinstance(visual.transformer.resblocks[-1], ResidualAttentionBlock):
        return f"blocks of type {type(visual.transformer.resblocks[-1]).__name__} cannot be opened here"
    return None


@shape.register
def _(visual: VisionTransformer) -> Shape:
    return Shape(layers=len(visual.transformer.resblocks), prefix=1, skips=True)


@trunk.register
def _(visual: VisionTransformer, images: Tensor) -> Tokens:
    grid = grid_of(images, visual.patch_size)
    x = visual.conv1(images).flatten(2).transpose(1, 2)
    x = torch.cat([visual.class_embedding.expand(len(x), 1, -1), x], dim=1)
    x = visual.ln_pre(x + resample(visual.positional_embedding, grid, tuple(visual.grid_size), prefix=1))
    for block in visual.transformer.resblocks[:-1]:
        x = block(x)
    return Tokens(x, grid)


@seen.register
def _(visual: VisionTransformer, tokens: Tokens) -> Tensor:
    return visual.transformer.resblocks[-1].ln_1(tokens.values)


@pool.register
def _(visual: VisionTransformer, tokens: Tokens, activations: Tensor | None = None) -> Tensor:
    block = visual.transformer.resblocks[-1]
    y = seen(visual, tokens) if activations is None else activations
    x = tokens.values[:, :1] + block.ls_1(block.attention(y[:, :1], y, y))
    x = x + block.ls_2(block.mlp(block.ln_2(x)))
    return visual.ln_post(x[:, 0]) @ visual.proj


@dense.register
def _(visual: VisionTransformer, tokens: Tokens, rn_dense: str = "attn") -> Tensor:
    """ln_post(token) @ proj, as the pooled row is read (Li et al. 2023, CLIP Surgery, eq. 1)."""
    x = visual.transformer.resblocks[-1](tokens.values)
    return visual.ln_post(x[:, 1:]) @ visual.proj


@cam_layer.register
def _(visual: VisionTransformer) -> nn.Module:
    return visual.transformer.resblocks[-1].ln_1
