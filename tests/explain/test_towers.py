"""Towers: the two steps together are open_clip's own encoders, for every family and size."""

import open_clip
import pytest
import torch
import torch.nn.functional as F

from explain import towers
from explain.methods.relevance import image_relevance
from tests.conftest import config, random_images, text_config

PROMPTS = ["a red cat", "two boats on the water, left of a green house", "sky"]


def test_features_are_open_clips(clip, images):
    texts = clip.tokenize(PROMPTS)
    torch.testing.assert_close(clip.encode_images(images), clip.model.encode_image(images, normalize=True))
    torch.testing.assert_close(clip.encode_texts(texts), clip.model.encode_text(texts, normalize=True))


def test_truncated_text_tower_equals_the_full_run(clip):
    texts = clip.tokenize(PROMPTS)
    full = clip.model.encode_text(texts, normalize=True)
    one_by_one = torch.cat([clip.encode_texts(texts[i : i + 1]) for i in range(len(texts))])
    torch.testing.assert_close(clip.encode_texts(texts), full, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(one_by_one, full, atol=1e-5, rtol=1e-5)


def test_text_tower_stops_at_the_longest_end_token(clips):
    clip, lengths = clips["vit"], []
    handle = clip.model.transformer.register_forward_pre_hook(
        lambda _, args: lengths.append(args[0].shape[1])
    )
    try:
        texts = clip.tokenize(PROMPTS)
        clip.encode_texts(texts)
    finally:
        handle.remove()
    assert lengths == [int((texts != 0).sum(1).max())]


def test_the_pooled_row_is_the_end_token(clips):
    for name in ("vit", "resnet", "toy"):
        clip = clips[name]
        texts = clip.tokenize(PROMPTS)
        ends = (texts != 0).sum(1) - 1
        assert towers.pooled_rows(clip.model, texts).tolist() == ends.tolist()
    assert towers.pooled_rows(clips["siglip"].model, clips["siglip"].tokenize(PROMPTS)).tolist() == [15] * 3


def test_pooled_row_follows_the_pool_type():
    """An end token whose id is not the largest: argmax would pool another row."""
    texts = torch.tensor([[1, 9, 3, 2, 0], [1, 5, 2, 0, 0]])
    for pool, expected in {"eos": [3, 2], "argmax": [1, 1], "first": [0, 0], "last": [4, 4]}.items():
        model = open_clip.model.CLIP(
            8,
            config("vit")["vision_cfg"],
            text_config(pool_type=pool, eos_id=2, context_length=5, vocab_size=10),
        )
        model.eval().requires_grad_(False)
        assert towers.pooled_rows(model, texts).tolist() == expected
        torch.testing.assert_close(towers.text_features(model, texts), model.encode_text(texts))


def test_dense_tokens_are_on_the_grid_and_of_unit_norm(clip, images):
    dense = clip.dense_tokens(images)
    rows, columns = (2, 2) if clip.name == "resnet" else (4, 4)
    assert dense.shape[:3] == (2, rows, columns)
    torch.testing.assert_close(dense.norm(dim=-1), torch.ones(2, rows, columns))
    torch.testing.assert_close(dense[1:], clip.dense_tokens(images[1:]))


def test_dense_vit_is_open_clips_own_tokens(clips, images_of):
    visual, images = clips["vit"].model.visual, images_of(clips["vit"])
    output = visual.forward_intermediates(images, indices=1, normalize_intermediates=True, output_fmt="NLC")
    expected = F.normalize(output["image_intermediates"][0] @ visual.proj, dim=-1)
    torch.testing.assert_close(clips["vit"].dense_tokens(images).flatten(1, 2), expected)


def test_row_0_of_the_all_queries_form_is_encode_image(clips, images_of):
    """ViT: the class token through the whole last block; ResNet: the mean token as one query of all."""
    from explain.towers import resnet

    visual, images = clips["vit"].model.visual, images_of(clips["vit"])
    x = visual.transformer.resblocks[-1](towers.trunk(visual, images).values)
    torch.testing.assert_close((visual.ln_post(x) @ visual.proj)[:, 0], visual(images))
    visual, images = clips["resnet"].model.visual, images_of(clips["resnet"])
    tokens = towers.trunk(visual, images)
    x = resnet._pool_tokens(visual, tokens.values, tokens.grid)
    torch.testing.assert_close(resnet._attention_pool(visual.attnpool, x, x)[0], visual(images))


def test_resnet_value_path_is_two_one_by_one_convolutions(clips, images_of):
    visual, images = clips["resnet"].model.visual, images_of(clips["resnet"])
    pool, x = visual.attnpool, towers.trunk(visual, images).values
    convolved = F.conv2d(x.transpose(1, 2)[..., None], pool.v_proj.weight[..., None, None], pool.v_proj.bias)
    convolved = F.conv2d(convolved, pool.c_proj.weight[..., None, None], pool.c_proj.bias)
    expected = F.normalize(convolved.squeeze(-1).transpose(1, 2), dim=-1)
    found = clips["resnet"].dense_tokens(images, rn_dense="value").flatten(1, 2)
    torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match="rn_dense is 'keys'; allowed: attn, value"):
        clips["resnet"].dense_tokens(images, rn_dense="keys")


