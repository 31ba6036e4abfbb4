"""SigLIP: timm's VisionTransformer without a class token, an attention pool whose query is learned."""

import torch
from timm.layers import AttentionPoolLatent
from timm.models.vision_transformer import VisionTransformer as TimmVisionTransformer
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
    seen,
    shape,
    trunk,
)


@refusal.register
def _(visual: TimmVisionTransformer) -> str | None:
    trunk_ = visual.trunk
    if not isinstance(trunk_.attn_pool, AttentionPoolLatent):
        return "timm's VisionTransformer can be opened here with SigLIP's attention pool alone"
    pool_ = trunk_.attn_pool
    if trunk_.num_prefix_tokens or pool_.latent_len != 1 or pool_.pos_embed is not None or len(visual.head):
        return (
            "this timm tower has prefix tokens, several pool queries or a head of its own; allowed: SigLIP's"
        )
    return None


@shape.register
def _(visual: TimmVisionTransformer) -> Shape:
    return Shape(layers=len(visual.trunk.blocks) + 1, prefix=0, skips=False)


@trunk.register
def _(visual: TimmVisionTransformer, images: Tensor) -> Tokens:
    x, grid = _embed(visual, images)
    for block in visual.trunk.blocks:
        x = block(x)
    return Tokens(visual.trunk.norm(x), grid)


@layers.register
def _(visual: TimmVisionTransformer, images: Tensor) -> Layers:
    x, grid = _embed(visual, images)
    hidden = [x]
    with AttentionRecorder() as recorder:
        for block in visual.trunk.blocks:
            hidden.append(block(hidden[-1]))
        hidden[-1] = visual.trunk.norm(hidden[-1])
        pooled = pool(visual, Tokens(hidden[-1], grid))
    return Layers(tuple(hidden), tuple(recorder.probs), pooled, grid)


@seen.register
def _(visual: TimmVisionTransformer, tokens: Tokens) -> Tensor:
    return tokens.values


@pool.register
def _(visual: TimmVisionTransformer, tokens: Tokens, activations: Tensor | None = None) -> Tensor:
    return _timm_head(visual, visual.trunk.attn_pool(tokens.values if activations is None else activations))


@dense.register
def _(visual: TimmVisionTransformer, tokens: Tokens, rn_dense: str = "attn") -> Tensor:
    """The pool of a patch that can look at itself alone: p = proj(v), p + mlp(norm(p)). Ours: no paper
    gives it.
    """
    attn_pool = visual.trunk.attn_pool
    return _finish(visual, attn_pool.proj(attn_pool.kv(tokens.values).chunk(2, dim=-1)[1]))


@read_out.register
def _(visual: TimmVisionTransformer, hidden: Tensor) -> Tensor:
    """As `dense`: through the trunk's last norm and the pool's value path."""
    return dense(visual, Tokens(visual.trunk.norm(hidden), (0, 0)))


@head_input.register
def _(visual: TimmVisionTransformer, tokens: Tokens) -> Tensor:
    """SigLIP ends in an MLP: its output, to which `head` adds nothing."""
    return torch.cat([pool(visual, tokens).unsqueeze(1), dense(visual, tokens)], dim=1)


@head.register
def _(visual: TimmVisionTransformer) -> tuple[Tensor, Tensor]:
    width = visual.trunk.attn_pool.proj.weight
    return torch.eye(len(width)).to(width), width.new_zeros(len(width))


@parts.register
def _(visual: TimmVisionTransformer, tokens: Tokens) -> Parts:
    """One learned query. Where the pool normalises queries and keys, these are the normalised ones."""
    pool_ = visual.trunk.attn_pool
    query = pool_.q(pool_.latent.expand(len(tokens.values), -1, -1))
    key, value = pool_.kv(tokens.values).chunk(2, dim=-1)
    query, key = (
        norm(x.unflatten(-1, (pool_.num_heads, -1))).flatten(-2)
        for norm, x in ((pool_.q_norm, query), (pool_.k_norm, key))
    )
    return Parts(
        query, key, value, pool_.num_heads, pool_.proj, lambda rows, output, skips: _finish(visual, output)
    )


@cam_layer.register
def _(visual: TimmVisionTransformer) -> nn.Module:
    return visual.trunk.norm


def _embed(visual: TimmVisionTransformer, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """The tokens (B, N, D) that enter the first block, and the grid."""
    vit = visual.trunk
    grid = grid_of(images, vit.patch_embed.patch_size)
    x = vit.patch_embed.norm(vit.patch_embed.proj(images).flatten(2).transpose(1, 2))
    return vit.norm_pre(
        x + resample(vit.pos_embed[0], grid, tuple(vit.patch_embed.grid_size), prefix=0)
    ), grid


def _finish(visual: TimmVisionTransformer, x: Tensor) -> Tensor:
    """Applies what the pool does after its attention's projection, and the head."""
    attn_pool = visual.trunk.attn_pool
    if attn_pool.mlp is not None:
        x = x + attn_pool.mlp(attn_pool.norm(x))
    return _timm_head(visual, x)


def _timm_head(visual: TimmVisionTransformer, pooled: Tensor) -> Tensor:
    return visual.trunk.head(visual.trunk.fc_norm(pooled))
