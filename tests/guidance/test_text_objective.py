"""The objective of a text against paper A's equations as loops, and what must hold whatever the numbers."""

import math

import pytest
import torch
import torch.nn.functional as F

from explain import towers
from guidance.generators.gradients import image_gradients
from guidance.objectives.views import draw_views
from guidance.objectives.words import TextObjective, TextSettings, read_words
from tests.oracles import explain as oracles

FAMILIES = ("vit", "resnet", "siglip", "cnn")
PROMPTS = ("a photo of a red cat", "two boats on the water")
WORDS = ({"red": 1.0, "cat": 0.5}, ["boats", "water"])
SEEDS = (5, 2**40)
FEW = TextSettings(views=2)


def pictures(count=2, size=(40, 48), seed=3):
    return torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def objective(clip, settings=FEW, words=WORDS):
    return TextObjective(clip, PROMPTS, words, SEEDS, settings)


def slow_relevance(clip, prompt, words, feature, form):
    """R of one picture's feature (D,): the relevance of every token, number by number, then by words."""
    ids = clip.tokenize([prompt])
    row = int(towers.pooled_rows(clip.model, ids)[0])
    text, probs = oracles.text_tower(clip.model, ids[0], row)
    score = text @ feature * (clip.logit_scale if form == "mean" else 1)
    grads = torch.autograd.grad(score, probs, create_graph=True)
    relevance = torch.eye(probs[0].shape[-1], dtype=text.dtype)
    for a, g in zip(probs, grads, strict=True):
        relevance = relevance + torch.relu(a * g).mean(0) @ relevance
    spoken = clip.words([prompt])[0]
    places = [place for word in spoken for place in range(word.start, word.stop)]
    q = {place: relevance[row, place] / sum(relevance[row, p] for p in places) for place in places}
    most = max(q.values())
    named = words if isinstance(words, dict) else dict.fromkeys(words, 1.0)
    found = []
    for word in spoken:
        weight, tokens = named.get(word.text, 0.0), range(word.start, word.stop)
        if weight and form == "mean":
            found += [weight * q[place] for place in tokens]
        elif weight:
            found.append(weight * max(q[place] for place in tokens) / most)
    return sum(found) / len(found)


def slow(clip, settings, images, step):
    """Both parts of the loss of each picture, view by view."""
    views = draw_views(SEEDS, step, settings.views, clip.size, settings.view_strength)
    small = F.interpolate(images, clip.size, mode="bilinear", antialias=True, align_corners=False)
    shown = (views.of_images(small) - 0.5) / 0.25
    parts = []
    for b, (prompt, words) in enumerate(zip(PROMPTS, WORDS, strict=True)):
        text = clip.encode_texts(clip.tokenize([prompt]))[0]
        each = [clip.encode_images(view[None])[0] for view in shown[b]]
        near = sum(1 - feature @ text for feature in each) / len(each)
        used = sum(slow_relevance(clip, prompt, words, f, settings.form) for f in each) / len(each)
        parts.append((near, -settings.weight * used))
    return parts


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("form", ["mean", "neglected"])
def test_the_objective_is_the_paper(doubles, family, form):
    clip, settings = doubles[family], TextSettings(form, weight=0.7, views=2)
    images = pictures().requires_grad_()
    found = objective(clip, settings)(images, 4)
    expected = slow(clip, settings, images, 4)
    for b, (near, used) in enumerate(expected):
        torch.testing.assert_close(found.terms["similarity"][b], near.detach())
        torch.testing.assert_close(found.terms["words"][b], used.detach())
        torch.testing.assert_close(found.total[b], near + used)
    ours, theirs = (
        torch.autograd.grad(total, images)[0] for total in (found.total.sum(), sum(map(sum, expected)))
    )
    torch.testing.assert_close(ours, theirs)


def test_gradients_are_finite_differences(doubles):
    """Through dS/dA as well as through A: with dS/dA held, the slope would be another."""
    judge = objective(doubles["vit"], TextSettings(weight=50.0, views=2))
    images = pictures().requires_grad_()
    direction = torch.randn(images.shape, generator=torch.Generator().manual_seed(1)).double()
    (gradient,) = torch.autograd.grad(judge(images, 0).total.sum(), images)
    step = 1e-5
    ahead, behind = (judge(images + sign * step * direction, 0).total.sum() for sign in (1, -1))
    slope = (ahead - behind) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), slope.detach(), rtol=1e-4, atol=1e-7)
    near = objective(doubles["vit"], TextSettings(weight=0.0, views=2))(images, 0).total.sum()
    (without,) = torch.autograd.grad(near, images)
    assert not torch.allclose((without * direction).sum(), slope, rtol=1e-2)


def test_lambda_0_is_the_same_less_the_words(clips):
    images = pictures().float()
    full, bare = (objective(clips["vit"], TextSettings(weight=w, views=2))(images, 3) for w in (2.0, 0.0))
    assert torch.equal(full.terms["similarity"], bare.total)
    assert list(bare.terms) == ["similarity"]
    assert not torch.equal(full.total, bare.total)


