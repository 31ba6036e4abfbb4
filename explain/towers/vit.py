"""VisionTransformer with a class token (OpenAI's and LAION's ViTs): the last block, read at row 0."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
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
    last_block,
    layers,
    parts,
    pool,
    read_out,
    refusal,
    resample,
    seen,
    shape,
    trunk,
    value_blocks,
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
    x, grid = _embed(visual, images)
    for block in visual.transformer.resblocks[:-1]:
        x = block(x)
    return Tokens(x, grid)


@layers.register
def _(visual: VisionTransformer, images: Tensor) -> Layers:
    x, grid = _embed(visual, images)
    hidden = [x]
    with AttentionRecorder() as recorder:
        for block in visual.transformer.resblocks[:-1]:
            hidden.append(block(hidden[-1]))
        pooled = pool(visual, Tokens(hidden[-1], grid))
    return Layers(tuple(hidden), tuple(recorder.probs), pooled, grid)


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
    return read_out(visual, last_block(visual, tokens)[:, 1:])


@last_block.register
def _(visual: VisionTransformer, tokens: Tokens) -> Tensor:
    return visual.transformer.resblocks[-1](tokens.values)


@value_blocks.register
def _(visual: VisionTransformer, hidden: Sequence[Tensor]) -> Tensor:
    y = hidden[0]
    for block, x in zip(visual.transformer.resblocks[-len(hidden) :], hidden, strict=True):
        attention = block.attn
        weight, bias = attention.in_proj_weight.chunk(3)[2], attention.in_proj_bias.chunk(3)[2]
        v = F.linear(block.ln_1(x), weight, bias).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
        alike = (v @ v.transpose(-2, -1) * v.shape[-1] ** -0.5).softmax(-1)
        y = y + block.ls_1(attention.out_proj((alike @ v).transpose(1, 2).flatten(-2)))
    return y


@read_out.register
def _(visual: VisionTransformer, hidden: Tensor) -> Tensor:
    return visual.ln_post(hidden) @ visual.proj


@head_input.register
def _(visual: VisionTransformer, tokens: Tokens) -> Tensor:
    return visual.ln_post(last_block(visual, tokens))


@head.register
def _(visual: VisionTransformer) -> tuple[Tensor, Tensor]:
    return visual.proj, visual.proj.new_zeros(visual.proj.shape[1])


@parts.register
def _(visual: VisionTransformer, tokens: Tokens) -> Parts:
    block = visual.transformer.resblocks[-1]
    attention = block.attn
    projected = F.linear(seen(visual, tokens), attention.in_proj_weight, attention.in_proj_bias)

    def finish(rows: slice, output: Tensor, skips: bool) -> Tensor:
        x = block.ls_1(output)
        if skips:
            x = tokens.values[:, rows] + x
            x = x + block.ls_2(block.mlp(block.ln_2(x)))
        return read_out(visual, x)

    query, key, value = projected.chunk(3, dim=-1)
    return Parts(query, key, value, attention.num_heads, attention.out_proj, finish)


@cam_layer.register
def _(visual: VisionTransformer) -> nn.Module:
    return visual.transformer.resblocks[-1].ln_1


def _embed(visual: VisionTransformer, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """The tokens (B, 1 + N, D) that enter the first block, and the grid."""
    grid = grid_of(images, visual.patch_size)
    x = visual.conv1(images).flatten(2).transpose(1, 2)
    x = torch.cat([visual.class_embedding.expand(len(x), 1, -1), x], dim=1)
    x = visual.ln_pre(x + resample(visual.positional_embedding, grid, tuple(visual.grid_size), prefix=1))
    return x, grid
