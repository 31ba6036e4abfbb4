"""A model with random weights: nothing of the trained one is left in it, and the trained one is not touched."""

import numpy as np
import pytest
import torch
from PIL import Image

from explain import towers
from explain.clip.random_weights import KEPT, randomised
from explain.encodings import ImageEncoding, encode
from explain.methods import METHODS


def weights(clip):
    return {name: value.clone() for name, value in clip.model.state_dict().items()}


def test_every_weight_is_new_and_the_model_is_not_touched(clip):
    before, state = weights(clip), torch.get_rng_state()
    fresh = randomised(clip, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in clip.model.state_dict().items())
    parameters = dict(fresh.model.named_parameters())
    assert parameters.keys() == dict(clip.model.named_parameters()).keys()
    for name, value in parameters.items():
        if name in KEPT:
            assert torch.equal(value, before[name]), name
            continue
        assert not value.requires_grad
        assert not torch.equal(value, before[name]), name
        if value.ndim > 1 and value.numel() > 200:
            both = torch.stack([value.flatten(), before[name].flatten()])
            assert abs(torch.corrcoef(both)[0, 1]) < 0.3, name
    assert not any(module.training for module in fresh.model.modules())
    assert not torch.equal(fresh.eclip.weight, clip.eclip.weight)
    assert fresh.eclip.weight.shape == clip.eclip.weight.shape


def test_a_seed_is_a_model(clip):
    first, again, other = (weights(randomised(clip, seed)) for seed in (1, 1, 2))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    changed = [name for name, value in first.items() if not torch.equal(value, other[name])]
    assert any("visual" in name for name in changed)
    assert any("token_embedding" in name for name in changed)
    for wrong in (-1, 1.5, True, "1", 2**63):
        with pytest.raises(ValueError, match="allowed: a whole number from 0"):
            randomised(clip, wrong)


def test_caches_name_and_words_are_its_own(clips, picture):
    clip = clips["toy"]
    encode(clip, picture)
    fresh = randomised(clip)
    assert fresh.name == f"{clip.name} with random weights (seed 0)"
    assert fresh.vocabulary is None
    assert not fresh.pictures
    assert fresh.pictures is not clip.pictures
    assert fresh.opened is not clip.opened
    theirs, ours = (each.encode_texts(each.tokenize(["a red cat"])) for each in (clip, fresh))
    assert not torch.allclose(theirs, ours, atol=0.05)


def test_every_method_works_and_its_map_is_another(clip, picture):
    """Finite maps that are not constant; pictures and texts are told apart."""
    fresh = randomised(clip)
    other = Image.fromarray(np.asarray(picture)[::-1, ::-1].copy())
    encoding = ImageEncoding(fresh, fresh.prepare([picture]))
    texts = fresh.encode_texts(fresh.tokenize(["a red cat", "the sky at night"])).detach()
    for method in METHODS.values():
        if method.supports(clip) is None:
            assert method.supports(fresh) is None
            maps = method.image_map(encoding, texts)[0].detach()
            assert torch.isfinite(maps).all(), method.name
            if not (method.name == "gradcam" and (maps == 0).all()):  # a relu may leave nothing
                assert maps[0].max() > maps[0].min(), method.name
    pooled = fresh.encode_images(fresh.prepare([picture, other]))
    assert not torch.allclose(pooled[0], pooled[1], atol=1e-4)
    assert not torch.allclose(texts[0], texts[1], atol=1e-4)


def test_batch_norms_are_calibrated(clips):
    """What goes from stage to stage of a ResNet keeps its size, and the numbers are those of its own inputs."""
    clip = clips["resnet"]
    fresh = randomised(clip)
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randn(4, 3, 4, 4, generator=generator)
    images = torch.nn.functional.interpolate(coarse, size=clip.size, mode="bilinear", align_corners=False)
    tokens = towers.trunk(fresh.model.visual, images).values
    assert 0.1 < tokens.std() < 10
    norm = fresh.model.visual.bn1
    assert not torch.equal(norm.running_var, torch.ones_like(norm.running_var))
    assert norm.momentum == clip.model.visual.bn1.momentum
    assert (norm.weight == 1).all()


def test_a_model_without_eclip_stays_without(clips):
    from dataclasses import replace

    assert randomised(replace(clips["vit"], eclip=None)).eclip is None
