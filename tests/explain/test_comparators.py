"""The methods that paper B is compared with, each against its oracle."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import explain
from explain import towers
from explain.encodings import ImageEncoding
from explain.methods import METHODS, WORD_METHODS, find_words
from explain.methods.itsm import depth_maps
from explain.methods.leave_one_out import word_losses
from explain.methods.occlusion import window
from explain.methods.surgery import feature_surgery, surgery_tokens
from tests.conftest import random_images, stem_of
from tests.oracles import explain as oracles
from tests.oracles import methods as slow

PROMPTS = ["a red cat on the grass", "the sky"]


@pytest.fixture
def texts(clip):
    return clip.encode_texts(clip.tokenize(PROMPTS)).detach()


def found(name, clip, images, texts):
    """The maps (T, h, w) of the first image."""
    return METHODS[name].image_map(ImageEncoding(clip, images), texts)[0].detach()


def weights_of(visual):
    """The eight weights of the last attention, and its heads."""
    if hasattr(visual, "attnpool"):
        pool = visual.attnpool
        layers = (pool.q_proj, pool.k_proj, pool.v_proj, pool.c_proj)
        return [tensor for layer in layers for tensor in (layer.weight, layer.bias)], pool.num_heads
    block = visual.transformer.resblocks[-1]
    return oracles.packed(block.attn), block.attn.num_heads


def last_tokens(visual, image):
    """Tokens that the last attention sees (N, D), and what follows its output for all rows, with unit norm."""
    if hasattr(visual, "attnpool"):
        return slow.pool_tokens(visual, image), lambda output, skips: F.normalize(output, dim=-1)
    states, _ = slow.vit_blocks(visual, image)
    block, x = visual.transformer.resblocks[-1], states[-2]

    def finish(output, skips):
        if not skips:
            return slow.read(visual, output)
        y = x[: len(output)] + output
        return slow.read(visual, y + block.mlp(block.ln_2(y)))

    return block.ln_1(x), finish


@pytest.mark.parametrize("name", ["vit", "siglip"])
def test_rollout_multiplies_all_attentions(clips, name):
    clip = clips[name]
    images = random_images(clip)
    _, probs = oracles.image_tower(clip.model, images[0], name)
    expected = slow.rollout(probs, final_pool=name == "siglip")[0]
    maps = found("rollout", clip, images, torch.zeros(2, 1))
    np.testing.assert_allclose(maps[1].flatten(), expected[-maps[1].numel() :], atol=1e-6)


def test_legrad_sums_the_last_layers(clips):
    clip = clips["vit"]
    images = random_images(clip)
    texts = clip.encode_texts(clip.tokenize(PROMPTS)).detach()
    maps = found("legrad", clip, images, texts)
    for t in range(2):
        expected = slow.legrad(clip.model.visual, images[0], texts[t])
        torch.testing.assert_close(maps[t].flatten(), expected, atol=1e-7, rtol=1e-4)


@pytest.mark.parametrize("name", ["vit", "resnet"])
def test_gradeclip_weighs_values(clips, name):
    clip = clips[name]
    visual, images = clip.model.visual, random_images(clip)
    texts = clip.encode_texts(clip.tokenize(PROMPTS)).detach()
    tokens, finish = last_tokens(visual, images[0])
    weights, heads = weights_of(visual)
    maps = found("gradeclip", clip, images, texts)
    for t in range(2):
        expected = slow.gradeclip(
            visual, tokens, weights, heads, lambda output: finish(output[None], True)[0], texts[t]
        )
        torch.testing.assert_close(maps[t].flatten(), expected, atol=1e-7, rtol=1e-4)


@pytest.mark.parametrize("name", ["vit", "resnet"])
@pytest.mark.parametrize("method", ["sclip", "clearclip", "naclip"])
def test_other_self_attentions(clips, name, method):
    clip = clips[name]
    visual, images = clip.model.visual, random_images(clip)
    grid = towers.trunk(visual, images).grid
    texts = clip.encode_texts(clip.tokenize(PROMPTS)).detach()
    attention, skips = {
        "sclip": (lambda q, k, v: slow.alike(q) + slow.alike(k), True),
        "clearclip": (lambda q, k, v: slow.alike(q), False),
        "naclip": (lambda q, k, v: slow.alike(k, slow.gaussian(grid, 1)), False),
    }[method]
    tokens, finish = last_tokens(visual, images[0])
    dense = finish(slow.attend(tokens, *weights_of(visual), attention), skips)[1:]
    expected = (dense @ texts.T).T.unflatten(1, grid)
    torch.testing.assert_close(found(method, clip, images, texts), expected, atol=1e-5, rtol=1e-4)


def test_maskclip_lets_each_patch_speak_for_itself(clips):
    clip = clips["vit"]
    visual, images = clip.model.visual, random_images(clip)
    texts = clip.encode_texts(clip.tokenize(PROMPTS)).detach()
    tokens, finish = last_tokens(visual, images[0])
    output = slow.attend(tokens, *weights_of(visual), lambda q, k, v: torch.eye(len(q)))
    expected = (finish(output, True)[1:] @ texts.T).T
    torch.testing.assert_close(found("maskclip", clip, images, texts).flatten(1), expected)


def test_maskclip_of_a_resnet_is_two_convolutions(clips):
    clip = clips["resnet"]
    pool, images = clip.model.visual.attnpool, random_images(clip)
    texts = clip.encode_texts(clip.tokenize(PROMPTS)).detach()
    tokens = towers.trunk(clip.model.visual, images[:1]).values[0]
    dense = F.normalize(
        (tokens @ pool.v_proj.weight.T + pool.v_proj.bias) @ pool.c_proj.weight.T + pool.c_proj.bias, dim=-1
    )
    torch.testing.assert_close(found("maskclip", clip, images, texts).flatten(1), (dense @ texts.T).T)


def test_architecture_surgery(clips):
    clip = clips["vit"]
    images = random_images(clip)
    count = len(clip.model.visual.transformer.resblocks)
    for depth in (1, count):
        layers = ImageEncoding(clip, images).layers
        dense = surgery_tokens(clip, layers, depth)[0].flatten(0, 1)
        expected = slow.surgery(clip.model.visual, images[0], depth)
        torch.testing.assert_close(dense, expected, atol=1e-5, rtol=1e-4)


def test_surgery_of_one_text_takes_the_empty_prompt_away(clips):
    for name in ("vit", "resnet"):
        clip = clips[name]
        images = random_images(clip)
        texts = clip.encode_texts(clip.tokenize(PROMPTS)).detach()
        dense = surgery_tokens(clip, ImageEncoding(clip, images).layers)[0]
        empty = F.normalize(clip.model.encode_text(clip.tokenize([""])), dim=-1)[0]
        expected = (dense @ (texts - empty).T).permute(2, 0, 1)
        torch.testing.assert_close(found("surgery", clip, images, texts), expected, atol=1e-6, rtol=1e-4)


def test_surgery_of_a_resnet_mixes_by_value(clips):
    clip = clips["resnet"]
    visual, images = clip.model.visual, random_images(clip)
    tokens, finish = last_tokens(visual, images[0])
    dense = finish(slow.attend(tokens, *weights_of(visual), lambda q, k, v: slow.alike(v)), False)[1:]
    mine = surgery_tokens(clip, ImageEncoding(clip, images).layers)[0].flatten(0, 1)
    torch.testing.assert_close(mine, dense, atol=1e-5, rtol=1e-4)


def test_feature_surgery(clip, images):
    encoding = ImageEncoding(clip, images)
    texts = clip.encode_texts(clip.tokenize([*PROMPTS, "two boats"])).detach()
    maps = feature_surgery(encoding.dense, encoding.features, texts)
    for b in range(2):
        expected = slow.feature_surgery(encoding.dense[b].flatten(0, 1), encoding.features[b], texts)
        np.testing.assert_allclose(maps[b].flatten(1).T, expected, atol=1e-6)
    with pytest.raises(ValueError, match="at least two"):
        feature_surgery(encoding.dense, encoding.features, texts[:1])


def test_occlusion_hides_squares(clip, images, texts):
    grid = towers.trunk(clip.model.visual, images).grid
    expected = slow.occlusion(clip.model, images[0], grid, texts[1], window(grid[0]))
    maps = found("occlusion", clip, images, texts)
    np.testing.assert_allclose(maps[1], expected, atol=1e-5)
    assert [window(side) for side in (1, 2, 7, 8, 14, 16)] == [1, 1, 3, 3, 5, 5]


def test_occlusion_with_a_window_of_several_cells(clips, monkeypatch):
    from explain.methods import occlusion

    monkeypatch.setattr(occlusion, "window", lambda side: 3)
    monkeypatch.setattr(occlusion, "BATCH", 3)
    clip = clips["vit"]
    images = random_images(clip)
    texts = clip.encode_texts(clip.tokenize(PROMPTS)).detach()
    grid = towers.trunk(clip.model.visual, images).grid
    expected = slow.occlusion(clip.model, images[0], grid, texts[0], 3)
    np.testing.assert_allclose(found("occlusion", clip, images, texts)[0], expected, atol=1e-5)


@pytest.mark.parametrize("channels", [5, 300])
def test_gscorecam_scores_masked_pictures(clip, images, texts, channels):
    from explain.methods.gscorecam import gscorecam_map

    visual = clip.model.visual
    encoding = ImageEncoding(clip, images)
    grid = encoding.tokens.grid
    seen = towers.seen(visual, encoding.tokens).detach()[:1].requires_grad_()
    tokens = towers.Tokens(encoding.tokens.values[:1], grid)
    pooled = F.normalize(towers.pool(visual, tokens, seen), dim=-1)[0]
    maps = gscorecam_map(clip, images, encoding.tokens, texts, channels)[0]
    for t in range(2):
        (grad,) = torch.autograd.grad(pooled @ texts[t], seen, retain_graph=True)
        patches = grid[0] * grid[1]
        means = grad[0, -patches:].mean(0)
        chosen = sorted(range(len(means)), key=lambda c: -float(means[c]))[:channels]
        planes = seen.detach()[0, -patches:].T.unflatten(1, grid)
        expected = slow.scorecam(clip.model, images[0], planes, chosen, texts[t], clip.logit_scale)
        torch.testing.assert_close(maps[t], expected, atol=1e-5, rtol=1e-3)


def test_depth_maps_end_in_the_similarity_map(clip, images, texts):
    encoding = ImageEncoding(clip, images)
    maps = depth_maps(clip, encoding.layers, texts)
    shape = towers.shape(clip.model.visual)
    blocks = {"vit": shape.layers, "siglip": shape.layers - 1, "resnet": 1, "cnn": 1}[clip.name]
    assert maps.shape == (blocks, 2, 2, *encoding.tokens.grid)
    torch.testing.assert_close(maps[-1], METHODS["itsm"].image_map(encoding, texts))
    if clip.name == "vit":
        states, _ = slow.vit_blocks(clip.model.visual, images[0])
        expected = slow.read(clip.model.visual, states[1][1:]) @ texts.T
        torch.testing.assert_close(maps[0, 0].flatten(1).T, expected, atol=1e-6, rtol=1e-4)


def test_layers_are_the_one_forward(clip):
    """Asked for first, they give tokens, features and dense tokens without another run; one picture's are kept."""
    images = random_images(clip, count=1)
    plain, opened = ImageEncoding(clip, images), ImageEncoding(clip, images)
    layers = opened.layers
    stem = stem_of(clip)
    calls = []
    handle = stem.register_forward_hook(lambda *args: calls.append(1))
    try:
        for name in ("tokens", "features", "dense"):
            mine, theirs = getattr(opened, name), getattr(plain, name)
            mine, theirs = (x.values if name == "tokens" else x for x in (mine, theirs))
            torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)
        assert opened.layers is layers
        assert len(calls) == 1  # the plain one's
        _ = plain.layers
        assert len(calls) == 2
        assert opened.layers is not layers
    finally:
        handle.remove()
    assert clip.opened == [opened]


