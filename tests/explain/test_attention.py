"""AttentionRecorder: what it records is A, and recording changes nothing."""

import copy

import open_clip
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from explain import towers
from explain.towers.attention import AttentionRecorder
from tests.oracles import explain as oracles

PROMPTS = ["a red cat on the grass", "the sky", "two boats, left of a green house"]


def test_sdpa_is_the_equation():
    q, k, v = torch.randn(3, 5, 4).double(), torch.randn(3, 7, 4).double(), torch.randn(3, 7, 6).double()
    mask = torch.randn(5, 7).double()
    with AttentionRecorder() as recorder:
        output = F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=mask)
    for head in range(3):
        expected, probs = oracles.attention(q[head], k[head], v[head], mask)
        torch.testing.assert_close(output[0, head], expected)
        torch.testing.assert_close(recorder.probs[0][0, head].detach(), probs)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"is_causal": True},
        {"scale": 0.3},
        {"attn_mask": "bool"},
        {"attn_mask": "float"},
        {"enable_gqa": True},
    ],
    ids=str,
)
def test_sdpa_equals_stock(options):
    options = dict(options)
    heads = 2 if options.get("enable_gqa") else 4
    q, k, v = torch.randn(2, 4, 6, 8), torch.randn(2, heads, 6, 8), torch.randn(2, heads, 6, 8)
    if "attn_mask" in options:
        kind = options["attn_mask"]
        options["attn_mask"] = torch.ones(6, 6).tril().bool() if kind == "bool" else torch.randn(2, 4, 6, 6)
    expected = F.scaled_dot_product_attention(q, k, v, **options)
    with AttentionRecorder() as recorder:
        output = F.scaled_dot_product_attention(q, k, v, **options)
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=1e-5)
    assert recorder.probs[0].shape == (2, 4, 6, 6)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("mask", [None, "bool", "float", "per head", "padding", "both"])
