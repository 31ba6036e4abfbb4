"""Attention probabilities, recorded on the path of the gradient.

Every attention of open_clip and timm ends in `F.multi_head_attention_forward` or in
`F.scaled_dot_product_attention`. A function mode sees both, whatever module called them, and computes

    A = softmax(Q K^T / sqrt(d) + mask),    output = A V                    (Vaswani et al. 2017, eq. 1)

in the open. The very tensor A that makes the output is kept, so that dS/dA exists. The model is not touched:
no hook, no patched forward, nothing to undo. What depends on the version of torch is in this file alone.
"""

import math
from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

_UNSUPPORTED = ("bias_k", "bias_v", "static_k", "static_v")


class AttentionRecorder(TorchFunctionMode):
    """Records the attention probabilities of everything that runs inside `with AttentionRecorder() as
    recorder`.

    `recorder.probs` is a list of tensors (B, heads, L, S), one per opened attention, in order of execution:
    after the softmax, before dropout. `layers` names the attentions to open by their position in that
    order, from 0; None opens all. The others run as they always do (fused) and add nothing to the graph.

    With frozen weights and an image that needs no gradient, nothing would carry a gradient to A; where
    gradients are enabled the first opened A then becomes the leaf of the graph. Outputs are those of the
    stock functions up to rounding. The mode belongs to the thread that entered it. Scripted or compiled
    modules, and timm with TIMM_FUSED_ATTN=0, go round these functions: leaving the block raises
    RuntimeError when nothing was recorded.
    """

    def __init__(self, layers: Collection[int] | None = None) -> None:
        super().__init__()
        self.layers = layers
        self.probs: list[Tensor] = []
        self._calls = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            opened = _open_sdpa
        elif func is F.multi_head_attention_forward:
            opened = _open_mha
        else:
            return func(*args, **kwargs)
        layer, self._calls = self._calls, self._calls + 1
        if self.layers is not None and layer not in self.layers:
            return func(*args, **kwargs)
        return opened(self._keep, *args, **kwargs)

    def __exit__(self, exc_type, exc_value, traceback) -> None:
        super().__exit__(exc_type, exc_value, traceback)
        if exc_type is None and not self.probs:
            wanted = "any layer" if self.layers is None else f"layers {sorted(self.layers)}"
            raise RuntimeError(
                f"no attention was recorded ({self._calls} calls seen, {wanted} wanted): is the model scripted, "
                "compiled, or timm's fused attention switched off (TIMM_FUSED_ATTN=0)?"
            )

    def _keep(self, probs: Tensor) -> Tensor:
        """Stores A (B, heads, L, S); makes it the leaf when nothing before it needs a gradient."""
        if torch.is_grad_enabled() and not probs.requires_grad:
            probs = probs.detach().requires_grad_()
        self.probs.append(probs)
        return probs


def _open_sdpa(
    keep, query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
) -> Tensor:
    """`F.scaled_dot_product_attention` in the open: query (..., L, d), key and value (..., S, d)."""
    if enable_gqa:
        groups = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3)
    if is_causal:
        allowed = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).tril()
        attn_mask = allowed if attn_mask is None else attn_mask
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = _additive(~attn_mask, query)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    probs = keep(_softmax((query * scale) @ key.transpose(-2, -1), attn_mask))
    return F.dropout(probs, dropout_p) @ value if dropout_p > 0 else probs @ value


def _open_mha(
    keep,
    query,
    key,
    value,
    embed_dim_to_check,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    bias_k,
    bias_v,
    add_zero_attn,
    dropout_p,
    out_proj_weight,
    out_proj_bias,
    training=True,
    key_padding_mask=None,
    need_weights=True,
    attn_mask=None,
    use_separate_proj_weight=False,
    q_proj_weight=None,
    k_proj_weight=None,
    v_proj_weight=None,
    static_k=None,
    static_v=None,
    average_attn_weights=True,
    is_causal=False,
) -> tuple[Tensor, Tensor | None]:
    """`F.multi_head_attention_forward` in the open: query (L, B, D), key and value (S, B, D), or without B.

    `is_causal` is only a hint in the stock function, which demands the mask beside it: the mask is what
    counts.
    """
    given = (bias_k, bias_v, static_k, static_v)
    if add_zero_attn or any(item is not None for item in given):
        raise NotImplementedError(f"attention with add_zero_attn or any of {_UNSUPPORTED} cannot be recorded")
    batched = query.dim() == 3
    q, k, v = _project(
        (query, key, value),
        (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else in_proj_weight,
        in_proj_bias,
    )
    q, k, v = (x.unflatten(-1, (num_heads, -1)).transpose(1, 2) for x in (q, k, v))  # (B, heads, L or S, d)
    mask = _mha_mask(attn_mask, key_padding_mask, q, k)
    probs = keep(_softmax((q * (1 / math.sqrt(q.shape[-1]))) @ k.transpose(-2, -1), mask))
    mixed = (F.dropout(probs, dropout_p) if training and dropout_p > 0 else probs) @ v
    output = F.linear(mixed.transpose(1, 2).flatten(-2), out_proj_weight, out_proj_bias)  # (B, L, D)
    weights = None
    if need_weights:
        weights = probs.mean(1) if average_attn_weights else probs
        weights = weights if batched else weights.squeeze(0)
    return (output.transpose(0, 1) if batched else output.squeeze(0)), weights


def _project(inputs, weights, bias) -> tuple[Tensor, ...]:
    """Q, K, V (B, L or S, D) from inputs (L or S, B, D) or (L or S, D), and packed (3D, D) or separate weights.

    What is shared is projected once, and batch first: modules that are batch first only transposed their
    input, and a matrix product of a transposed one would be many times slower.
    """
    query, key, value = inputs
    alike = isinstance(weights, Tensor) and query is key and key is value
    query, key, value = (
        (x.transpose(0, 1) if x.dim() == 3 else x.unsqueeze(0)).contiguous() for x in (query, key, value)
    )
    if alike:
        return F.linear(query, weights, bias).chunk(3, dim=-1)
    each = weights.chunk(3) if isinstance(weights, Tensor) else weights
    biases = (None, None, None) if bias is None else bias.chunk(3)
    return tuple(F.linear(x, w, b) for x, w, b in zip((query, key, value), each, biases, strict=True))


def _mha_mask(attn_mask, key_padding_mask, q: Tensor, k: Tensor) -> Tensor | None:
    """One additive mask that broadcasts to (B, heads, L, S); in both masks of this function True means
    hidden.
    """
    if attn_mask is not None:
        attn_mask = _additive(attn_mask, q)
        if attn_mask.dim() == 3:
            heads = q.shape[1] if attn_mask.shape[0] != 1 else 1
            attn_mask = attn_mask.unflatten(0, (-1, heads))
    if key_padding_mask is None:
        return attn_mask
    padding = _additive(key_padding_mask, q).view(-1, 1, 1, k.shape[-2])
    return padding if attn_mask is None else attn_mask + padding


def _additive(mask: Tensor, like: Tensor) -> Tensor:
    """A mask to add to the logits: a boolean one becomes -inf where it is True."""
    if mask.dtype != torch.bool:
        return mask.to(like.dtype)
    return torch.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(mask, -math.inf)


def _softmax(logits: Tensor, mask: Tensor | None) -> Tensor:
    return (logits if mask is None else logits + mask).softmax(dim=-1)