@pytest.mark.parametrize("words", WORD_METHODS)
def test_all_methods_of_one_picture_cost_one_forward_of_each_tower(clip, picture, words):
    """Occlusion and gScoreCAM run the model on altered pictures, leaving words out on altered texts; nothing else does.

    The empty text, which CLIP Surgery takes away, is read once for a model.
    """
    text = getattr(clip.model, "text", clip.model).transformer
    stem = stem_of(clip)
    names = [m.name for m in METHODS.values() if m.supports(clip) is None and not m.own_forwards]
    _ = clip.empty_text
    clip.pictures.clear()
    images, texts = [], []
    handles = [
        stem.register_forward_hook(lambda *args: images.append(len(args[1][0]))),
        text.register_forward_hook(lambda *args: texts.append(len(args[1][0]))),
    ]
    try:
        explain.explain_methods(clip, picture, PROMPTS, names, words)
        assert texts[0] == len(PROMPTS)
        altered = [1 + len(prompt.split()) for prompt in PROMPTS]
        assert texts[1:] == (altered if words == "leave_one_out" else [])
        explain.explain_methods(clip, picture, PROMPTS, names, "relevance")  # seen before
        assert texts[1:] == (altered if words == "leave_one_out" else [])
    finally:
        for handle in handles:
            handle.remove()
    assert images == [1]


