"""The objective against paper A's equations as loops, and what must hold whatever the numbers."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import explain
from explain.clip.model import Clip
from explain.encodings import ImageEncoding
from guidance.layout.parsing import Box, Layout, Region, targets
from guidance.objectives import boxes, losses
from guidance.objectives.boxes import BoxObjective, ObjectiveSettings
from guidance.objectives.heatmaps import HEATMAPS, standing_out
from guidance.objectives.views import draw_views
from tests.conftest import FAMILIES
from tests.oracles import guidance as oracle

DISC = np.add.outer((np.arange(20) - 12) ** 2, (np.arange(30) - 9) ** 2) < 40
CAT = Box("red cat", 0.1, 0.2, 0.55, 0.9)
TWO = Layout("a cat and two boats", targets([CAT, Box("boat", 0, 0, 0.4, 0.3), Box("boat", 0.6, 0.6, 1, 1)]))
ONE = Layout("the sky", targets([Region("the sky", DISC)]))
FEW = ObjectiveSettings(views=3)
SEEDS = (5, 2**40)


@pytest.fixture(scope="module")
def doubles(clips):
    """The tiny models in fp64."""
    return {
        name: Clip(
            name,
            copy.deepcopy(clip.model).double(),
            clip.transform,
            clip.tokenizer,
            clip.vocabulary,
            clip.eclip,
        )
        for name, clip in clips.items()
    }


def pictures(count=2, size=(40, 48), seed=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, *size, generator=generator, dtype=torch.float64)


def slow(clip, layouts, seeds, images, step, settings):
    """The parts of the loss of each picture by the oracle."""
    family = clip.name
    constants = [torch.tensor(value).double().expand(3).view(3, 1, 1) for value in (0.5, 0.25)]
    grid = tuple(clip.dense_tokens(images[:1].new_zeros(1, 3, *clip.size)).shape[1:3])
    all_layers = settings.heatmap == "relevance_all"

    def look(x, text):
        if settings.heatmap.startswith("relevance"):
            feature, q = oracle.relevance_map(clip.model, family, x, text, all_layers)
        else:
            feature = clip.encode_images(x[None])[0]
            q = oracle.cosine_map(tokens(x), text)
        return feature, q.view(grid)

    def tokens(x):
        if settings.heatmap == "itsm":
            return clip.dense_tokens(x[None])[0].flatten(0, 1)
        from explain import towers

        rows = towers.head_input(clip.model.visual, towers.trunk(clip.model.visual, x[None]))[0, 1:]
        return rows @ clip.eclip.weight.double() + clip.eclip.bias.double()

    def text(prompt):
        return clip.encode_texts(clip.tokenize([prompt]))[0]

    found = []
    for image, layout, seed in zip(images, layouts, seeds, strict=True):
        drawn = draw_views(
            [seed], step, settings.views, clip.size, settings.view_strength, settings.legacy_single_view
        )
        each = [
            tuple(part[0, v].double() for part in (drawn.grid, drawn.colour, drawn.kept, drawn.noise))
            for v in range(settings.views)
        ]
        wanted = [
            (
                text(f"a photo of {target.phrase}"),
                torch.from_numpy(np.array(target.mask(*clip.size))).double(),
                max(target.share, 1 / math.prod(grid)),
            )
            for target in layout.targets
        ]
        scene = text(layout.prompt) if settings.scene_weight else None
        found.append(oracle.losses(look, image, wanted, scene, each, clip.size, *constants, settings))
    return found


def compare(clip, settings, layouts=(TWO, ONE), step=4):
    """Losses, their parts and their gradients, ours and the oracle's."""
    images = pictures(len(layouts)).requires_grad_()
    judgement = BoxObjective(clip, layouts, SEEDS[: len(layouts)], settings)(images, step)
    expected = slow(clip, layouts, SEEDS[: len(layouts)], images, step, settings)
    for name, values in judgement.terms.items():
        wanted = torch.stack([torch.as_tensor(parts[name]).double() for parts in expected])
        assert float(wanted.detach().abs().min()) > 0
        torch.testing.assert_close(values, wanted.detach(), atol=1e-5, rtol=1e-5)
    for name, value in expected[0].items():
        assert (name in judgement.terms) == bool(value != 0)
    total = torch.stack([sum(parts.values()) for parts in expected])
    torch.testing.assert_close(judgement.total, total, atol=1e-5, rtol=1e-5)
    (ours,) = torch.autograd.grad(judgement.total.sum(), images)
    (slowly,) = torch.autograd.grad(total.sum(), images)
    assert float(slowly.abs().max()) > 0
    torch.testing.assert_close(ours, slowly, atol=1e-6 * float(slowly.abs().max()), rtol=1e-4)


