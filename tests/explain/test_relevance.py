"""Relevance against the oracle, its conventions (methods of papers), and its differentiability."""

import pytest
import torch
import torch.nn.functional as F

from explain import towers
from explain.methods.relevance import image_relevance
from explain.relevance.texts import record_texts, text_relevance
from tests.conftest import random_images
from tests.oracles import explain as oracles

PROMPTS = ["a red cat on the grass", "two boats, left of a green house"]


@pytest.fixture(params=["vit", "resnet", "siglip"])
def double(request, doubles):
    return doubles[request.param]


def oracle_image(clip, image, text, last_only, scale=1.0):
    """The map (h * w,) of one image (3, H, W) and one unit text feature (D,)."""
    feature, probs = oracles.image_tower(clip.model, image, clip.name)
    grads = torch.autograd.grad((feature @ text) * scale, probs)
    shape = towers.shape(clip.model.visual)
    if last_only:
        probs, grads = probs[-1:], grads[-1:]
    rolled = oracles.relevance(probs, grads, final_pool=not shape.skips)
    return rolled[0, shape.prefix :]


@pytest.mark.parametrize("layers", ["last", "all"])
def test_image_relevance_is_the_paper(double, layers):
    images = random_images(double, count=2).double()
    texts = double.encode_texts(double.tokenize(PROMPTS))
    found = image_relevance(double, images, texts, layers=layers)
    for b in range(2):
        for t in range(2):
            expected = oracle_image(double, images[b], texts[t], layers == "last")
            assert expected.abs().sum() > 0
            torch.testing.assert_close(found[b, t].flatten(), expected, atol=1e-12, rtol=1e-8)


@pytest.mark.parametrize("layers", ["last", "all"])
@pytest.mark.parametrize("logit_scale", [False, True])
def test_text_relevance_is_the_paper(double, layers, logit_scale):
    """Pooled row of R, special tokens out; the oracle runs every token of the context, one text at a time."""
    image = double.encode_images(random_images(double, count=1).double())[0]
    texts = double.tokenize(PROMPTS)
    found = text_relevance(double, texts, image, layers, logit_scale=logit_scale, normalise="none")
    rows = towers.pooled_rows(double.model, texts)
    for t, row in enumerate(rows.tolist()):
        feature, probs = oracles.text_tower(double.model, texts[t], row)
        score = (feature @ image) * (double.logit_scale if logit_scale else 1)
        grads = torch.autograd.grad(score, probs)
        if layers == "last":
            probs, grads = probs[-1:], grads[-1:]
        expected = oracles.relevance(probs, grads)[row]
        expected[row:] = 0
        expected[: double.start_tokens] = 0
        torch.testing.assert_close(found[t], expected, atol=1e-12, rtol=1e-8)


def test_the_batch_of_texts_is_its_texts_one_by_one(clip, images):
    image = clip.encode_images(images[:1])[0]
    texts = clip.tokenize([*PROMPTS, "sky"])
    together = text_relevance(clip, texts, image)
    for t in range(3):
        torch.testing.assert_close(text_relevance(clip, texts[t : t + 1], image)[0], together[t])


def test_matched_images_and_texts(clip, images):
    """Text t beside image t: the diagonal of the similarities."""
    features, texts = clip.encode_images(images), clip.tokenize(PROMPTS)
    together = text_relevance(clip, texts, features)
    for t in range(2):
        torch.testing.assert_close(text_relevance(clip, texts[t : t + 1], features[t])[0], together[t])


def test_recorded_texts_serve_image_after_image(clip, images):
    recorded = record_texts(clip, clip.tokenize(PROMPTS))
    features = clip.encode_images(images)
    first = text_relevance(clip, recorded, features[0])
    assert not torch.allclose(first, text_relevance(clip, recorded, features[1]))
    torch.testing.assert_close(first, text_relevance(clip, recorded, features[0]))


def test_conventions_of_the_applications(clip, images):
    """The table of conventions: which columns stay, and how they are normalised."""
    image, texts = clip.encode_images(images)[0], clip.tokenize(PROMPTS)
    raw = text_relevance(clip, texts, image, normalise="none", include_sot=True)
    rows = towers.pooled_rows(clip.model, texts)
    for t, row in enumerate(rows.tolist()):
        assert raw[t, row:].abs().max() == 0  # the pooled row and the padding after it
    editing = text_relevance(clip, texts, image)
    torch.testing.assert_close(editing.sum(-1), torch.ones(2))
    assert editing[:, : clip.start_tokens].abs().sum() == 0
    prompts = text_relevance(clip, texts, image, include_sot=True)
    assert (prompts[:, 0] > 0).all()
    torch.testing.assert_close(prompts, raw / raw.sum(-1, keepdim=True))
    generation = text_relevance(clip, texts, image, logit_scale=False, normalise="sum_max")
    torch.testing.assert_close(generation.amax(-1), torch.ones(2))
    maps = image_relevance(clip, images, clip.encode_texts(texts), normalise="sum_max")
    torch.testing.assert_close(maps.amax((-1, -2)), torch.ones(2, 2))
    maps = image_relevance(clip, images, clip.encode_texts(texts), normalise="sum")
    torch.testing.assert_close(maps.sum((-1, -2)), torch.ones(2, 2))


