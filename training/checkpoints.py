"""Writes weights in the form that users load: fp16 safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor


def save_half(state: Mapping[str, Tensor], path: Path) -> None:
    """Writes tensors as fp16 safetensors, whole numbers and what fp16 cannot hold as they are; a reader never sees half
    a file.
    """
    half = {
        name: (value.half() if _fits(value) else value).contiguous().cpu() for name, value in state.items()
    }
    partial = path.with_name(f"{path.name}.partial")
    save_file(half, partial)
    partial.replace(path)


def _fits(value: Tensor) -> bool:
    return value.is_floating_point() and bool((value.abs() <= torch.finfo(torch.float16).max).all())
