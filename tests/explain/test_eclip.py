"""ECLIP: pooling, the projection beside the model's own, its training, and the masks that guide it."""

import copy
import dataclasses
import json
import math

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from open_clip.modified_resnet import ModifiedResNet
from PIL import Image

import explain
from explain import towers
from explain.clip import projection
from explain.eclip import free_attention, training
from explain.eclip.training import Recipe, fill, masked_average, masked_max, pooled, train
from explain.encodings import ImageEncoding
from explain.inputs.captions import Captioned
from explain.methods.eclip import eclip_map
from explain.methods.itsm import similarity_map
from tests.conftest import random_images, save_family
from tests.oracles import explain as oracles

CAPTIONS = [
    "a red cat",
    "a house near the water",
    "two boats",
    "the sky",
    "a small yellow car",
    "green grass",
]


def squares(count=6, size=(32, 32), masks=True):
    """A square of one colour on grey, with a caption."""
    rng = np.random.default_rng(0)
    for index in range(count):
        pixels = np.full((*size, 3), 128, np.uint8)
        mask = np.zeros(size, bool)
        top, left = rng.integers(0, size[0] // 2, 2)
        mask[top : top + size[0] // 2, left : left + size[1] // 2] = True
        pixels[mask] = rng.integers(0, 256, 3)
        yield Captioned(Image.fromarray(pixels), CAPTIONS[index % 6], mask if masks else None)


@pytest.fixture
def bank(clip):
    return fill(clip, squares(), free_attention.everything, 6, batch=4)


# pooling


def test_masked_max_is_the_paper():
    tokens = torch.randn(3, 5, 4)
    masks = torch.tensor([[1, 0, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]], dtype=torch.bool)
    found = masked_max(tokens, masks)
    for b in range(3):
        for c in range(4):
            assert found[b, c] == max(float(tokens[b, i, c]) for i in range(5) if masks[b, i])
    torch.testing.assert_close(masked_max(tokens, torch.ones(3, 5, dtype=torch.bool)), tokens.amax(1))
    order = torch.randperm(5)
    torch.testing.assert_close(masked_max(tokens[:, order], masks[:, order]), found)


def test_masked_average_is_the_mean_of_what_is_kept():
    tokens = torch.randn(2, 4, 3)
    masks = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 1]], dtype=torch.bool)
    expected = torch.stack([tokens[0, :2].mean(0), tokens[1, 1:].mean(0)])
    torch.testing.assert_close(masked_average(tokens, masks), expected)


@pytest.mark.parametrize("pool", [masked_max, masked_average])
def test_hidden_tokens_get_no_gradient_and_empty_masks_are_refused(pool):
    tokens = torch.randn(1, 4, 3, requires_grad=True)
    masks = torch.tensor([[True, False, True, False]])
    pool(tokens, masks).sum().backward()
    assert tokens.grad[0, [1, 3]].abs().max() == 0
    assert tokens.grad[0, [0, 2]].abs().sum() > 0
    with pytest.raises(ValueError, match="keeps no patch"):
        pool(tokens, torch.zeros_like(masks))


def test_poolings_by_name():
    rows, masks = torch.randn(2, 5, 3), torch.tensor([[True, False, False, False]] * 2)
    assert torch.equal(pooled(rows, masks, "class"), rows[:, 0])
    torch.testing.assert_close(pooled(rows, masks, "average"), rows[:, 1:].mean(1))
    torch.testing.assert_close(pooled(rows, masks, "max"), rows[:, 1:].amax(1))
    torch.testing.assert_close(pooled(rows, masks, "masked_max"), rows[:, 1])
    with pytest.raises(ValueError, match="allowed: class, average, max"):
        pooled(rows, masks, "median")


# the projection