def test_scale_matters_to_all_layers_and_not_to_the_last(clips, images_of):
    clip = clips["vit"]
    image, texts = clip.encode_images(images_of(clip))[0], clip.tokenize(PROMPTS)
    for layers, same in (("last", True), ("all", False)):
        cosine = text_relevance(clip, texts, image, layers, logit_scale=False)
        logits = text_relevance(clip, texts, image, layers, logit_scale=True)
        assert torch.allclose(cosine, logits, atol=1e-6) == same


def test_last_layer_map_is_the_closed_form(doubles):
    """mean_h relu(grad * attn) in the row of the class token: no R is needed."""
    clip = doubles["vit"]
    image = random_images(clip, count=1).double()
    text = clip.encode_texts(clip.tokenize(["sky"]))
    feature, probs = oracles.image_tower(clip.model, image[0], "vit")
    (grad,) = torch.autograd.grad(feature @ text[0], probs[-1:])
    expected = (grad * probs[-1]).clamp(min=0).mean(0)[0, 1:]
    torch.testing.assert_close(image_relevance(clip, image, text).flatten(), expected.detach())
    assert grad[:, 1:].abs().max() == 0  # only the row of the class token reaches the score


def test_many_texts_are_one_image_forward(clip, images):
    calls = []
    handle = towers.cam_layer(clip.model.visual).register_forward_hook(lambda *args: calls.append(1))
    try:
        image_relevance(clip, images, clip.encode_texts(clip.tokenize(["a", "b", "c", "d"])))
    finally:
        handle.remove()
    assert len(calls) == 1


def test_nothing_is_left_on_the_weights(clip, images):
    image_relevance(clip, images, clip.encode_texts(clip.tokenize(PROMPTS)), layers="all")
    text_relevance(clip, clip.tokenize(PROMPTS), clip.encode_images(images)[0])
    assert all(p.grad is None and not p.requires_grad for p in clip.model.parameters())
    assert not clip.model.training


def test_works_under_no_grad(clip, images):
    with torch.no_grad():
        features = clip.encode_texts(clip.tokenize(PROMPTS))
        maps = image_relevance(clip, images, features)
    assert not maps.requires_grad
    assert maps.abs().sum() > 0


@pytest.mark.parametrize("layers", ["last", "all"])
def test_gradcheck_of_image_relevance(doubles, layers):
    """Steering asks for d relevance / d image: second derivatives, checked against finite differences."""
    clip = doubles["vit"]
    text = clip.encode_texts(clip.tokenize(["a red cat"]))
    base = random_images(clip, count=1).double()
    directions = random_images(clip, count=3, seed=1).double()

    def along(steps):
        moved = base + torch.einsum("k,kchw->chw", steps, directions)[None]
        return image_relevance(clip, moved, text, layers, normalise="sum_max", create_graph=True)

    steps = torch.tensor([0.01, -0.02, 0.03], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(along, (steps,), atol=1e-7)


def test_gradcheck_of_text_relevance(doubles):
    clip = doubles["vit"]
    texts = clip.tokenize(["a red cat"])
    base = clip.encode_images(random_images(clip, count=1).double())[0]

    def along(shift):
        return text_relevance(clip, texts, F.normalize(base + shift, dim=-1), create_graph=True)

    shift = torch.zeros_like(base, requires_grad=True)
    assert torch.autograd.gradcheck(along, (shift,), atol=1e-7)


def test_gradient_reaches_the_image_and_the_other_variant_differs(clip, images):
    """With create_graph the gradient of G counts; without it G is a constant and no graph is kept."""
    text = clip.encode_texts(clip.tokenize(PROMPTS))
    images = images.requires_grad_()
    maps = image_relevance(clip, images, text, create_graph=True)
    (grad,) = torch.autograd.grad(maps.sum(), images)
    assert grad.isfinite().all()
    assert grad.abs().sum() > 0
    constant = image_relevance(clip, images, text)
    torch.testing.assert_close(constant.detach(), maps.detach())
    (first_order,) = torch.autograd.grad(constant.sum(), images)
    if clip.name == "cnn":  # its A is a constant
        assert first_order.count_nonzero() == 0
        return
    assert first_order.abs().sum() > 0
    assert not torch.allclose(first_order, grad)
    assert all(p.grad is None for p in clip.model.parameters())


def test_bad_choices_name_the_good_ones(clip, images):
    texts = clip.encode_texts(clip.tokenize(["sky"]))
    with pytest.raises(ValueError, match="layers is 'first'; allowed: last, all"):
        image_relevance(clip, images, texts, layers="first")
    with pytest.raises(ValueError, match="normalise is 'max'; allowed: none, sum, sum_max"):
        image_relevance(clip, images, texts, normalise="max")