def test_siglip_pool_of_one_token_is_the_value_path(clips, images_of):
    visual = clips["siglip"].model.visual
    tokens = towers.trunk(visual, images_of(clips["siglip"]))
    dense = towers.dense(visual, tokens)
    for patch in range(tokens.values.shape[1]):
        alone = towers.Tokens(tokens.values[:, patch : patch + 1], (1, 1))
        torch.testing.assert_close(towers.pool(visual, alone), dense[:, patch])


@pytest.mark.parametrize("scale", [(2, 2), (1, 2), (3, 1)])
def test_other_sizes_are_interpolated_and_not_written_back(clip, images, scale):
    before = clip.encode_images(images), clip.dense_tokens(images)
    state = {name: value.clone() for name, value in clip.model.state_dict().items()}
    large = F.interpolate(images, scale_factor=scale)
    dense = clip.dense_tokens(large)
    rows, columns = before[1].shape[1:3]
    assert dense.shape[1:3] == (rows * scale[0], columns * scale[1])
    assert clip.encode_images(large).isfinite().all()
    assert (
        image_relevance(clip, large, clip.encode_texts(clip.tokenize(["sky"]))).shape[2:] == dense.shape[1:3]
    )
    assert torch.equal(clip.encode_images(images), before[0])
    assert torch.equal(clip.dense_tokens(images), before[1])
    assert all(torch.equal(state[name], value) for name, value in clip.model.state_dict().items())


def test_interpolation_is_open_clips(clips, images_of):
    """At another size our features are those of a model that open_clip itself resized while loading."""
    clip = clips["vit"]
    bigger = config("vit")
    bigger["vision_cfg"]["image_size"] = 48
    resized = open_clip.model.CLIP(**bigger).eval()
    state = clip.model.state_dict()
    open_clip.model.resize_pos_embed(state, resized)
    resized.load_state_dict(state)
    images = torch.randn(1, 3, 48, 48)
    torch.testing.assert_close(clip.encode_images(images), resized.encode_image(images, normalize=True))


def test_sizes_that_are_no_multiple_of_the_patch_are_refused(clip):
    with pytest.raises(ValueError, match="must be a multiple of the patch size"):
        clip.encode_images(torch.zeros(1, 3, clip.size[0] + 1, clip.size[1]))


def test_the_cam_layer_gives_what_is_seen(clip, images):
    visual, outputs = clip.model.visual, []
    handle = towers.cam_layer(visual).register_forward_hook(lambda *args: outputs.append(args[2]))
    try:
        visual(images)
    finally:
        handle.remove()
    seen = towers.seen(visual, towers.trunk(visual, images))
    expected = outputs[-1].flatten(2).transpose(1, 2) if outputs[-1].ndim == 4 else outputs[-1]
    torch.testing.assert_close(seen, expected)


def test_coca_and_unknown_towers_are_refused(tmp_path):
    coca = open_clip.transformer.VisionTransformer(
        image_size=32,
        patch_size=8,
        width=16,
        layers=1,
        heads=2,
        mlp_ratio=2,
        attentional_pool=True,
        output_dim=16,
    )
    average = open_clip.transformer.VisionTransformer(
        image_size=32, patch_size=8, width=16, layers=1, heads=2, mlp_ratio=2, pool_type="avg", output_dim=16
    )
    custom = open_clip.transformer.VisionTransformer(
        image_size=32, patch_size=8, width=16, layers=1, heads=2, mlp_ratio=2, qk_norm=True, output_dim=16
    )
    mixer = timm_tower("test_mambaout")
    rotary = timm_tower("resnet10t", pool="abs_attn", proj="")
    plain = timm_tower("test_vit", pool="token", proj="none")
    largest = timm_tower("test_efficientnet", pool="max")
    assert "learned queries" in towers.refusal(coca)
    assert "pool type 'avg'" in towers.refusal(average)
    assert "CustomResidualAttentionBlock" in towers.refusal(custom)
    assert "timm's MambaOut towers cannot be opened here; those that can" in towers.refusal(mixer)
    assert "timm's ResNet can be opened here with a mean pool alone" in towers.refusal(rotary)
    assert "timm's EfficientNet can be opened here with a mean pool alone" in towers.refusal(largest)
    assert "timm's VisionTransformer can be opened here with SigLIP's attention pool alone" in towers.refusal(
        plain
    )
    assert "Linear towers cannot be opened here; those that can: VisionTransformer" in towers.refusal(
        torch.nn.Linear(1, 1)
    )
    for step in (towers.shape, towers.cam_layer):
        with pytest.raises(ValueError, match="cannot be opened"):
            step(torch.nn.Linear(1, 1))