def test_head_input_and_head_are_the_model(clip, images):
    """With the model's own projection, patches are the dense tokens (a ResNet's: unmixed) and the first row is the
    pooled one."""
    visual = clip.model.visual
    tokens = towers.trunk(visual, images)
    weight, bias = towers.head(visual)
    rows = towers.head_input(visual, tokens) @ weight + bias
    torch.testing.assert_close(rows[:, 1:], _unpooled(visual, tokens), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(rows[:, 0], towers.pool(visual, tokens), atol=1e-5, rtol=1e-4)


def _unpooled(visual, tokens):
    return (
        towers.dense(visual, tokens, "value")
        if isinstance(visual, ModifiedResNet)
        else towers.dense(visual, tokens)
    )


def test_the_map_is_itsm_with_another_projection(clip, images):
    encoding = ImageEncoding(clip, images)
    texts = clip.encode_texts(clip.tokenize(CAPTIONS[:2])).detach()
    own = training.start(clip, fresh=False, generator=torch.Generator())
    dense = F.normalize(_unpooled(clip.model.visual, encoding.tokens), dim=-1).unflatten(
        1, encoding.tokens.grid
    )
    torch.testing.assert_close(
        eclip_map(clip, encoding, own, texts), similarity_map(dense, texts), atol=1e-5, rtol=1e-4
    )
    other = training.start(clip, fresh=True, generator=torch.Generator().manual_seed(1))
    rows = towers.head_input(clip.model.visual, encoding.tokens)[0, 1:]
    dense = (rows @ other.weight + other.bias).unflatten(0, encoding.tokens.grid)
    expected = oracles.similarity_map(dense, texts[1])
    np.testing.assert_allclose(eclip_map(clip, encoding, other, texts)[0, 1], expected, atol=1e-5)


def test_saved_read_and_found_beside_the_model(tmp_path, clips, picture):
    """A trained projection changes no score by a bit, and brings the method."""
    folder = save_family(tmp_path / "vit", "vit")
    plain = explain.load(folder, device="cpu")
    with pytest.raises(
        ValueError, match="nobody has trained ECLIP for it here: python -m explain train-eclip"
    ):
        explain.explain_image(plain, picture, CAPTIONS[:2], "eclip")
    before = explain.explain_image(plain, picture, CAPTIONS[:2])
    made = training.start(plain, fresh=True, generator=torch.Generator().manual_seed(0))
    made = dataclasses.replace(made, settings=json.dumps({"epochs": 3}))
    projection.save(made, folder / projection.FOLDER / projection.FILE)
    found = projection.read(folder / projection.FOLDER / projection.FILE, plain.model.visual)
    assert json.loads(found.settings) == {"epochs": 3}
    torch.testing.assert_close(found.weight, made.weight, atol=1e-3, rtol=1e-3)
    with pytest.raises(ValueError, match="is for another model"):
        projection.read(folder / projection.FOLDER / projection.FILE, clips["siglip"].model.visual)
    moved = folder.rename(tmp_path / "trained")
    trained = explain.load(moved, device="cpu")
    after = explain.explain_methods(trained, picture, CAPTIONS[:2], ["itsm", "eclip"])
    assert [e.score for e in after["itsm"]] == [e.score for e in before] == [e.score for e in after["eclip"]]
    assert not np.allclose(after["eclip"][0].heatmap, after["itsm"][0].heatmap)


@pytest.mark.parametrize("content", [b"", b"nothing", b"\xff" * 100])
def test_broken_files_are_refused(tmp_path, clips, content):
    (tmp_path / projection.FILE).write_bytes(content)
    with pytest.raises(ValueError, match="holds no ECLIP projection"):
        projection.read(tmp_path / projection.FILE, clips["vit"].model.visual)


def test_numbers_that_are_not_finite_are_refused(tmp_path, clips):
    own = training.start(clips["vit"], fresh=False, generator=torch.Generator())
    projection.save(dataclasses.replace(own, bias=own.bias + math.inf), tmp_path / projection.FILE)
    with pytest.raises(ValueError, match="not finite"):
        projection.read(tmp_path / projection.FILE, clips["vit"].model.visual)


# training


def test_contrastive_is_the_paper():
    images, texts = torch.randn(4, 3), F.normalize(torch.randn(4, 3), dim=-1)
    total = 0.0
    for i in range(4):
        z = [images[j] / images[j].norm() for j in range(4)]
        rows = [10 * float(z[i] @ texts[j]) for j in range(4)]
        columns = [10 * float(z[j] @ texts[i]) for j in range(4)]
        for logits in (rows, columns):
            total += math.log(sum(math.exp(v) for v in logits)) - logits[i]
    assert float(training.contrastive(images, texts, 10.0)) == pytest.approx(total / 8, rel=1e-5)


def test_the_bank_holds_what_the_towers_made(clip, bank):
    pairs = list(squares())
    images = clip.prepare([pair.image for pair in pairs])
    tokens = towers.trunk(clip.model.visual, images)
    rows = towers.head_input(clip.model.visual, tokens)
    torch.testing.assert_close(bank.rows.float(), rows, atol=1e-2, rtol=1e-2)
    assert bank.free.all()
    assert bank.exact.any(1).all()
    assert not bank.exact.all()
    np.testing.assert_allclose(bank.texts.norm(dim=-1), 1, atol=1e-5)
    assert bank.masks("all").all()
    assert torch.equal(bank.masks("exact"), bank.exact)
    with pytest.raises(ValueError, match="allowed: free, exact, all"):
        bank.masks("some")
    with pytest.raises(ValueError, match="without exact masks"):
        fill(clip, squares(masks=False), free_attention.everything, 6).masks("exact")
    with pytest.raises(ValueError, match="1 pictures are too few"):
        fill(clip, squares(1), free_attention.everything, 6)


@pytest.mark.parametrize("pooling", training.POOLINGS)
def test_the_loss_falls_and_nothing_else_moves(clip, bank, pooling):
    before = {name: x.clone() for name, x in clip.model.state_dict().items()}
    recipe = Recipe(epochs=8, batch=6, lr=0.005, pooling=pooling, mask="exact")
    losses = [progress.loss for progress, _ in train(clip, bank, recipe)]
    assert len(losses) == 8
    assert losses[-1] < losses[0]
    assert all(torch.equal(x, before[name]) for name, x in clip.model.state_dict().items())
    assert all(p.grad is None for p in clip.model.parameters())


def test_resuming_is_as_if_nothing_had_happened(clip, bank, tmp_path):
    recipe = Recipe(epochs=4, batch=3, lr=0.01, fresh=True)
    whole = [W for _, W in train(clip, bank, recipe)][-1]
    steps = train(clip, bank, recipe, tmp_path)
    next(steps), next(steps)
    steps.close()
    rest = list(train(clip, bank, recipe, tmp_path, resume=True))
    assert [progress.done for progress, _ in rest] == [3, 4]
    assert torch.equal(rest[-1][1].weight, whole.weight)
    assert json.loads(rest[-1][1].settings)["epochs_done"] == 4
    assert list(train(clip, bank, recipe, tmp_path, resume=True)) == []


def test_resuming_what_cannot_be_resumed(clip, bank, tmp_path):
    recipe = Recipe(epochs=1, batch=3)
    with pytest.raises(ValueError, match="nothing to resume"):
        list(train(clip, bank, recipe, tmp_path, resume=True))
    list(train(clip, bank, recipe, tmp_path))
    good = (tmp_path / projection.FILE).read_bytes()
    with pytest.raises(ValueError, match="is of another recipe"):
        list(train(clip, bank, dataclasses.replace(recipe, lr=1.0), tmp_path, resume=True))
    state = tmp_path / training.STATE
    state.write_bytes(state.read_bytes()[:200])
    with pytest.raises(ValueError, match="may be half written"):
        list(train(clip, bank, recipe, tmp_path, resume=True))
    assert (tmp_path / projection.FILE).read_bytes() == good


@pytest.mark.parametrize(
    "changes",
    [{"epochs": 0}, {"batch": 1}, {"lr": 0}, {"lr": math.nan}, {"pooling": "none"}, {"mask": "none"}],
)
def test_recipes_out_of_bounds(clips, changes):
    clip = clips["vit"]
    bank = fill(clip, squares(), free_attention.everything, 6)
    with pytest.raises(ValueError, match=r"allowed|at least"):
        list(train(clip, bank, dataclasses.replace(Recipe(), **changes)))


# free attention


def test_most_attended_holds_the_mass_and_not_a_patch_too_many():
    attention = torch.rand(3, 4, 9).softmax(-1)
    kept = free_attention.most_attended(attention, 0.6)
    for row, mask in zip(attention.flatten(0, 1), kept.flatten(0, 1), strict=True):
        assert float(row[mask].sum()) >= 0.6 - 1e-6
        assert float(row[mask].sum() - row[mask].min()) < 0.6


def test_masks_are_resized_by_area_and_never_empty():
    kept = torch.zeros(2, 4, 4)
    kept[0, :2, :2] = 1
    strength = torch.arange(16.0).reshape(1, 4, 4).repeat(2, 1, 1)
    masks = free_attention.on_grid(kept, strength, (2, 2))
    assert masks.tolist() == [[[True, False], [False, False]], [[False, False], [False, True]]]


def planted(clip, value):
    """Images whose middle differs from the rest."""
    images = torch.zeros(2, 3, *clip.size)
    rows, columns = clip.size
    images[:, :, rows // 4 : 3 * rows // 4, columns // 4 : 3 * columns // 4] = value
    return images + 0.01 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))


