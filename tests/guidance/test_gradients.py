"""Small parts of generators: settings and their limits, gradients and moves, memory. No model."""

import math

import pytest
import torch

from guidance.generators import memory
from guidance.generators.gradients import clamp_with_gradient, controlled, image_gradients, moved, pull
from guidance.generators.sampling import Sampling, check_pictures, check_size
from guidance.seeding import MAX_SEED


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps is 0; allowed: a whole number from 1 to 1000"),
        ({"steps": -3}, "steps is -3"),
        ({"steps": 2.0}, "steps is 2.0; allowed: a whole number"),
        ({"steps": True}, "steps is True"),
        ({"steps": 10**5000}, "steps is a number of 16610 bits"),
        ({"guidance_scale": math.nan}, "guidance_scale is nan; allowed: a number from 0 to 100"),
        ({"guidance_scale": "7"}, "guidance_scale is '7'"),
        ({"negative_prompt": None}, "negative_prompt is None; allowed: a text"),
        ({"mode": "x1"}, "mode is 'x1'; allowed: off, x0, latent"),
        ({"weight": math.inf}, "weight is inf"),
        ({"weight": -1}, "weight is -1; allowed: a number from 0 to 1e.06"),
        ({"norm_control": ""}, "norm_control is ''; allowed: normalise, clip, raw"),
        ({"norm": math.nan}, "norm is nan"),
        ({"inner_steps": 0}, "inner_steps is 0"),
        ({"time_travel": -1}, "time_travel is -1"),
        ({"rest_scale": -1.0}, "rest_scale is -1"),
        ({"candidates": 0}, "candidates is 0"),
        ({"candidates": 10**6}, "candidates is 1000000"),
        ({"guide_from": -0.1}, "guide_from is -0.1; allowed: a number from 0 to 1"),
        ({"guide_to": 1.1}, "guide_to is 1.1"),
        ({"guide_from": 0.5, "guide_to": 0.5}, "guide_from is 0.5 and guide_to 0.5"),
        ({"guide_every": 0}, "guide_every is 0"),
        ({"learning_rate": 0}, "learning_rate is 0; allowed: a number from 1e-06 to 10"),
        ({"start": "zero"}, "start is 'zero'; allowed: codes, uniform"),
    ],
)
def test_settings_out_of_range(changes, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**changes)


@pytest.mark.parametrize(
    ("prompts", "seeds", "message"),
    [
        ([], [], "there are 0 prompts; allowed at once: 1 to 64"),
        (["a"] * 65, [1] * 65, "there are 65 prompts"),
        (["a", "b"], [1], "2 prompts and 1 seeds"),
        ("ab", [1, 2], "prompts is a text; allowed: a list"),
        (["a", None], [1, 2], "a prompt is None; allowed: a text"),
        (["a"], [2**63], f"a seed is {2**63}; allowed: a whole number from 0 to 2.63 - 1"),
        (["a"], [-1], "a seed is -1"),
        (["a"], [1.5], "a seed is 1.5"),
        (["a"], [10**5000], "a seed is a number of 16610 bits"),
    ],
)
def test_pictures_that_cannot_be(prompts, seeds, message):
    with pytest.raises(ValueError, match=message):
        check_pictures(prompts, seeds)


def test_what_is_allowed_passes():
    check_pictures(["", "a\x00b", "${x}"], [0, 7, MAX_SEED])
    assert check_size((2048, 8), 8) == (2048, 8)
    with pytest.raises(
        ValueError, match="height is 2047; allowed: multiples of 8, and the nearest is 2040 or 2048"
    ):
        check_size((2047, 8), 8)
    with pytest.raises(ValueError, match="width is 2045; allowed: multiples of 24, and the nearest is 2040"):
        check_size((24, 2045), 24)


def test_which_steps_are_guided():
    def guided(total, **changes):
        sampling = Sampling(**changes)
        return [i for i in range(total) if sampling.guides(i, total)]

    assert guided(10) == list(range(8))
    assert guided(10, guide_to=1.0) == list(range(10))
    assert guided(10, mode="off") == []
    assert guided(4, guide_from=0.3, guide_to=0.6) == [2]
    assert guided(10, guide_from=0.3, guide_to=0.7, guide_every=3) == [3, 6]
    assert guided(1, guide_from=0.0, guide_to=0.1) == [0]
    assert guided(100, guide_from=0.29, guide_to=0.3) == [29]


def test_the_length_of_moves():
    gradients = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    gradients[1] *= 1e-3
    gradients[2] = 0
    latents = 3 * torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(1))

    def rms(x):
        return float((x.double() ** 2).mean() ** 0.5)

    for control in ("normalise", "clip", "raw"):
        moves = controlled(gradients, latents, Sampling(norm_control=control, norm=0.2, weight=0.5))
        for i in range(3):
            full, cap = rms(gradients[i]), 0.2 * rms(latents[i])
            factor = {
                "normalise": cap / full if full else 0.0,
                "clip": min(1, cap / full) if full else 0,
                "raw": 1,
            }
            torch.testing.assert_close(moves[i], -0.5 * factor[control] * gradients[i], rtol=1e-4, atol=1e-6)
        assert torch.equal(moves[2], torch.zeros(4, 5, 5))


