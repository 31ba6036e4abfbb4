"""The contrastive loss of CLIP (Radford et al. 2021, arXiv 2103.00020)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def contrastive_loss(image: Tensor, text: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric InfoNCE of unit vectors (B, D), and the share of pictures whose own caption scores highest."""
    return symmetric_loss(scale.float() * image.float() @ text.float().T)


def symmetric_loss(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric InfoNCE of logits (B, B), pictures by texts, whose diagonal belongs together; and that share."""
    target = torch.arange(len(logits), device=logits.device)
    loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    return loss, (logits.argmax(dim=1) == target).float().mean()