def test_the_normalised_cut_finds_what_differs(clips):
    """Before the first attention: what random layers make of it later is anybody's guess."""
    clip = clips["vit"]
    images = planted(clip, 2.0)
    grid = towers.trunk(clip.model.visual, images).grid
    masks = free_attention.normalised_cut(clip, layer=0, neighbours=0)(images, grid)
    assert masks.shape == (2, *grid)
    expected = np.zeros(grid, bool)
    expected[grid[0] // 4 : 3 * grid[0] // 4, grid[1] // 4 : 3 * grid[1] // 4] = True
    found = masks[0].numpy()
    assert (found & expected).sum() / (found | expected).sum() > 0.99


def test_the_cut_is_finer_where_the_picture_is_enlarged(clips):
    """The tower is given the enlarged picture; the masks come back on the grid that was asked for."""
    clip = clips["vit"]
    images = planted(clip, 2.0)
    grid = towers.trunk(clip.model.visual, images).grid
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        real = free_attention.hidden_tokens
        patch.setattr(
            free_attention, "hidden_tokens", lambda *given: seen.append(given[1].shape[-2:]) or real(*given)
        )
        for enlarged in (1, 2):
            masks = free_attention.normalised_cut(clip, layer=0, neighbours=0, enlarged=enlarged)(
                images, grid
            )
            assert masks.shape == (2, *grid)
    assert [tuple(size) for size in seen] == [clip.size, tuple(2 * side for side in clip.size)]


def test_another_models_features_see_the_same_picture(clips, picture):
    """`borrowed` gives the other model what its own preparation would have given."""
    clip, other = clips["vit"], dataclasses.replace(clips["vit"], model=copy.deepcopy(clips["vit"].model))
    other.model.visual.image_mean, other.model.visual.image_std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    seen = []
    source = free_attention.borrowed(lambda images, grid: seen.append(images), clip, other)
    source(clip.prepare([picture]), (2, 2))
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7)))
    own_mean, own_std = (
        torch.tensor(x).view(3, 1, 1) for x in (clip.model.visual.image_mean, clip.model.visual.image_std)
    )
    expected = (clip.prepare([picture]) * own_std + own_mean - mean) / std
    torch.testing.assert_close(seen[0], expected, atol=1e-5, rtol=1e-5)
    seen.clear()
    source(torch.zeros(1, 3, 96, 96), (2, 2))
    assert tuple(seen[0].shape[-2:]) == other.size


