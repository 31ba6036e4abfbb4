"""Random views: what CLIP is shown of a picture in one step of guidance, applied to the picture and its masks alike.

As the spatial application of Paiss et al. 2022 (arXiv 2204.04908): rotation by up to 15 degrees and translation by up
to a tenth, perspective of distortion 0.7, hue and saturation by a tenth, an erased rectangle of a tenth to four tenths
of the picture (each with probability 0.7), and noise of up to 0.1. Whole pictures, never crops. Every view of a step is
another one.

Differs from the paper: rotation and perspective are one homography, so that a picture is resampled once; all that is
beyond its border has the colour of the border; hue and saturation turn and scale the two axes of chroma (YIQ), which is
linear. The released code returned from its loop after the first view, and copied that one with less or more of the same
noise: `single` does so too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from explain.clip.model import Clip
from guidance.objectives.geometry import affine, perspective, sampling_grid
from guidance.seeding import generator_of

MIN_PIXELS = 16

PROBABILITY = 0.7  # of each change
DEGREES, TRANSLATION, DISTORTION = 15.0, 0.1, 0.7
HUE, SATURATION = 0.1, 0.1
ERASED, ERASED_RATIO = (0.1, 0.4), (0.3, 1 / 0.3)
NOISE = 0.1
_NUMBERS = 22  # that one view is drawn from
_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


@dataclass(frozen=True)
class Views:
    """V views of each of B pictures: where every pixel (h, w) comes from, and what is done to its colour.

    `grid` (B, V, h, w, 2) as in `F.grid_sample`; `colour` (B, V, 3, 3) multiplies RGB; `kept` (B, V, 1, h, w) is 0
    where a view is erased; `noise` (B, V, 3, h, w) is added.
    """

    grid: Tensor
    colour: Tensor
    kept: Tensor
    noise: Tensor

    def of_images(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> (B, V, 3, h, w), differentiable. An erased rectangle is black below its noise."""
        seen = torch.einsum("bvdc,bvchw->bvdhw", self.colour.to(images), self._sampled(images))
        return seen * self.kept.to(images) + self.noise.to(images)

    @torch.no_grad()
    def of_masks(self, masks: Tensor) -> Tensor:
        """Masks (B, K, H, W) in [0, 1] -> (B, K, V, h, w) of 0 and 1. One may vanish in a view that leaves it out.

        A pixel is inside from half of the mask's largest value on: half a pixel, for all that fills one.
        """
        half = masks.amax((-2, -1)) / 2
        return (self._sampled(masks) > half[:, None, :, None, None]).to(masks).transpose(1, 2)

    def _sampled(self, planes: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, V, C, h, w). The views of a picture lie below one another in one grid: one resampling."""
        views = self.grid.shape[1]
        found = F.grid_sample(
            planes, self.grid.flatten(1, 2).to(planes), padding_mode="border", align_corners=False
        )
        return found.unflatten(2, (views, -1)).transpose(1, 2)


def draw_views(
    seeds: Sequence[int],
    step: int,
    count: int,
    size: tuple[int, int],
    strength: float = 1.0,
    single: bool = False,
) -> Views:
    """`count` views of size (h, w) for each picture; they depend on its seed and on the step alone. On the CPU.

    Geometry and colours are computed in fp64: solved in fp32, they would differ from processor to processor.

    `strength` in [0, 1] scales every change; 0 shows the picture as it is. `single`: the released code's copies of one
    view.
    """
    drawn = [_draw(seed, step, count, size, single) for seed in seeds]
    numbers, noise = (torch.stack(parts) for parts in zip(*drawn, strict=True))
    exact = numbers.double()
    return Views(
        sampling_grid(_homographies(exact, strength, size[1] / size[0]), size),
        _colours(exact, strength),
        _kept(numbers, strength, size),
        noise * (strength * NOISE * numbers[..., -1])[..., None, None, None],
    )


def identity_views(pictures: int, size: tuple[int, int]) -> Views:
    """One view of each picture, as it is."""
    return draw_views([0] * pictures, 0, 1, size, strength=0.0)


def _draw(seed: int, step: int, count: int, size: tuple[int, int], single: bool) -> tuple[Tensor, Tensor]:
    """Numbers (V, _NUMBERS) in [0, 1) and Gaussian noise (V, 3, h, w) of one picture at one step."""
    generator = generator_of(seed, step)
    numbers = torch.rand(count, _NUMBERS, generator=generator)
    noise = torch.randn(1 if single else count, 3, *size, generator=generator)
    if single:
        numbers[1:, :-1] = numbers[0, :-1]  # the last is how much of the noise
    return numbers, noise.expand(count, -1, -1, -1)


def _happens(numbers: Tensor, strength: float) -> Tensor:
    """Strength where a change happens, 0 where not."""
    return strength * (numbers < PROBABILITY)


def _homographies(numbers: Tensor, strength: float, aspect: float) -> Tensor:
    """(..., 3, 3) from places in the view to places in the picture: perspective came after rotation, so it is undone
    first.
    """
    moved = _happens(numbers[..., 0], strength)
    angle, right, down = ((2 * numbers[..., i] - 1) * moved for i in (1, 2, 3))
    turned = affine(math.radians(DEGREES) * angle, 2 * TRANSLATION * right, 2 * TRANSLATION * down, aspect)
    inward = DISTORTION * _happens(numbers[..., 4:5], strength) * numbers[..., 5:13]
    return turned @ perspective(inward.unflatten(-1, (4, 2)))


def _colours(numbers: Tensor, strength: float) -> Tensor:
    """(..., 3, 3) that turn and scale chroma."""
    changed = _happens(numbers[..., 13], strength)
    hue = 2 * math.pi * HUE * (2 * numbers[..., 14] - 1) * changed
    scale = 1 + SATURATION * (2 * numbers[..., 15] - 1) * changed
    middle = hue.new_zeros(*hue.shape, 3, 3)
    middle[..., 0, 0] = 1
    middle[..., 1, 1] = middle[..., 2, 2] = scale * hue.cos()
    middle[..., 1, 2], middle[..., 2, 1] = -scale * hue.sin(), scale * hue.sin()
    yiq = torch.tensor(_YIQ).to(hue)
    return torch.linalg.inv(yiq) @ middle @ yiq


def _kept(numbers: Tensor, strength: float, size: tuple[int, int]) -> Tensor:
    """(..., 1, h, w): 0 in the erased rectangle, 1 elsewhere. Its sides are at most those of the picture."""
    area = _happens(numbers[..., 16], strength) * (ERASED[0] + (ERASED[1] - ERASED[0]) * numbers[..., 17])
    ratio = torch.exp(numbers[..., 18] * math.log(ERASED_RATIO[1] / ERASED_RATIO[0])) * ERASED_RATIO[0]
    inside = []
    for side, place, pixels in zip(
        ((area * ratio).sqrt(), (area / ratio).sqrt()), (19, 20), size, strict=True
    ):
        side = side.clamp(max=1)[..., None]
        centre = (torch.arange(pixels) + 0.5) / pixels
        start = numbers[..., place, None] * (1 - side)
        inside.append((centre >= start) & (centre < start + side))
    return (~(inside[0][..., :, None] & inside[1][..., None, :])).float()[..., None, :, :]


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