@pytest.mark.parametrize("words", [([], []), ({"red": 0.0}, {})])
def test_without_words_there_is_no_term(clips, words):
    judgement = objective(clips["vit"], words=words)(pictures().float(), 0)
    assert list(judgement.terms) == ["similarity"]


def test_all_words_alike_is_a_number(clips):
    """The sum of all shares is 1, so that nothing is to be gained."""
    clip = clips["vit"]
    judge = TextObjective(clip, ["red cat"], [{"red": 0.5, "cat": 0.5}], [0], FEW)
    images = pictures(1).float().requires_grad_()
    terms = judge(images, 0).terms
    tokens = sum(word.stop - word.start for word in clip.words(["red cat"])[0])
    assert float(terms["words"]) == pytest.approx(-1 / tokens)


def test_a_batch_is_its_pictures_one_by_one(clip):
    images = pictures().float().requires_grad_()
    judge = objective(clip)
    together = judge(images, 6).total
    (gradient,) = torch.autograd.grad(together.sum(), images)
    read = judge.read(images)
    for b in range(2):
        alone = TextObjective(clip, PROMPTS[b : b + 1], WORDS[b : b + 1], SEEDS[b : b + 1], FEW)
        one = images[b : b + 1].detach().requires_grad_()
        total = alone(one, 6).total
        torch.testing.assert_close(total[0], together[b], rtol=1e-4, atol=1e-5)
        (slope,) = torch.autograd.grad(total.sum(), one)
        torch.testing.assert_close(slope[0], gradient[b], rtol=1e-3, atol=1e-5)
        assert alone.read(one)[0].similarity == pytest.approx(read[b].similarity, abs=1e-5)


def test_runs_repeat_and_leave_nothing_behind(clips):
    clip = clips["vit"]
    judge, images = objective(clip), pictures().float()
    first = image_gradients(lambda x, n: judge(x, n).total, images, 2)
    torch.manual_seed(99)
    again = image_gradients(lambda x, n: judge(x, n).total, images, 2)
    other = image_gradients(lambda x, n: judge(x, n).total, images, 3)
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])  # other views
    assert all(p.grad is None and not p.requires_grad for p in clip.model.parameters())


def test_views_of_strength_0_are_the_picture(clips):
    clip, images = clips["vit"], pictures().float()
    judge = objective(clip, TextSettings(views=1, view_strength=0.0))
    near = judge(images, 0).terms["similarity"]
    read = judge.read(images)
    assert [1 - one.similarity for one in read] == pytest.approx(near.tolist(), abs=1e-6)


def test_readings(clip):
    prompt, image = PROMPTS[0], pictures(1).float()
    (read,) = read_words(clip, image, [prompt])
    assert [word.text for word in read.words] == [word.text for word in clip.words([prompt])[0]]
    assert sum(word.share for word in read.words) == pytest.approx(1, abs=1e-5)
    assert max(word.height for word in read.words) == pytest.approx(1)
    assert all(word.weight == 0 for word in read.words)
    assert -1 <= read.similarity <= 1
    (chosen,) = read_words(clip, image, [prompt], [["red"]])
    assert {word.text: word.weight for word in chosen.words if word.weight} == {"red": 1.0}


def test_readings_are_the_formula(doubles):
    clip, image = doubles["vit"], pictures(1)
    small = F.interpolate(image, clip.size, mode="bilinear", antialias=True, align_corners=False)
    feature = clip.encode_images((small - 0.5) / 0.25)[0]
    (read,) = read_words(clip, image, [PROMPTS[1]], form="neglected")
    for word in read.words:
        one = slow_relevance(clip, PROMPTS[1], [word.text], feature, "neglected")
        assert word.height == pytest.approx(float(one.detach()), abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"form": "max"}, "form is 'max'; allowed: mean, neglected"),
        ({"weight": math.nan}, "the weight of words is nan"),
        ({"weight": -1}, "the weight of words is -1; allowed: a number from 0"),
        ({"views": 0}, "views is 0; allowed: a whole number from 1"),
        ({"view_strength": 2}, "view_strength is 2; allowed: a number from 0 to 1"),
    ],
)
def test_settings_out_of_range(changes, message):
    with pytest.raises(ValueError, match=message):
        TextSettings(**changes)


def test_what_is_refused(clips):
    clip = clips["vit"]
    with pytest.raises(ValueError, match="2 prompts, 1 choices of words and 2 seeds"):
        TextObjective(clip, PROMPTS, WORDS[:1], SEEDS)
    with pytest.raises(ValueError, match="allowed: lists of one each"):
        TextObjective(clip, "a", [[]], [1])
    with pytest.raises(ValueError, match="seed is -1"):
        TextObjective(clip, PROMPTS, WORDS, [-1, 0])
    judge = objective(clip)
    with pytest.raises(ValueError, match=r"the images are \(1, 3, 40, 48\); allowed: \(2, 3, H, W\)"):
        judge(pictures(1).float(), 0)
    with pytest.raises(ValueError, match="at least 16 pixels"):
        judge(pictures(size=(8, 20)).float(), 0)