def test_the_edge_of_a_cut_is_left_out():
    kept = torch.zeros(1, 5, 5)
    kept[0, 1:5, 1:4] = 1  # touches the lower border
    inner = kept.bool() & (free_attention._neighbours(kept) >= 3)
    expected = torch.zeros(5, 5, dtype=torch.bool)
    expected[2:5, 1:4] = True
    expected[1, 2] = True
    assert inner[0].tolist() == expected.tolist()


@pytest.mark.parametrize("rule", [free_attention.normalised_cut, free_attention.feature_norm])
def test_rules_give_masks_for_every_family_and_grid(clip, images, rule):
    for grid in ((2, 2), (3, 5)):
        masks = rule(clip)(images, grid)
        assert masks.shape == (2, *grid)
        assert masks.dtype == torch.bool
        assert masks.flatten(1).any(1).all()
    assert torch.equal(rule(clip)(images[1:], (2, 2))[0], rule(clip)(images, (2, 2))[1])
    same = rule(clip)(torch.zeros_like(images), (2, 2))  # a picture of nothing
    assert same.flatten(1).any(1).all()


def test_dino_attention_is_the_class_tokens(clips):
    """A ViT of DINO's kind with random weights, against its own attention written out."""
    model = (
        timm.create_model(
            "vit_small_patch16_224.dino",
            pretrained=False,
            num_classes=0,
            img_size=64,
            depth=2,
            embed_dim=24,
            num_heads=2,
        )
        .eval()
        .requires_grad_(False)
    )
    images = random_images(clips["vit"])
    masks = free_attention.dino_attention(model, size=64)(images, (4, 4))
    assert masks.shape == (2, 4, 4)
    kept = []
    block = model.blocks[-1]
    handle = block.attn.register_forward_pre_hook(lambda module, args: kept.append(args[0]))
    sized = F.interpolate(images, size=(64, 64), mode="bilinear", antialias=True, align_corners=False)
    model.forward_features(sized)
    handle.remove()
    qkv = block.attn.qkv(kept[0]).unflatten(-1, (3, 2, 12)).permute(2, 0, 3, 1, 4)
    row = (qkv[0] @ qkv[1].transpose(-2, -1) * 12**-0.5).softmax(-1)[:, :, 0, 1:]
    expected = free_attention.most_attended(row, 0.6).float().mean(1).unflatten(-1, (4, 4)) > 0.5
    assert expected.flatten(1).any(1).all()
    assert torch.equal(masks, expected)
