"""Writes weights in the form that users load: fp16 safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor


def save_half(state: Mapping[str, Tensor], path: Path) -> None:
    """Writes tensors as fp16 safetensors, whole numbers as they are; a reader never sees half a file."""
    half = {k: (v.half() if v.is_floating_point() else v).contiguous().cpu() for k, v in state.items()}
    partial = path.with_name(f"{path.name}.partial")
    save_file(half, partial)
    partial.replace(path)
