"""Grad-CAM as users of pytorch-grad-cam get it, looped over prompts or batched, against ours."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.base_cam import BaseCAM
from torch import Tensor, nn

from explain import towers
from explain.clip.model import Clip
from explain.encodings import ImageEncoding
from explain.methods.grad_cam import gradcam_map


class Similarities(nn.Module):
    """Images (B, 3, H, W) -> cosines with fixed texts (B, T): what pytorch-grad-cam takes for a classifier."""

    def __init__(self, model: nn.Module, text_features: Tensor) -> None:
        super().__init__()
        self.model, self.text_features = model, text_features

    def forward(self, images: Tensor) -> Tensor:
        return self.model.encode_image(images, normalize=True) @ self.text_features.T


class Kept(BaseCAM):
    """Keeps the maps on the patch grid, before the library resizes and normalises them."""

    raw: np.ndarray

    def get_cam_image(self, *args, **kwargs) -> np.ndarray:
        self.raw = np.maximum(super().get_cam_image(*args, **kwargs), 0)
        return self.raw


class Raw(Kept, GradCAM):
    """pytorch-grad-cam's Grad-CAM."""


class Cosine:
    """The target of one prompt."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __call__(self, output: Tensor) -> Tensor:
        return output[self.index]


def theirs(
    clip: Clip, image: Tensor, text_features: Tensor, batched: bool, frozen: bool
) -> Callable[[], np.ndarray]:
    """pytorch-grad-cam's maps (T, h, w) of one image (1, 3, H, W): `batched` repeats the image for every prompt;
    not `frozen`, the weights get gradients too, as in a model that was just loaded.
    """
    visual, count = clip.model.visual, len(text_features)
    to_grid = on_grid(towers.trunk(visual, image).grid)

    def run() -> np.ndarray:
        clip.model.requires_grad_(not frozen)
        pictures = image.clone().requires_grad_()
        targets = [Cosine(index) for index in range(count)]
        try:
            model = Similarities(clip.model, text_features)
            with Raw(model, [towers.cam_layer(visual)], reshape_transform=to_grid) as cam:
                if batched:
                    cam(pictures.detach().repeat(count, 1, 1, 1).requires_grad_(), targets=targets)
                    return cam.raw
                maps = []
                for target in targets:
                    cam(pictures, targets=[target])
                    maps.append(cam.raw[0])
                return np.stack(maps)
        finally:
            clip.model.zero_grad()
            clip.model.requires_grad_(False)

    return run


def on_grid(grid: tuple[int, int]) -> Callable[[Tensor], Tensor]:
    """Returns what the library calls a reshape transform: a layer's output -> activations (B, D, h, w) of patches."""
    patches = grid[0] * grid[1]

    def to_grid(activations: Tensor) -> Tensor:
        if activations.ndim == 4:
            return activations
        return activations[:, -patches:].transpose(1, 2).unflatten(2, grid)

    return to_grid


def ours(clip: Clip, image: Tensor, text_features: Tensor) -> Callable[[], np.ndarray]:
    """Our maps (T, h, w) of the same image, the image forward included."""
    return lambda: gradcam_map(clip, ImageEncoding(clip, image).tokens, text_features)[0].numpy()


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of two sets of maps (T, h, w), as a share of the largest value of the expected."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def exact_difference(clip: Clip, image: Tensor, prompts: list[str]) -> float:
    """`difference` of both in fp64, where no rounding is left: in fp32 it depends on the processor's kernels."""
    clip.model.double()
    try:
        given = (clip, image.double(), text_features(clip, prompts))
        return difference(ours(*given)(), theirs(*given, batched=False, frozen=True)())
    finally:
        clip.model.float()


def text_features(clip: Clip, prompts: list[str]) -> Tensor:
    """(T, D), unit norm, by open_clip's own encoder."""
    with torch.no_grad():
        return F.normalize(clip.model.encode_text(clip.tokenize(prompts)), dim=-1)