def test_the_empty_text_is_read_once_for_a_model(clips, picture):
    clip, texts = clips["vit"], []
    clip.__dict__.pop("empty_text", None)
    handle = clip.model.transformer.register_forward_hook(lambda *args: texts.append(len(args[1][0])))
    try:
        for prompts in (PROMPTS[:1], PROMPTS):
            clip.pictures.clear()
            explain.explain_image(clip, picture, prompts, "surgery")
    finally:
        handle.remove()
    assert sorted(texts) == [1, 1, 2]


# words


def test_leave_one_out_takes_tokens_out(clip, images):
    feature = clip.encode_images(images)[0].detach()
    prompt = PROMPTS[0]
    losses = word_losses(clip, feature, prompt)
    words = clip.words([prompt])[0]
    ids = clip.tokenize([prompt])[0].tolist()

    def score(row):
        row = row + [ids[-1]] * (len(ids) - len(row))
        return float(F.normalize(clip.model.encode_text(torch.tensor([row])), dim=-1)[0] @ feature)

    expected = [score(ids) - score(ids[: word.start] + ids[word.stop :]) for word in words]
    np.testing.assert_allclose(losses, expected, atol=1e-6)
    assert len(words) == 6


def test_leave_one_out_of_a_full_context(clip, images):
    """The end token moves forward, and what stands behind it is never read."""
    prompt = "red cat " * clip.context_length
    losses = word_losses(clip, clip.encode_images(images)[0].detach(), prompt)
    assert len(losses) == len(clip.words([prompt])[0]) > 1
    assert np.isfinite(losses).all()