def test_mha_equals_stock(batch_first, mask):
    module = nn.MultiheadAttention(8, 2, batch_first=batch_first).eval().requires_grad_(False)
    x = torch.randn(3, 5, 8) if batch_first else torch.randn(5, 3, 8)
    hidden = torch.ones(5, 5).triu(1).bool()
    padding = torch.zeros(3, 5).bool()
    padding[1, 3:] = True
    options = {
        None: {},
        "bool": {"attn_mask": hidden},
        "float": {"attn_mask": torch.randn(5, 5)},
        "per head": {"attn_mask": torch.randn(6, 5, 5)},
        "padding": {"key_padding_mask": padding},
        "both": {"attn_mask": hidden, "key_padding_mask": padding},
    }[mask]
    expected = module(x, x, x, need_weights=True, average_attn_weights=False, **options)
    with AttentionRecorder() as recorder:
        output = module(x, x, x, need_weights=True, average_attn_weights=False, **options)
    torch.testing.assert_close(output[0], expected[0], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(output[1], expected[1], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(recorder.probs[0], expected[1], atol=1e-6, rtol=1e-5)


def test_mha_cross_attention_and_unbatched_equal_stock():
    module = nn.MultiheadAttention(8, 2, kdim=6, vdim=4, batch_first=True).eval().requires_grad_(False)
    q, k, v = torch.randn(2, 3, 8), torch.randn(2, 5, 6), torch.randn(2, 5, 4)
    plain = nn.MultiheadAttention(8, 2).eval().requires_grad_(False)
    x = torch.randn(4, 8)
    expected, expected_plain = module(q, k, v)[0], plain(x, x, x)
    with AttentionRecorder() as recorder:
        output, output_plain = module(q, k, v)[0], plain(x, x, x)
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(output_plain[0], expected_plain[0], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(output_plain[1], expected_plain[1], atol=1e-6, rtol=1e-5)
    assert [tuple(p.shape) for p in recorder.probs] == [(2, 2, 3, 5), (1, 2, 4, 4)]


@pytest.mark.parametrize("option", [{"add_bias_kv": True}, {"add_zero_attn": True}])
def test_mha_with_extra_keys_is_refused(option):
    module = nn.MultiheadAttention(8, 2, **option).eval().requires_grad_(False)
    x = torch.randn(4, 1, 8)
    with pytest.raises(NotImplementedError, match="cannot be recorded"), AttentionRecorder():
        module(x, x, x)


def test_recording_changes_no_output(clip, images):
    """In fp64: how much rounding differs between kernels is the machine's affair."""
    model, images, texts = copy.deepcopy(clip.model).double(), images.double(), clip.tokenize(PROMPTS)
    with torch.no_grad():
        expected = model.encode_image(images), model.encode_text(texts)
    with AttentionRecorder() as recorder:
        found = model.encode_image(images), model.encode_text(texts)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.detach(), b, atol=1e-12, rtol=1e-9)
    for probs in recorder.probs:
        torch.testing.assert_close(probs.sum(-1), torch.ones_like(probs[..., 0]))


def test_eval_fast_path_is_seen(clips, images_of):
    """Under no_grad in evaluation torch takes a fused kernel of its own; the mode switches it off."""
    clip = clips["vit"]
    with torch.no_grad(), AttentionRecorder() as recorder:
        clip.model.encode_image(images_of(clip))
    assert len(recorder.probs) == 3
    assert not any(probs.requires_grad for probs in recorder.probs)


def test_custom_blocks_are_seen():
    """open_clip's own Attention (blocks with norms on q and k) ends in scaled_dot_product_attention."""
    block = (
        open_clip.transformer.CustomResidualAttentionBlock(8, 2, qk_norm=True).eval().requires_grad_(False)
    )
    x = torch.randn(2, 5, 8)
    expected = block(x)
    with AttentionRecorder() as recorder:
        torch.testing.assert_close(block(x), expected, atol=1e-6, rtol=1e-5)
    assert recorder.probs[0].shape == (2, 2, 5, 5)


def test_probs_are_the_leaf_when_all_is_frozen(clips, images_of):
    with AttentionRecorder() as recorder:
        features = clips["vit"].model.encode_image(images_of(clips["vit"]))
    grads = torch.autograd.grad(features.sum(), recorder.probs)
    assert recorder.probs[0].is_leaf
    assert not recorder.probs[1].is_leaf
    assert all(grad.abs().sum() > 0 for grad in grads)


def test_probs_stay_on_the_graph_of_an_image_that_needs_a_gradient(clips, images_of):
    image = images_of(clips["vit"]).requires_grad_()
    with AttentionRecorder() as recorder:
        features = clips["vit"].model.encode_image(image)
    assert not recorder.probs[0].is_leaf
    (grad,) = torch.autograd.grad(features.sum(), image)
    assert grad.abs().sum() > 0


def test_chosen_layers_alone_are_opened(clips, images_of):
    clip = clips["vit"]
    with AttentionRecorder(layers={2}) as recorder:
        features = clip.model.encode_image(images_of(clip))
    assert len(recorder.probs) == 1
    assert recorder.probs[0].is_leaf  # nothing before it is on a graph
    torch.testing.assert_close(
        features.detach(), clip.model.encode_image(images_of(clip)), atol=2e-6, rtol=1e-5
    )


def test_nothing_recorded_raises():
    with pytest.raises(RuntimeError, match="no attention was recorded"), AttentionRecorder():
        torch.ones(2).sum()
    with (
        pytest.raises(RuntimeError, match=r"1 calls seen, layers \[5\] wanted"),
        AttentionRecorder(layers={5}),
    ):
        F.scaled_dot_product_attention(*torch.randn(3, 1, 1, 2, 2))


def test_nothing_is_left_behind_after_an_exception(clips, images_of):
    clip = clips["vit"]
    before = {name: value.clone() for name, value in clip.model.state_dict().items()}

    def fail():
        with AttentionRecorder():
            clip.model.encode_image(images_of(clip))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.overrides._get_current_function_mode_stack() == []
    assert not any(parameter.requires_grad for parameter in clip.model.parameters())
    assert all(torch.equal(before[name], value) for name, value in clip.model.state_dict().items())
    assert not clip.model.encode_image(images_of(clip)).requires_grad


def test_the_mode_belongs_to_its_thread(clips, images_of):
    import threading

    clip, seen = clips["vit"], []
    with AttentionRecorder() as recorder:
        thread = threading.Thread(target=lambda: seen.append(clip.model.encode_image(images_of(clip))))
        thread.start()
        thread.join()
        assert recorder.probs == []
        clip.model.encode_image(images_of(clip))
    assert not seen[0].requires_grad


def test_text_attention_is_causal(clips):
    clip = clips["vit"]
    with AttentionRecorder() as recorder:
        clip.model.encode_text(clip.tokenize(PROMPTS))
    for probs in recorder.probs:
        assert probs.triu(1).abs().max() == 0


def test_unfused_timm_attention_raises_instead_of_a_blank_map(clips, images_of):
    """With TIMM_FUSED_ATTN=0 timm multiplies by itself, out of the mode's sight."""
    visual = copy.deepcopy(clips["siglip"].model.visual)
    visual.trunk.attn_pool.fused_attn = False
    tokens = towers.trunk(visual, images_of(clips["siglip"]))
    with pytest.raises(RuntimeError, match="TIMM_FUSED_ATTN=0"), AttentionRecorder():
        towers.pool(visual, tokens)