@pytest.mark.parametrize("scale", [1e-37, 1e-20, 1e18, 1e37])
def test_moves_from_gradients_of_any_size(scale):
    gradients = scale * torch.tensor([[1.0, -2.0, 0.5, 0.0]])
    latents = torch.ones(1, 4)
    for control in ("normalise", "clip"):
        moves = controlled(gradients, latents, Sampling(norm_control=control))
        assert moves.isfinite().all()
        if control == "normalise" or scale > 1:
            assert moves.square().mean().sqrt() == pytest.approx(0.1, rel=1e-4)


def test_a_picture_that_does_not_move_keeps_its_bits():
    latents = torch.tensor([[-0.0, 1.0009765625], [1.0, 2.0]], dtype=torch.float16)
    moves = torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    after = moved(latents, moves)
    assert after.dtype == torch.float16
    assert torch.equal(torch.signbit(after), torch.signbit(latents))
    assert after.tolist() == [[0.0, 1.0009765625], [1.0, 3.0]]


def test_the_clamp_and_its_gradient():
    values = torch.tensor([-1.0, -1.0, 0.5, 0.5, 2.0, 2.0], requires_grad=True)
    clamped = clamp_with_gradient(values, 0.0, 1.0)
    assert clamped.tolist() == [0, 0, 0.5, 0.5, 1, 1]
    clamped.backward(torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0]))
    assert values.grad.tolist() == [0, -1, 1, -1, 1, 0]


def test_a_pull_is_the_gradient():
    latents = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))

    def decode(x):
        return torch.sigmoid(2 * x)

    def guide(images, number):
        return (images**2).mean((1, 2, 3)) * number

    leaf = latents.clone().requires_grad_()
    expected_losses = guide(decode(leaf), 3)
    (expected,) = torch.autograd.grad(expected_losses.sum(), leaf)
    with torch.no_grad():
        found = pull(guide, decode, latents, 3)
    torch.testing.assert_close(found.gradients, expected)
    torch.testing.assert_close(found.losses, expected_losses.detach())
    assert found.finite.all()
    assert latents.grad is None


def test_small_gradients_pass_a_decoder_in_half_precision():
    """As of a mean over many pixels: in fp16 they would be 0."""
    latents = torch.full((2, 1, 8, 8), 0.5)

    def decode(x):
        return torch.sigmoid(x.half()).float()

    found = pull(lambda images, number: 1e-9 * images.mean((1, 2, 3)), decode, latents, 0)
    slope = torch.sigmoid(torch.tensor(0.5)) * (1 - torch.sigmoid(torch.tensor(0.5)))
    torch.testing.assert_close(
        found.gradients, torch.full_like(latents, 1e-9 / 64 * float(slope)), rtol=5e-3, atol=0
    )


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_losses_and_gradients_that_are_not_finite(bad):
    images = torch.rand(3, 3, 2, 2, generator=torch.Generator().manual_seed(0))

    def guide(images, number):
        losses = images.mean((1, 2, 3))
        spoilt = torch.stack([losses[0] * bad, losses[1], losses[2] + (images[2, 0, 0, 0] * 0).sqrt()])
        assert spoilt[2].isfinite()  # its gradient alone is not
        return spoilt

    losses, gradients, finite = image_gradients(guide, images, 0)
    assert finite.tolist() == [False, True, False]
    torch.testing.assert_close(gradients[1], torch.full((3, 2, 2), 1 / 12))
    assert not gradients[[0, 2]].any()
    assert not losses[0].isfinite()


def test_a_gradient_that_the_decoder_spoils():
    latents = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    found = pull(lambda images, number: images.sum((1, 2, 3)), lambda x: x.sqrt(), latents, 0)
    assert found.finite.tolist() == [False, True]
    assert found.gradients.flatten().tolist() == [0, 0.5]


# Memory


class Pipe:
    """Notes what it is told."""

    def __init__(self):
        self.told = []

    def to(self, device):
        self.told.append(("to", torch.device(device)))

    def enable_model_cpu_offload(self, device):
        self.told.append(("turns", device))


@pytest.mark.parametrize(
    ("device", "gigabytes", "accelerate", "turns"),
    [
        ("cpu", 4, True, False),
        ("cuda", 8, True, True),
        ("cuda", 10, True, False),
        ("cuda", 8, False, False),
        ("cuda:1", 9.9, True, True),
    ],
)
def test_models_take_turns_on_small_gpus(monkeypatch, device, gigabytes, accelerate, turns):
    asked = []
    monkeypatch.setattr(
        memory.importlib.util, "find_spec", lambda name: asked.append(name) or (accelerate or None)
    )
    pipe = Pipe()
    assert memory.place(pipe, device, memory=int(gigabytes * 2**30)) is turns
    assert pipe.told == [("turns" if turns else "to", torch.device(device))]
    assert set(asked) <= {"accelerate"}


def test_the_gpu_is_asked_for_its_memory(monkeypatch):
    class Properties:
        total_memory = 6 * 2**30

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Properties)
    assert memory.takes_turns(torch.device("cuda"))


def test_advice_names_what_would_help():
    text = memory.diffusion_advice(1, (512, 768), 8, "x0", preview=True)
    assert text.startswith("a picture of 768 x 512 did not fit in memory")
    assert "576 x 384" in text
    for other in ("pictures at once", "x0", "preview decoder", "candidate"):
        assert other not in text
    assert "a single candidate" in memory.diffusion_advice(1, (512, 768), 8, "x0", True, candidates=8)
    assert "views" not in memory.diffusion_advice(2, (8, 8), 8, "off", preview=False)
    assert "smaller" not in memory.latents_advice(1, (8, 8), 8)