def test_leave_one_out_agrees_with_typing_it(clip, images):
    feature = clip.encode_images(images)[0].detach()
    losses = word_losses(clip, feature, "the sky")
    typed = clip.encode_texts(clip.tokenize(["the sky", "sky", "the"])) @ feature
    np.testing.assert_allclose(losses, (typed[0] - typed[1:]).tolist(), atol=1e-5)


def test_gradient_times_input(clip, images):
    feature = clip.encode_images(images)[0].detach()
    ids = clip.tokenize(PROMPTS)
    tower, kept = getattr(clip.model, "text", clip.model), []

    def keep(module, args, output):
        kept.append(output.detach().requires_grad_())
        return kept[-1]

    handle = tower.token_embedding.register_forward_hook(keep)
    try:
        features = F.normalize(clip.model.encode_text(ids), dim=-1)
    finally:
        handle.remove()
    (grad,) = torch.autograd.grad((features @ feature).sum(), kept[0])
    scores = torch.tensor([text.slopes for text in ImageEncoding(clip, images).read(PROMPTS)])
    torch.testing.assert_close(scores, (grad * kept[0].detach()).sum(-1), atol=1e-6, rtol=1e-4)
    assert scores.shape == ids.shape


@pytest.mark.parametrize("name", WORD_METHODS)
def test_every_way_to_rate_words(name, clip, picture):
    method = WORD_METHODS[name]
    assert method.name == name
    assert "arXiv" in method.paper
    for said in (method.sentence, method.limit):
        assert said.endswith(".")
        assert len(said) < 120
    for explanation in explain.explain_image(clip, picture, PROMPTS, words=name):
        assert [word for word, _ in explanation.tokens] == explanation.prompt.split()
        assert sum(share for _, share in explanation.tokens) == pytest.approx(1)
        assert all(share >= 0 for _, share in explanation.tokens)


def test_unknown_ways_to_rate_words_name_the_choices(clips, picture):
    with pytest.raises(
        ValueError, match="unknown way to rate words 'magic'; allowed: relevance, leave_one_out"
    ):
        find_words("magic")
    with pytest.raises(ValueError, match="allowed: relevance"):
        explain.explain_image(clips["vit"], picture, PROMPTS, words="")