# --- the equations -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_the_objective_is_the_paper(doubles, family):
    compare(doubles[family], replace(FEW, views=2))


@pytest.mark.parametrize(
    "changes",
    [
        {"coverage_weight": 0.7, "scene_weight": 0.4},
        {"whole_views": False, "threshold": 0.3, "sharpness": 7.0},
        {"masked_views": False, "lambda0": 2.0},
        {"whole_views": False, "masked_views": False},
        {"legacy_single_view": True},
        {"view_strength": 0.3, "lambda0": 0.0, "coverage_weight": 1.0},
    ],
)
def test_every_choice_is_the_paper(doubles, changes):
    compare(doubles["vit"], replace(FEW, **changes))


@pytest.mark.parametrize(
    ("family", "heatmap"),
    [(f, h) for f in ("vit", "siglip") for h in ("relevance_all", "itsm", "eclip")]
    + [(f, h) for f in ("resnet", "cnn") for h in ("itsm", "eclip")],
)
def test_every_heatmap_is_its_method(doubles, family, heatmap):
    settings = replace(FEW, views=2, heatmap=heatmap, lambda0=1.0, masked_views=False, coverage_weight=0.5)
    compare(doubles[family], settings)


@pytest.mark.parametrize("heatmap", list(HEATMAPS))
def test_gradients_are_finite_differences(doubles, heatmap):
    clip = doubles["vit"]
    settings = replace(FEW, views=2, heatmap=heatmap, lambda0=1.0, coverage_weight=0.5, scene_weight=0.3)
    guide = BoxObjective(clip, [TWO], [1], settings)
    base, directions = pictures(1), pictures(3, seed=8) - 0.5

    def along(steps):
        return guide(base + torch.einsum("k,kchw->chw", steps, directions)[None], 2).total

    steps = torch.tensor([0.01, -0.02, 0.03], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(along, (steps,), atol=1e-6)


def test_without_lambda_and_masked_views_it_is_the_spherical_distance_alone(clips):
    clip = clips["vit"]
    settings = replace(FEW, lambda0=0.0, masked_views=False)
    images = pictures().float()
    found = BoxObjective(clip, [ONE, ONE], SEEDS, settings)(images, 0)
    assert list(found.terms) == ["whole"]
    small = F.interpolate(images, clip.size, mode="bilinear", antialias=True)
    views = draw_views(SEEDS, 0, 3, clip.size).of_images(small)
    features = clip.encode_images(((views - 0.5) / 0.25).flatten(0, 1)).unflatten(0, (2, 3))
    text = clip.encode_texts(clip.tokenize(["a photo of the sky"]))
    torch.testing.assert_close(found.total, losses.spherical_distance(features, text).mean(1))


def test_a_full_image_box_has_no_preference(clips):
    """D is 1 whatever the map, and its gradient nothing."""
    clip = clips["vit"]
    settings = replace(FEW, whole_views=False, masked_views=False)
    images = pictures(1).float().requires_grad_()
    whole = Layout("", targets([Box("red cat", 0, 0, 1, 1)]))
    found = BoxObjective(clip, [whole], [1], settings)(images, 0)
    assert float(found.total.detach()) == pytest.approx(-0.15, abs=1e-6)
    (grad,) = torch.autograd.grad(found.total.sum(), images)
    assert float(grad.abs().max()) < 1e-8
    assert found.readings[0][0].share_inside == pytest.approx(1, abs=1e-5)
    (grad,) = torch.autograd.grad(BoxObjective(clip, [TWO], [1], settings)(images, 0).total.sum(), images)
    assert float(grad.abs().max()) > 1e-6


def test_a_target_below_one_patch_is_weighed_as_one_patch(clips):
    clip = clips["vit"]
    settings = replace(FEW, whole_views=False, masked_views=False, view_strength=0.0)
    guide = BoxObjective(clip, [Layout("", targets([Box("sky", 0.5, 0.5, 0.51, 0.51)]))], [1], settings)
    found = guide(pictures(1), 0)
    assert float(found.terms["relevance"]) == pytest.approx(-0.15 * 4 * found.readings[0][0].inside, rel=1e-5)
    assert "smaller than one patch of the model's 4 × 4 grid" in guide.notes[-1]


# --- batches, runs, cost -----------------------------------------------------------------------------------


@pytest.mark.parametrize("heatmap", list(HEATMAPS))
def test_a_batch_is_its_pictures_one_by_one(clips, heatmap):
    """With different numbers of targets; a picture without any is guided by its scene."""
    clip = clips["vit"]
    layouts = [ONE, TWO, Layout("a yellow car")]
    settings = replace(FEW, heatmap=heatmap, scene_weight=0.5, coverage_weight=0.2)
    images = pictures(3).float().requires_grad_()
    together = BoxObjective(clip, layouts, [1, 2, 3], settings)(images, 6)
    (grad,) = torch.autograd.grad(together.total.sum(), images)
    for b in range(3):
        alone = BoxObjective(clip, [layouts[b]], [b + 1], settings)(images[b : b + 1], 6)
        torch.testing.assert_close(together.total[b], alone.total[0], atol=1e-5, rtol=1e-5)
        (own,) = torch.autograd.grad(alone.total.sum(), images)
        torch.testing.assert_close(grad[b], own[b], atol=1e-5, rtol=1e-3)
        for one, other in zip(together.readings[b], alone.readings[0], strict=True):
            assert one.phrase == other.phrase
            assert (one.similarity, one.inside, one.share_inside) == pytest.approx(
                (other.similarity, other.inside, other.share_inside), abs=1e-5
            )
    assert [len(each) for each in together.readings] == [1, 2, 0]


def test_runs_repeat_whatever_else_is_random(clips):
    guide = BoxObjective(clips["vit"], [TWO, ONE], SEEDS, FEW)
    images = pictures().float()
    state = torch.get_rng_state()
    first = guide(images, 3).total
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(7)
    again = BoxObjective(clips["vit"], [TWO, ONE], SEEDS, FEW)(images, 3).total
    assert torch.equal(first, again)
    assert (guide(images, 4).total != first).all()
    assert (BoxObjective(clips["vit"], [TWO, ONE], (6, 7), FEW)(images, 3).total != first).all()


def test_the_weights_stay_frozen_and_the_texts_are_read_once(clip, monkeypatch):
    guide = BoxObjective(clip, [TWO, ONE], SEEDS, FEW)
    monkeypatch.setattr(Clip, "encode_texts", None)
    images = pictures().float().requires_grad_()
    guide(images, 0).total.sum().backward()
    assert images.grad.isfinite().all()
    assert float(images.grad.abs().sum()) > 0
    assert all(p.grad is None and not p.requires_grad for p in clip.model.parameters())
    assert not clip.model.training


def forwards(clip, run):
    """How many images each run of the image tower had."""
    visual, counts = clip.model.visual, []
    first = visual.trunk.patch_embed.proj if hasattr(visual, "trunk") else visual.conv1
    handle = first.register_forward_hook(lambda module, args, output: counts.append(len(output)))
    try:
        run()
    finally:
        handle.remove()
    return counts


@pytest.mark.parametrize("heatmap", list(HEATMAPS))
def test_many_targets_cost_one_run_of_the_whole_views(clips, heatmap):
    clip = clips["vit"]
    four = Layout("", targets([Box(word, 0.1 * i, 0.1, 0.1 * i + 0.6, 0.9) for i, word in enumerate("abcd")]))
    images = pictures().float().requires_grad_()
    settings = replace(FEW, heatmap=heatmap)
    alone = BoxObjective(clip, [four, ONE], SEEDS, replace(settings, masked_views=False))
    assert forwards(clip, lambda: alone(images, 0).total.sum().backward()) == [2 * 3]
    masked = BoxObjective(clip, [four, ONE], SEEDS, settings)
    assert forwards(clip, lambda: masked(images, 0).total.sum().backward()) == [2 * 3, (4 + 1) * 3]
    assert forwards(clip, lambda: masked.read(images)) == [2]


# --- what goes wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("heatmap", list(HEATMAPS))
@pytest.mark.parametrize("family", FAMILIES)
def test_every_heatmap_works_or_says_why_not(clips, family, heatmap):
    clip = clips[family]
    settings = replace(FEW, heatmap=heatmap)
    reason = explain.METHODS[heatmap].supports(clip)
    if reason is not None:
        assert (family, heatmap) in (("resnet", "relevance_all"), ("cnn", "relevance_all"))
        with pytest.raises(
            ValueError, match=f"relevance_all does not work with {family}: it has one attention or none"
        ):
            BoxObjective(clip, [TWO], [1], settings)
        return
    images = pictures(1).float().requires_grad_()
    found = BoxObjective(clip, [TWO], [1], settings)(images, 0)
    found.total.sum().backward()
    assert images.grad.isfinite().all()


def test_eclip_needs_a_projection(clips):
    untrained = replace(clips["vit"], eclip=None)
    with pytest.raises(ValueError, match="eclip does not work with vit: nobody has trained ECLIP"):
        BoxObjective(untrained, [TWO], [1], replace(FEW, heatmap="eclip"))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_broken_picture_has_a_broken_loss_and_the_others_are_well(clips, bad):
    guide = BoxObjective(clips["vit"], [TWO, ONE], SEEDS, FEW)
    images = pictures().float()
    well = guide(images, 0)
    images[0, 1, 7, 7] = bad
    images.requires_grad_()
    found = guide(images, 0)
    assert found.total[0].isnan()
    torch.testing.assert_close(found.total[1].detach(), well.total[1])
    (grad,) = torch.autograd.grad(found.total.sum(), images)
    assert not grad[0].isfinite().all()
    assert grad[1].isfinite().all()


def test_views_without_the_mask_do_not_count(clips, monkeypatch):
    """Views 0 and 2 leave the box of `corner` out; all of them that of `other`."""
    clip = clips["vit"]
    corner = targets([Box("red cat", 0, 0, 0.3, 0.3)])
    other = targets([Box("boat", 0.4, 0.7, 0.6, 1)])

    def moved(*args):
        drawn = draw_views(*args)
        grid = draw_views(args[0], 0, 3, args[3], 0.0).grid.clone()
        grid[..., 1] = grid[..., 1] / 2 - 0.4  # the upper part alone
        grid[:, [0, 2], :, :, 0] = grid[:, [0, 2], :, :, 0] / 2 + 0.5  # the right half
        return replace(drawn, grid=grid)

    monkeypatch.setattr(boxes, "draw_views", moved)
    images = pictures(1).float().requires_grad_()
    settings = replace(FEW, coverage_weight=0.5)
    both = BoxObjective(clip, [Layout("", corner + other)], [1], settings)(images, 0)
    alone = BoxObjective(clip, [Layout("", corner)], [1], settings)(images, 0)
    torch.testing.assert_close(both.total, alone.total)
    guide = BoxObjective(clip, [Layout("", corner)], [1], settings)
    assert forwards(clip, lambda: guide(images, 0)) == [3, 1]
    none = BoxObjective(clip, [Layout("", other)], [1], settings)(images, 0)
    assert float(none.total.detach()) == 0
    (grad,) = torch.autograd.grad(none.total.sum(), images)
    assert float(grad.abs().max()) == 0
    (reading,) = none.readings[0]
    assert (reading.inside, reading.share_inside) == (0, 0)
    assert math.isfinite(reading.similarity)


def test_a_layout_that_asks_for_nothing(clips):
    clip = clips["vit"]
    with pytest.raises(
        ValueError, match="picture 2 has no boxes, so nothing guides it; allowed: at least one box"
    ):
        BoxObjective(clip, [TWO, Layout("a scene")], SEEDS, FEW)
    with pytest.raises(
        ValueError, match=r"picture 1 has no prompt, but scene_weight is 0\.5; allowed: a prompt"
    ):
        BoxObjective(clip, [Layout("", TWO.targets)], [1], replace(FEW, scene_weight=0.5))


def test_no_targets_are_the_scene_alone(clips):
    clip = clips["vit"]
    images = pictures(1).float().requires_grad_()
    settings = replace(FEW, scene_weight=2.0, view_strength=0.0, views=1)
    found = BoxObjective(clip, [Layout("the sky")], [1], settings)(images, 0)
    small = F.interpolate(images, clip.size, mode="bilinear", antialias=True)
    text = clip.encode_texts(clip.tokenize(["the sky"]))
    distance = losses.spherical_distance(clip.encode_images((small - 0.5) / 0.25), text)
    torch.testing.assert_close(found.total, 2 * distance, atol=1e-4, rtol=1e-4)
    assert found.readings == ((),)
    found.total.sum().backward()
    assert float(images.grad.abs().sum()) > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heatmap": "gradcam"}, "heatmap is 'gradcam'; allowed: relevance, relevance_all, itsm, eclip"),
        ({"heatmap": None}, "heatmap is 'None'; allowed"),
        ({"lambda0": -1}, "lambda0 is -1; allowed: a number from 0 to 1000"),
        ({"lambda0": math.nan}, "lambda0 is nan; allowed: a number from 0 to 1000"),
        ({"lambda0": "1"}, "lambda0 is '1'; allowed: a number"),
        ({"sharpness": 0}, "sharpness is 0; allowed: a number from 0.1 to 1000"),
        ({"threshold": 2}, "threshold is 2; allowed: a number from 0 to 1"),
        ({"view_strength": 1.5}, "view_strength is 1.5; allowed: a number from 0 to 1"),
        ({"views": 0}, "views is 0; allowed: a whole number from 1 to 64"),
        ({"views": 2.5}, "views is 2.5; allowed: a whole number"),
        ({"views": True}, "views is True; allowed: a whole number"),
        ({"masked_views": 1}, "masked_views is 1; allowed: True, False"),
        ({"template": "a photo"}, "template is 'a photo'; allowed: a text with {phrase} in it"),
        ({"whole_views": False, "masked_views": False, "lambda0": 0}, "nothing is asked of the picture"),
    ],
)
def test_bad_settings(clips, changes, message):
    with pytest.raises(ValueError, match=message):
        BoxObjective(clips["vit"], [TWO], [1], replace(FEW, **changes))


