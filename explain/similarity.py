"""Image-Text Similarity Map (ITSM) and its reversal.

Li, Wang, Duan, Xu, Li, "Exploring Visual Interpretability for Contrastive Language-Image Pre-training",
2022 (arXiv 2209.07046). With dense image tokens F_i and a text embedding F_t, both of unit norm over
channels,

    M = norm(resize(reshape(F_i . F_t)))

norm is min-max per image and per text. The maps here are the raw cosines on the grid of patches;
`heatmap.py` resizes and normalises them, in that order.

Reconstructed from the abstract and from the same authors' follow-up (CLIP Surgery, arXiv 2304.05653, eq.
1). Differs from the paper: one prompt as it is typed, no ensemble of templates; reversed map is -S, whose
min-max is 1 - M.
"""

from torch import Tensor


def similarity_map(dense_tokens: Tensor, text_features: Tensor) -> Tensor:
    """Cosine of every patch with every text: (B, h, w, D) and (T, D), unit norm -> (B, T, h, w) in [-1, 1]."""
    return (dense_tokens @ text_features.T).permute(0, 3, 1, 2)


def reversed_similarity_map(dense_tokens: Tensor, text_features: Tensor) -> Tensor:
    """Minus the similarity map: what "opposite visualisation" would show the right way round. No
    parameters.
    """
    return -similarity_map(dense_tokens, text_features)
