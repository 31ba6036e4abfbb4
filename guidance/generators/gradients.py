"""From a guide's losses to moves of latents: gradients, their check, and the control of their length.

The way back has two halves, guide to images and images to latents. Between them a picture whose loss or gradient is
not finite is taken out, so that it cannot spoil others on the way through a decoder; and gradients are scaled by a
power of two, so that a decoder in half precision does not lose small ones. The guide's graph is gone before the walk
back through the decoder begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from guidance.generators.base import Guide
from guidance.generators.sampling import Sampling


@dataclass(frozen=True, eq=False)
class Pull:
    """Response of a guide to latents. `gradients`: like the latents, float32; 0 where `finite` (B,) is False."""

    images: Tensor
    losses: Tensor
    gradients: Tensor
    finite: Tensor


@dataclass(frozen=True, eq=False)
class Descent:
    """Latents after moves, and what the first of them came from. `losses` (B,) are of `images`, or None without a
    guide; `skipped` (B,): a loss or gradient was not finite, and gave no move.
    """

    latents: Tensor
    images: Tensor
    losses: Tensor | None
    skipped: Tensor


def descend(
    guide: Guide, decode: Callable[[Tensor], Tensor], latents: Tensor, number: int, sampling: Sampling
) -> Descent:
    """`sampling.inner_steps` moves of latents (B, ...) down a guide's gradient, each a new evaluation."""
    pulls = []
    for step in range(sampling.inner_steps):
        pulls.append(pull(guide, decode, latents, number + step))
        latents = moved(latents, controlled(pulls[-1].gradients, latents.float(), sampling))
    finite = torch.stack([each.finite for each in pulls]).all(0)
    return Descent(latents, pulls[0].images, pulls[0].losses, ~finite)


def pull(guide: Guide, decode: Callable[[Tensor], Tensor], latents: Tensor, number: int) -> Pull:
    """The gradient of a guide's losses in latents (B, ...), through `decode` to images (B, 3, H, W) in [0, 1].

    No parameter is asked for a gradient, and no graph is left behind.
    """
    leaf = latents.detach().float().requires_grad_()
    with torch.enable_grad():
        images = decode(leaf)
    losses, gradients, finite = image_gradients(guide, images, number)
    scale = torch.exp2(-gradients.flatten(1).abs().amax(1).clamp(min=1e-30).log2().floor())
    (found,) = torch.autograd.grad(images, leaf, gradients * _per_picture(scale, images))
    found = found / _per_picture(scale, found)
    finite = finite & found.flatten(1).isfinite().all(1)
    return Pull(images.detach(), losses, _where(finite, found, torch.zeros_like(found)), finite)


def image_gradients(guide: Guide, images: Tensor, number: int) -> tuple[Tensor, Tensor, Tensor]:
    """Losses (B,), their gradients in images (B, 3, H, W), and which of both are finite (B,): the others' are 0.

    ValueError for a guide whose losses are not (B,) or do not depend on the images.
    """
    leaf = images.detach().requires_grad_()
    with torch.enable_grad():
        losses = guide(leaf, number)
    if losses.shape != (len(images),):
        raise ValueError(
            f"the guide gave losses {tuple(losses.shape)}; allowed: one per image, {len(images)}"
        )
    if not losses.requires_grad:
        raise ValueError("the guide's losses do not depend on the images: nothing to follow")
    finite = losses.detach().isfinite()
    (gradients,) = torch.autograd.grad(losses, leaf, finite.to(losses.dtype))
    finite = finite & gradients.flatten(1).isfinite().all(1)
    return losses.detach(), _where(finite, gradients, torch.zeros_like(gradients)), finite


def controlled(gradients: Tensor, latents: Tensor, sampling: Sampling) -> Tensor:
    """Moves (B, ...) down the gradients, with their length under control, picture by picture.

    With |.| the root mean square over a picture, w the weight and n the norm of the settings:

        normalise  -w n |x| g / |g|        clip  -w g min(1, n |x| / |g|)        raw  -w g
    """
    if sampling.norm_control == "raw":
        return -sampling.weight * gradients
    largest = _per_picture(gradients.flatten(1).abs().amax(1), gradients)
    unit = gradients / torch.where(largest > 0, largest, 1)  # a gradient of 0 has no direction, and stays 0
    length, allowed = _rms(unit), sampling.norm * _rms(latents)
    if sampling.norm_control == "clip":
        length = torch.maximum(length, allowed / torch.where(largest > 0, largest, 1))
    return -sampling.weight * allowed * unit / torch.where(length > 0, length, 1)


def moved(latents: Tensor, moves: Tensor) -> Tensor:
    """latents + moves, computed in float32. A picture whose move is 0 keeps its latents to the bit."""
    return _where(moves.flatten(1).any(1), (latents.float() + moves).to(latents.dtype), latents)


class _ClampWithGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values: Tensor, low: float, high: float) -> Tensor:
        clamped = values.clamp(low, high)
        ctx.save_for_backward(values - clamped)
        return clamped

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        (beyond,) = ctx.saved_tensors
        return gradient * (gradient * beyond >= 0), None, None


def clamp_with_gradient(values: Tensor, low: float, high: float) -> Tensor:
    """clamp(values), through which a gradient passes where a step down it leads into the range, or stays there.

    A plain clamp gives values beyond the range no gradient at all: a pixel once burnt out would stay so.
    """
    return _ClampWithGradient.apply(values, low, high)


def _rms(values: Tensor) -> Tensor:
    """The root mean square of each of (B, ...), shaped to multiply it; scaled first, so that squares stay finite."""
    flat = values.flatten(1)
    largest = flat.abs().amax(1, keepdim=True)
    scaled = flat / torch.where(largest > 0, largest, 1)
    return _per_picture(largest.squeeze(1) * scaled.square().mean(1).sqrt(), values)


def _per_picture(numbers: Tensor, like: Tensor) -> Tensor:
    """(B,) shaped to go with (B, ...)."""
    return numbers.view(-1, *[1] * (like.ndim - 1))


def _where(chosen: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Picture by picture: chosen (B,), the others (B, ...)."""
    return torch.where(_per_picture(chosen, yes), yes, no)