@pytest.mark.parametrize(
    ("layouts", "seeds", "message"),
    [
        ([TWO], [1, 2], "1 layouts and 2 seeds; allowed: one each"),
        ([], [], "0 layouts and 0 seeds"),
        ([TWO], [-1], "seed is -1; allowed: a whole number from 0 to"),
        ([TWO], [2**63], "seed is 9223372036854775808; allowed"),
        ([TWO], [1.0], "seed is 1.0; allowed"),
        ([TWO], [True], "seed is True; allowed"),
    ],
)
def test_bad_layouts_and_seeds(clips, layouts, seeds, message):
    with pytest.raises(ValueError, match=message):
        BoxObjective(clips["vit"], layouts, seeds)


def test_bad_images_and_steps(clips):
    guide = BoxObjective(clips["vit"], [TWO], [1], FEW)
    for shape in ((2, 3, 32, 32), (1, 1, 32, 32), (3, 32, 32), (1, 3, 15, 32)):
        with pytest.raises(ValueError, match=r"allowed: \(1, 3, H, W\) of at least 16 pixels"):
            guide(torch.zeros(shape), 0)
    with pytest.raises(ValueError, match="step is -1; allowed: a whole number from 0"):
        guide(torch.zeros(1, 3, 32, 32), -1)


# --- prompts, sizes, readings ------------------------------------------------------------------------------


