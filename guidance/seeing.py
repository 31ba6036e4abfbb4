"""How CLIP is shown pictures that are being made: at its size, normalised, in full precision."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from explain.clip import Clip
from guidance.views import Views

MIN_PIXELS = 16


class Seeing:
    """For B pictures at a time."""

    def __init__(self, clip: Clip, pictures: int) -> None:
        self.clip, self.pictures = clip, pictures
        visual, like = clip.model.visual, clip.model.logit_scale
        self._mean, self._std = (
            torch.tensor(values).to(like).view(3, 1, 1) for values in (visual.image_mean, visual.image_std)
        )

    def views_of(self, images: Tensor, views: Views) -> Tensor:
        """Views (B, V, 3, h, w), normalised, of images (B, 3, H, W) in [0, 1]. Differentiable."""
        return (views.of_images(self.resized(images)) - self._mean) / self._std

    def resized(self, images: Tensor) -> Tensor:
        """Images at CLIP's size and of its type. ValueError for what are not B images."""
        shape = tuple(images.shape)
        if len(shape) != 4 or shape[:2] != (self.pictures, 3) or min(shape[2:]) < MIN_PIXELS:
            raise ValueError(
                f"the images are {shape}; allowed: ({self.pictures}, 3, H, W) of at least {MIN_PIXELS} pixels"
            )
        images = images.to(self._mean)
        if shape[2:] == self.clip.size:
            return images
        return F.interpolate(images, self.clip.size, mode="bilinear", antialias=True, align_corners=False)

    def precise(self) -> torch.autocast:
        """Second derivatives of cosines are too small for 16 bits, whatever the generator runs in."""
        return torch.autocast(self.clip.device.type, enabled=False)
