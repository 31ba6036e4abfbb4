"""The registry x the families, and each method against its oracle."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import explain
from explain import towers
from explain.encodings import ImageEncoding
from explain.methods import METHODS, find, lacking
from explain.methods.itsm import reversed_similarity_map, similarity_map
from tests.conftest import random_images
from tests.oracles import explain as oracles

PROMPTS = ["a red cat on the grass", "the sky", "two boats"]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_with_every_family(name, clip, images, picture):
    """Shape, finite, one text as many, one image as many, no graph, nothing on the weights."""
    if METHODS[name].supports(clip) is not None:
        with pytest.raises(ValueError, match=METHODS[name].supports(clip)):
            explain.explain_image(clip, picture, PROMPTS, name)
        return
    texts = clip.encode_texts(clip.tokenize(PROMPTS))
    together = METHODS[name].image_map(ImageEncoding(clip, images), texts)
    assert together.shape == (2, 3, *clip.dense_tokens(images).shape[1:3])
    assert together.isfinite().all()
    assert not together.requires_grad
    alone = METHODS[name].image_map(ImageEncoding(clip, images[1:]), texts[2:])
    torch.testing.assert_close(alone[0, 0], together[1, 2], atol=1e-6, rtol=1e-4)
    assert all(p.grad is None and not p.requires_grad for p in clip.model.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_words_for_people(name):
    method = METHODS[name]
    assert method.name == name
    assert "arXiv" in method.paper
    for said in (method.sentence, method.limit):
        assert said.endswith(".")
        assert len(said) < 120


def test_the_catalogue_names_what_is_supported(clips):
    for entry in explain.CATALOGUE.values():
        clip = clips[{"ViT": "vit", "ResNet": "resnet", "SigLIP": "siglip", "CNN": "cnn"}[entry.family]]
        expected = {name for name, method in METHODS.items() if method.supports(clip) is None}
        assert METHODS.keys() - lacking(entry).keys() == expected - (
            set() if entry.projection.is_file() else {"eclip"}
        )


def test_a_new_method_is_supported_unless_a_model_lacks_it(monkeypatch):
    monkeypatch.setitem(METHODS, "new", METHODS["itsm"])
    monkeypatch.setattr(explain.Entry, "projection", Path(__file__))
    assert lacking(explain.CATALOGUE["toy-vit"]) == {}
    assert "new" not in lacking(explain.CATALOGUE["toy-rn"])
    monkeypatch.setitem(METHODS, "newer", METHODS["rollout"])
    assert lacking(explain.CATALOGUE["toy-rn"])["newer"] == METHODS["rollout"].needs.reason


def test_the_catalogue_needs_no_torch():
    """The page lists models before it loads the library."""
    code = """
import sys
from explain.clip.catalogue import CATALOGUE, available, find
import explain
assert explain.CATALOGUE is CATALOGUE and "load" in dir(explain)
available(find("toy-vit"))
print([name for name in ("torch", "open_clip", "matplotlib") if name in sys.modules])
from explain import *
print([name for name in explain.__all__ if name not in globals()], load.__module__, heatmap.__name__)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["[]", "[] explain.automatic explain.heatmap"]
    with pytest.raises(AttributeError, match="'explain' has no attribute 'nothing'"):
        _ = explain.nothing


def test_unknown_methods_name_the_choices():
    with pytest.raises(
        ValueError, match="unknown method 'cam'; allowed: itsm, itsm_reversed, eclip, relevance"
    ):
        find("cam")


def test_similarity_map_is_the_paper(clip, images):
    dense = clip.dense_tokens(images)
    texts = clip.encode_texts(clip.tokenize(PROMPTS))
    found = similarity_map(dense, texts)
    for b in range(2):
        for t in range(3):
            expected = oracles.similarity_map(dense[b], texts[t])
            np.testing.assert_allclose(found[b, t].numpy(), expected, atol=1e-6)


def test_similarity_map_of_planted_tokens():
    text = torch.tensor([[1.0, 0.0, 0.0]])
    dense = torch.tensor([[[[1.0, 0, 0], [0, 1, 0]], [[-1, 0, 0], [0, 0, 1]]]])
    assert similarity_map(dense, text).tolist() == [[[[1, 0], [-1, 0]]]]


def test_the_reversed_map_is_one_minus_the_map(clip, images):
    dense, texts = clip.dense_tokens(images), clip.encode_texts(clip.tokenize(["sky"]))
    normalise = explain.heatmap.normalise
    forward = normalise(similarity_map(dense, texts)[0, 0].numpy())
    back = normalise(reversed_similarity_map(dense, texts)[0, 0].numpy())
    np.testing.assert_allclose(back, 1 - forward, atol=1e-6)


def test_gradcam_is_the_paper(clip, images):
    """Activations and gradients taken by hooks from open_clip's own forward."""
    visual, kept = clip.model.visual, []

    def keep(module, args, output):
        kept.append(output.detach().requires_grad_())
        return kept[-1]

    texts = clip.encode_texts(clip.tokenize(PROMPTS))
    handle = towers.cam_layer(visual).register_forward_hook(keep)
    try:
        scores = clip.model.encode_image(images[:1], normalize=True)[0] @ texts.T
    finally:
        handle.remove()
    found = METHODS["gradcam"].image_map(ImageEncoding(clip, images[:1]), texts)[0]
    for t in range(3):
        (grad,) = torch.autograd.grad(scores[t], kept[0], retain_graph=True)
        a, g = (x[0].flatten(1).T if x.ndim == 4 else x[0] for x in (kept[0].detach(), grad))
        patches = found[t].numel()
        expected = oracles.gradcam(a[-patches:], g[-patches:], found[t].shape)
        np.testing.assert_allclose(found[t].numpy(), expected, atol=1e-6, rtol=1e-4)


def test_raw_attention_is_the_pooled_row(clip, images):
    _, probs = oracles.image_tower(clip.model, images[0], clip.name)
    patches = towers.trunk(clip.model.visual, images[:1]).grid
    expected = probs[-1].mean(0)[0, -patches[0] * patches[1] :].reshape(patches)
    found = METHODS["attention"].image_map(ImageEncoding(clip, images[:1]), torch.zeros(4, 1))
    assert found.shape[1] == 4
    torch.testing.assert_close(found[0, 3], expected.detach())


def test_one_encoding_serves_all_methods(clip):
    """No tower runs twice for the same answer."""
    calls = []
    handle = towers.cam_layer(clip.model.visual).register_forward_hook(lambda *args: calls.append(1))
    encoding = ImageEncoding(clip, random_images(clip, count=1))
    try:
        tokens = encoding.tokens
        before = len(calls)
        features = torch.stack([text.feature for text in encoding.read(PROMPTS)])
        for method in METHODS.values():
            if method.supports(clip) is None and not method.all_layers and not method.own_forwards:
                method.image_map(encoding, features)
    finally:
        handle.remove()
    assert encoding.tokens is tokens
    if clip.name != "vit":  # there the layer belongs to the last block, which every method reads anew
        assert len(calls) == before == 1


def test_a_method_of_ones_own_takes_a_file_and_two_lines(clip, picture, own_method):
    """As CONTRIBUTING says: it then is a method like any other."""
    assert METHODS["plain_mean"] is own_method
    found = explain.explain_methods(clip, picture, PROMPTS, ["plain_mean", "itsm"])
    for one, other in zip(found["plain_mean"], found["itsm"], strict=True):
        assert one.heatmap.shape == other.heatmap.shape
        assert one.score == other.score
    assert "plain_mean" not in lacking(explain.CATALOGUE["toy-rn"])