def test_phrases_stand_in_the_template_and_prompts_are_read_as_explain_reads_them(clips):
    clip = clips["toy"]
    odd = Layout("dragons " * 40, targets([Box("a {0} {phrase} unicorn", 0, 0, 0.5, 1)]))
    settings = replace(FEW, template="{phrase}, on grass", scene_weight=1.0, masked_views=False, lambda0=0.0)
    guide = BoxObjective(clip, [odd], [1], settings)
    notes = "\n".join(guide.notes)
    assert "never seen in training: 'phrase', 'unicorn'" in notes.replace("'0', ", "")
    assert "cut after 'dragons'" in notes
    twin = Layout("dragons " * 40, targets([Box("sky", 0, 0, 0.5, 1)]))
    images = pictures(1).float()
    literal = "a {0} {phrase} unicorn, on grass"
    same = BoxObjective(clip, [twin], [1], replace(settings, template="{phrase}"))
    same._layouts.texts[0, 0] = clip.encode_texts(clip.tokenize([literal]))[0]
    torch.testing.assert_close(guide(images, 0).total, same(images, 0).total)


@pytest.mark.parametrize("size", [(16, 16), (32, 32), (16, 90), (200, 120)])
def test_images_of_any_size(clips, size):
    images = pictures(1, size).float().requires_grad_()
    found = BoxObjective(clips["vit"], [TWO], [1], FEW)(images, 0)
    found.total.sum().backward()
    assert images.grad.shape == images.shape
    assert images.grad.isfinite().all()
    assert float((images.grad != 0).float().mean()) > 0.5


