"""Texts of each image's own (B, T, D), as guidance asks for them, and maps that stay differentiable."""

import pytest
import torch

from explain import towers
from explain.methods import eclip
from explain.methods.itsm import similarity_map
from explain.methods.relevance import image_relevance, last_layer, last_relevance, rolled_relevance

PROMPTS = ["a red cat", "two boats", "the sky", "a yellow car"]


@pytest.fixture
def texts(clip):
    """Two texts for each of two images (2, 2, D)."""
    return clip.encode_texts(clip.tokenize(PROMPTS)).unflatten(0, (2, 2))


@pytest.mark.parametrize("layers", ["last", "all"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_relevance_to_texts_of_each_image_s_own(clip, images, texts, layers, create_graph):
    images = images.requires_grad_()
    found = image_relevance(clip, images, texts, layers, create_graph=create_graph)
    for b in range(2):
        alone = image_relevance(clip, images[b : b + 1], texts[b], layers, create_graph=create_graph)
        torch.testing.assert_close(found[b], alone[0], atol=1e-7, rtol=1e-4)
    grad, own = (torch.autograd.grad(maps.square().sum(), images)[0][1] for maps in (found, alone))
    torch.testing.assert_close(grad - own, torch.zeros_like(own), atol=1e-3 * float(own.abs().max()), rtol=0)


def test_similarity_to_texts_of_each_image_s_own(clip, images, texts):
    dense = clip.dense_tokens(images)
    found = similarity_map(dense, texts)
    for b in range(2):
        torch.testing.assert_close(found[b], similarity_map(dense[b : b + 1], texts[b])[0])


@pytest.mark.parametrize("layers", ["last", "all"])
@pytest.mark.parametrize("count", [1, 2])
def test_any_number_of_texts_under_no_grad(clip, images, layers, count):
    features = clip.encode_texts(clip.tokenize(PROMPTS[:count]))
    expected = image_relevance(clip, images, features, layers)
    with torch.no_grad():
        found = image_relevance(clip, images, features, layers)
    torch.testing.assert_close(found, expected)


def test_the_last_layer_alone_serves_pooled_row_and_map(clip, images):
    features = clip.encode_texts(clip.tokenize(PROMPTS))
    tokens = towers.trunk(clip.model.visual, images)
    opened = last_layer(clip, tokens)
    torch.testing.assert_close(
        torch.nn.functional.normalize(opened.pooled, dim=-1), clip.encode_images(images)
    )
    found = rolled_relevance(clip, opened, features)
    torch.testing.assert_close(found, last_relevance(clip, tokens, features))


def test_projected_tokens_are_differentiable(clip, images):
    images = images.requires_grad_()
    tokens = towers.trunk(clip.model.visual, images)
    found = eclip.projected_tokens(clip, tokens, clip.eclip)
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(found.shape[:-1]))
    (grad,) = torch.autograd.grad(found[..., 0].sum(), images)
    assert grad.isfinite().all()
    assert float(grad.abs().sum()) > 0
