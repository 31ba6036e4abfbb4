"""Methods that well-known libraries have too, against those libraries: pytorch-grad-cam and captum.

Grad-CAM is in test_benchmarks.py. Where a library does a step in another way, the test says which and takes
that step on both sides.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import Occlusion
from pytorch_grad_cam import ScoreCAM
from torch import Tensor

from benchmarks import gradcam
from explain import towers
from explain.encodings import ImageEncoding
from explain.methods import gscorecam, occlusion
from explain.methods.grad_cam import activations_and_gradients
from tests.conftest import random_images

PROMPTS = ["a red cat on the grass", "the sky"]


class Score(gradcam.Kept, ScoreCAM):
    """pytorch-grad-cam's ScoreCAM, which sees the channels that its reshape transform leaves it."""

    batch_size = 64


class Logit(gradcam.Cosine):
    """The target of one prompt, as large as the model's own logits: the library takes a softmax of it over channels."""

    def __init__(self, index: int, scale: float) -> None:
        super().__init__(index)
        self.scale = scale

    def __call__(self, output: Tensor) -> Tensor:
        return super().__call__(output) * self.scale


def library_masks(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """The library's masks: resized with the corners of grid and picture on one another, and min-max after that."""
    masks = F.interpolate(planes.unsqueeze(1), size=size, mode="bilinear", align_corners=True)
    low, high = masks.amin((2, 3), keepdim=True), masks.amax((2, 3), keepdim=True)
    return (masks - low) / (high - low + 1e-8)


@pytest.fixture
def image(clip):
    return random_images(clip, count=1)


@pytest.fixture
def texts(clip):
    return gradcam.text_features(clip, PROMPTS)


@pytest.mark.parametrize("channels", [5, 10_000])
def test_gscorecam_is_pytorch_grad_cams_scorecam(clip, image, texts, channels, monkeypatch):
    """Of the channels that the gradient likes best, and of all. The masks are theirs on both sides."""
    monkeypatch.setattr(gscorecam, "masks_of", library_masks)
    tokens = ImageEncoding(clip, image).tokens
    found = gscorecam.gscorecam_map(clip, image, tokens, texts, channels)[0].numpy()
    _, grads = activations_and_gradients(clip, tokens, texts)
    to_grid = gradcam.on_grid(tokens.grid)
    model = gradcam.Similarities(clip.model, texts)
    for t in range(len(texts)):
        best = grads[t, 0].mean(0).argsort(descending=True)[:channels]
        layer = towers.cam_layer(clip.model.visual)
        with Score(model, [layer], reshape_transform=lambda x, best=best: to_grid(x)[:, best]) as cam:
            cam(image, targets=[Logit(t, clip.logit_scale)])
        assert found[t].max() > 0
        assert gradcam.difference(found[t], cam.raw[0]) < 1e-4


def test_our_masks_are_the_librarys_where_nothing_is_resized(clip, image):
    """They differ by the order of min-max and resizing, and by where the grid lies on the picture: in nothing else."""
    tokens = ImageEncoding(clip, image).tokens
    planes = gradcam.on_grid(tokens.grid)(towers.seen(clip.model.visual, tokens))[0]
    found, expected = (masks(planes, tokens.grid) for masks in (gscorecam.masks_of, library_masks))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("cells", [1, 3])
def test_occlusion_is_captums(clip, image, texts, cells, monkeypatch):
    """captum hides squares that lie within its input, and gives a pixel the mean of all squares over it. So its input
    is the picture with a border that is cut off again, and our maps are averaged as it does.
    """
    monkeypatch.setattr(occlusion, "window", lambda side: cells)
    encoding = ImageEncoding(clip, image)
    grid = encoding.tokens.grid
    maps = occlusion.occlusion_map(clip, image, encoding.features, grid, texts)
    cell = image.shape[-2] // grid[0], image.shape[-1] // grid[1]
    reach = cells // 2
    border = (reach * cell[1],) * 2 + (reach * cell[0],) * 2

    def score(padded: Tensor) -> Tensor:
        return clip.encode_images(F.pad(padded, tuple(-side for side in border))) @ texts.T

    shapes = (3, cells * cell[0], cells * cell[1])
    for t in range(len(texts)):
        theirs = Occlusion(score).attribute(
            F.pad(image, border),
            sliding_window_shapes=shapes,
            strides=(3, *cell),
            baselines=0,
            target=t,
            perturbations_per_eval=16,
        )
        inner = F.pad(theirs[0, 0], tuple(-side for side in border))
        ours = F.avg_pool2d(maps[:, t], cells, stride=1, padding=reach, count_include_pad=False)[0]
        expected = ours.repeat_interleave(cell[0], 0).repeat_interleave(cell[1], 1)
        assert float(expected.abs().max()) > 1e-3
        np.testing.assert_allclose(inner.numpy(), expected.numpy(), atol=1e-5)