def test_terms_add_up_and_readings_are_what_they_say(clips):
    settings = replace(FEW, coverage_weight=0.3, scene_weight=0.2)
    images = pictures().float().requires_grad_()
    found = BoxObjective(clips["vit"], [TWO, ONE], SEEDS, settings)(images, 0)
    assert list(found.terms) == ["whole", "masked", "relevance", "coverage", "scene"]
    torch.testing.assert_close(sum(found.terms.values()), found.total.detach())
    assert not any(values.requires_grad for values in found.terms.values())
    assert [[reading.phrase for reading in each] for each in found.readings] == [
        ["red cat", "boat"],
        ["the sky"],
    ]
    (sky,) = found.readings[1]
    weight = 0.15 / max(ONE.targets[0].share, 1 / 16) ** 0.5
    assert float(found.terms["relevance"][1]) == pytest.approx(-weight * sky.inside, rel=1e-4)
    for reading in (*found.readings[0], sky):
        assert -1 <= reading.similarity <= 1
        assert 0 < reading.inside < 1
        assert 0 < reading.share_inside < 1
        assert reading.map is None


def test_the_loss_of_each_target_is_that_of_a_layout_of_its_own(clips):
    clip, images = clips["vit"], pictures(2, clips["vit"].size).float()
    settings = ObjectiveSettings(coverage_weight=0.3, scene_weight=0.2, views=1, view_strength=0.0)
    found = BoxObjective(clip, [TWO, ONE], SEEDS, settings).of_targets(images)
    assert found.shape == (2, 3)
    assert found[1, 1] == 0
    total = BoxObjective(clip, [TWO, ONE], SEEDS, settings)(images, 0).total
    torch.testing.assert_close(found.sum(1), total)
    bare = replace(settings, scene_weight=0.0)
    for b, k, target in ((0, 0, TWO.targets[0]), (0, 1, TWO.targets[1]), (1, 0, ONE.targets[0])):
        alone = BoxObjective(clip, [Layout("", [target])], [1], bare)(images[b : b + 1], 0).total
        torch.testing.assert_close(found[b, k : k + 1], alone)