def timm_tower(name, **settings):
    return open_clip.timm_model.TimmModel(name, embed_dim=24, **settings).eval().requires_grad_(False)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("test_efficientnet", {"proj_bias": True}),
        ("test_convnext", {"pool": ""}),  # its norm comes after the mean
        ("test_convnext", {"proj": "mlp"}),
        ("resnet10t", {}),
        ("regnety_002", {}),
        ("test_resnet", {"proj": ""}),  # timm's own classifier is the head
    ],
)
def test_convolutional_towers_of_timm(name, settings):
    """The mean, written as an attention, is timm's own; a place alone is a picture of one place."""
    visual = timm_tower(name, **settings)
    assert towers.refusal(visual) is None
    images = torch.randn(2, 3, 96, 64)
    tokens = towers.trunk(visual, images)
    assert tokens.grid == (3, 2)
    torch.testing.assert_close(towers.pool(visual, tokens), visual(images))
    dense = towers.dense(visual, tokens)
    alone = towers.Tokens(tokens.values[:, 4:5], (1, 1))
    torch.testing.assert_close(towers.pool(visual, alone), dense[:, 4])
    weight, bias = towers.head(visual)
    rows = towers.head_input(visual, tokens) @ weight + bias
    torch.testing.assert_close(rows[:, 0], visual(images))
    torch.testing.assert_close(rows[:, 1:], dense)
    opened = towers.layers(visual, images)
    torch.testing.assert_close(opened.pooled, visual(images))
    torch.testing.assert_close(opened.probs[0], torch.full((2, 1, 1, 6), 1 / 6))


def test_open_clips_convnext_base_is_opened():
    model = open_clip.create_model("convnext_base", load_weights=False).eval().requires_grad_(False)
    images = torch.randn(1, 3, 64, 96)
    assert towers.refusal(model.visual) is None
    tokens = towers.trunk(model.visual, images)
    assert tokens.grid == (2, 3)
    torch.testing.assert_close(towers.pool(model.visual, tokens), model.encode_image(images))


def test_where_the_head_is_linear_dense_tokens_average_to_the_pooled_row(clips, images_of):
    visual, images = clips["cnn"].model.visual, images_of(clips["cnn"])
    dense = towers.dense(visual, towers.trunk(visual, images))
    torch.testing.assert_close(dense.mean(1), visual(images))


def test_coca_and_hugging_face_text_towers_are_refused():
    tower = open_clip.transformer.TextTransformer(width=8, heads=2, layers=1, vocab_size=9, embed_cls=True)
    model = torch.nn.Module()
    model.text = tower
    assert "class token" in towers.text_refusal(model)
    model.text = torch.nn.Linear(1, 1)
    assert "type Linear" in towers.text_refusal(model)


def test_the_gradient_of_an_image_is_its_gradient_in_a_batch(doubles, clip):
    """And that of finite differences: torch's batch norm is wrong for one image whose gradient lies channels last."""
    clip = doubles[clip.name]
    text = clip.encode_texts(clip.tokenize(["sky"]))[0]
    images = random_images(clip).double().requires_grad_()

    def slope(of):
        return torch.autograd.grad((clip.encode_images(of) @ text).sum(), images)[0]

    whole = slope(images)
    torch.testing.assert_close(slope(images[:1])[:1], whole[:1])
    step = 1e-6 * torch.randn_like(images)
    with torch.no_grad():
        ahead, behind = (clip.encode_images(images + sign * step) @ text for sign in (1, -1))
    torch.testing.assert_close((ahead - behind).sum() / 2, (whole * step).sum(), rtol=1e-4, atol=0)


def test_a_batch_is_its_images_one_by_one(clip):
    images = random_images(clip, count=3)
    texts = clip.encode_texts(clip.tokenize(PROMPTS))
    for run in (clip.encode_images, clip.dense_tokens, lambda x: image_relevance(clip, x, texts)):
        together = run(images)
        for i in range(3):
            torch.testing.assert_close(run(images[i : i + 1])[0], together[i], atol=1e-6, rtol=1e-4)
