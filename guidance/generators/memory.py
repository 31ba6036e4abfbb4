"""Where a pipeline lives, and what to say when memory runs out."""

from __future__ import annotations

import gc
import importlib.util
from collections.abc import Callable
from typing import Any, TypeVar

import torch

OFFLOAD_BELOW = 10 * 2**30  # bytes of GPU memory

Result = TypeVar("Result")


class GenerationOutOfMemory(RuntimeError):
    """Memory ran out; the message says what would fit. The run's state is freed."""


def place(pipe: Any, device: torch.device | str, memory: int | None = None) -> bool:
    """Puts a pipeline on a device; True if its models stay on the CPU and take turns on the GPU.

    They do on a GPU with less than 10 GiB, of which `memory` (bytes) is to be told only where torch cannot. It needs
    accelerate; without it, the whole pipeline goes to the GPU, which half precision may well fit.
    """
    device = torch.device(device)
    if takes_turns(device, memory) and importlib.util.find_spec("accelerate") is not None:
        pipe.enable_model_cpu_offload(device=device)
        return True
    pipe.to(device)
    return False


def takes_turns(device: torch.device, memory: int | None = None) -> bool:
    """Whether models should take turns on this device: a GPU with less than 10 GiB."""
    if device.type != "cuda":
        return False
    if memory is None:
        memory = torch.cuda.get_device_properties(device).total_memory
    return memory < OFFLOAD_BELOW


def within_memory(run: Callable[[], Result], free: Callable[[], None], advice: Callable[[], str]) -> Result:
    """run(). Where memory runs out: `free`, then GenerationOutOfMemory with `advice`.

    It is raised after the handler, where nothing holds the frames of the failed call, and so its tensors, any more.
    """
    try:
        return run()
    except torch.OutOfMemoryError:
        message = advice()
    free()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise GenerationOutOfMemory(message)


def diffusion_advice(
    count: int, size: tuple[int, int], grid: int, mode: str, preview: bool, candidates: int = 1
) -> str:
    """Says what to change so that `count` pictures of `size` (height, width) fit, what helps most first."""
    changes = []
    if mode == "latent":
        changes.append("mode 'x0', which needs no backward pass through the UNet")
    if mode != "off" and not preview:
        changes.append("a preview decoder (AutoencoderTiny)")
    if candidates > 1 and mode != "off":
        changes.append("a single candidate")
    return _advice(count, size, grid, changes, guided=mode != "off")


def latents_advice(count: int, size: tuple[int, int], grid: int) -> str:
    """Says what to change so that `count` pictures of `size` (height, width) fit where latents are optimised."""
    return _advice(count, size, grid, [], guided=True)


def _advice(count: int, size: tuple[int, int], grid: int, changes: list[str], guided: bool) -> str:
    height, width = (max(grid, side * 3 // 4 // grid * grid) for side in size)
    pictures = "a picture" if count == 1 else f"{count} pictures at once"
    changes = ([f"fewer pictures at once than {count}"] if count > 1 else []) + changes
    if guided:
        changes.append("fewer views, and fewer boxes")
    if (height, width) != size:
        changes.append(f"a smaller size, such as {width} x {height}")
    return f"{pictures} of {size[1]} x {size[0]} did not fit in memory. What needs less: {'; '.join(changes)}"