@pytest.mark.parametrize("heatmap", list(HEATMAPS))
def test_reading_the_pictures_as_they_are(clips, heatmap):
    clip = clips["vit"]
    guide = BoxObjective(clip, [TWO, ONE], SEEDS, replace(FEW, heatmap=heatmap))
    images = pictures(2, clip.size).float().requires_grad_()
    found = guide.read(images)
    normal = ((images - 0.5) / 0.25).detach()
    for b, layout in enumerate((TWO, ONE)):
        prompts = [f"a photo of {target.phrase}" for target in layout.targets]
        texts = clip.encode_texts(clip.tokenize(prompts))
        encoding = ImageEncoding(clip, normal[b : b + 1])
        maps = explain.METHODS[heatmap].image_map(encoding, texts)[0].detach()
        maps = maps if heatmap.startswith("relevance") else standing_out(maps)
        cosines = clip.encode_images(normal[b : b + 1])[0] @ texts.T
        for k, (reading, target) in enumerate(zip(found[b], layout.targets, strict=True)):
            assert reading.map.dtype == np.float32
            np.testing.assert_allclose(reading.map, maps[k], atol=1e-5 * float(maps[k].max()))
            assert reading.similarity == pytest.approx(float(cosines[k]), abs=1e-5)
            mask = torch.from_numpy(np.array(target.mask(*clip.size))) > 0.5
            q = losses.on_pixels(maps[k], clip.size)
            assert reading.inside == pytest.approx(oracle.inside(q, mask.float()), abs=1e-3)
            assert reading.share_inside == pytest.approx(float(q[mask].sum() / q.sum()), abs=1e-3)


