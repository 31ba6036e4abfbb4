"""The text tower: which row it pools, and a run that stops at the last row that matters."""

import torch
from open_clip.transformer import TextTransformer
from torch import Tensor, nn


def text_refusal(model: nn.Module) -> str | None:
    """Why this model's text tower cannot be opened, or None if it can."""
    tower = getattr(model, "text", model)
    if not isinstance(tower, TextTransformer) and not hasattr(tower, "token_embedding"):
        return f"text towers of type {type(tower).__name__} cannot be opened here; allowed: open_clip's own"
    if getattr(tower, "cls_emb", None) is not None or getattr(tower, "use_pad_mask", False):
        return "text towers with an appended class token or a padding mask (CoCa) cannot be opened here"
    if _pool_type(tower) not in ("argmax", "eos", "first", "last"):
        return (
            f"text pool type '{_pool_type(tower)}' cannot be opened here; allowed: argmax, eos, first, last"
        )
    return None


def text_layers(model: nn.Module) -> int:
    """The number of attentions in the text tower."""
    return len(getattr(model, "text", model).transformer.resblocks)


def pooled_rows(model: nn.Module, texts: Tensor) -> Tensor:
    """The row (B,) that the text tower pools for texts (B, L), from its pool type and its end token's id."""
    tower = getattr(model, "text", model)
    kind = _pool_type(tower)
    if kind == "argmax":  # what open_clip does for vocabularies whose end token has the largest id
        return texts.argmax(dim=-1)
    if kind == "eos":
        end = tower.eos_id if hasattr(tower, "eos_id") else tower.text_eos_id
        return (texts == end).int().argmax(dim=-1)
    return torch.full_like(texts[:, 0], 0 if kind == "first" else texts.shape[1] - 1)


def embed(model: nn.Module, texts: Tensor) -> Tensor:
    """The embeddings of ids: (B, L) -> (B, L, D), without positions."""
    return getattr(model, "text", model).token_embedding(texts)


def text_features(model: nn.Module, texts: Tensor, embeddings: Tensor | None = None) -> Tensor:
    """The pooled row of each text (B, D), not normalised: texts (B, L).

    `embeddings` (B, L, D) replace `embed(model, texts)`, so that a gradient can be taken there. Under a causal
    mask no row depends on a later one, so the tower runs only up to the last pooled row of the batch.
    """
    tower = getattr(model, "text", model)
    rows = pooled_rows(model, texts)
    mask = tower.attn_mask
    length = texts.shape[1]
    if mask is not None:
        length = int(rows.max()) + 1
        mask = mask[:length, :length]
    embedded = embed(model, texts[:, :length]) if embeddings is None else embeddings[:, :length]
    x = embedded + tower.positional_embedding[:length]
    x = tower.transformer(x, attn_mask=mask)
    x = tower.ln_final(x[torch.arange(len(x), device=x.device), rows])
    projection = tower.text_projection
    if projection is None:
        return x
    return projection(x) if isinstance(projection, nn.Linear) else x @ projection


def _pool_type(tower: nn.Module) -> str:
    return tower.pool_type if hasattr(tower, "pool_type") else tower.text_pool_type