def test_nothing_is_kept_where_nobody_asks_for_a_gradient(clips):
    guide = BoxObjective(clips["vit"], [TWO, ONE], SEEDS, FEW)
    images = pictures().float()
    expected = guide(images.clone().requires_grad_(), 0).total
    assert expected.requires_grad
    plain = guide(images, 0)
    assert not plain.total.requires_grad
    with torch.no_grad():
        watched = guide(images.requires_grad_(), 0)
    assert not watched.total.requires_grad
    for found in (plain, watched):
        torch.testing.assert_close(found.total, expected.detach())


def test_autocast_outside_and_images_of_fewer_bits(clips):
    images = pictures().to(torch.bfloat16)
    expected = BoxObjective(clips["vit"], [TWO, ONE], SEEDS, FEW)(images.float(), 0).total
    with torch.autocast("cpu", dtype=torch.bfloat16):
        guide = BoxObjective(clips["vit"], [TWO, ONE], SEEDS, FEW)
        found = guide(images.clone().requires_grad_(), 0).total
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.detach(), expected)


def test_maps_that_stand_out():
    """Ours: cosines become relevance above their own mean. What is added to a map changes nothing."""
    maps = torch.randn(2, 3, 4, 4)
    found = standing_out(maps)
    assert float(found.min()) == 0
    torch.testing.assert_close(standing_out(maps + 7), found, atol=1e-5, rtol=0)
    torch.testing.assert_close(standing_out(maps * 3), found * 3)
    constant = torch.full((4, 4), 0.3, requires_grad=True)
    d = losses.relevance_in_mask(losses.on_pixels(standing_out(constant), (8, 8)), torch.eye(8))
    (grad,) = torch.autograd.grad(d, constant)
    assert d.isfinite()
    assert grad.isfinite().all()


# --- with a CLIP that has learnt something -----------------------------------------------------------------


@pytest.fixture(scope="module")
def toy():
    return explain.load("toy-vit", device="cpu")


def test_the_gradient_brings_the_thing_and_lambda_brings_it_into_the_box(toy):
    """Some steps on pixels, judged by views that no step had; the control has lambda 0."""
    layout = Layout("", targets([Box("a red car", 0.05, 0.4, 0.5, 0.95)]))
    settings = replace(FEW, views=2, heatmap="relevance_all")
    judge = BoxObjective(toy, [layout], [77], replace(settings, views=8))

    def optimised(lambda0, steps=12):
        guide = BoxObjective(toy, [layout], [1], replace(settings, lambda0=lambda0))
        images = torch.full((1, 3, 64, 64), 0.5, requires_grad=True)
        optimiser = torch.optim.Adam([images], lr=0.1)
        for step in range(steps):
            optimiser.zero_grad()
            guide(images, step).total.sum().backward()
            optimiser.step()
        return judge(images.detach().clamp(0, 1), 0).readings[0][0]

    before, without, guided = optimised(0.0, 0), optimised(0.0), optimised(3.0)
    assert min(without.similarity, guided.similarity) > before.similarity + 0.05
    assert guided.inside > max(before.inside, without.inside) + 0.05
    assert guided.share_inside > max(before.share_inside, without.share_inside) + 0.1


def test_drawn_scenes_prefer_their_own_boxes(toy):
    """The control: the same two phrases with their boxes exchanged."""
    from toyland import draw_scene, sample_scene, scene_boxes

    images, layouts = [], []
    for seed in range(12):
        scene = sample_scene(seed, "test", things=2)
        if len({thing.phrase for thing in scene.things}) < 2:
            continue
        phrases = [thing.phrase for thing in scene.things]
        edges = list(scene_boxes(scene))
        pixels = torch.from_numpy(np.array(draw_scene(scene, 64))).permute(2, 0, 1) / 255
        for order in (edges, edges[::-1]):
            layouts.append(Layout("", targets(Box(p, *e) for p, e in zip(phrases, order, strict=True))))
            images.append(pixels)
    assert len(images) >= 20
    guide = BoxObjective(toy, layouts, [1] * len(layouts), replace(FEW, views=2))
    with torch.no_grad():
        found = guide(torch.stack(images), 0)
    for values in (found.total, found.terms["masked"], found.terms["relevance"]):
        right, wrong = values.view(-1, 2).unbind(1)
        assert float((right < wrong).float().mean()) > 0.6
        assert float((wrong - right).mean()) > 0.03
