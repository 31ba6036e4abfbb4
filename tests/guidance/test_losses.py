"""The losses against paper A's numbers and against loops."""

import math

import pytest
import torch
import torch.nn.functional as F

from guidance.generators import latents
from guidance.objectives import losses
from tests.oracles import guidance as oracle


def half(size=224):
    """A mask of the left half."""
    mask = torch.zeros(size, size)
    mask[:, : size // 2] = 1
    return mask


def patches(*places):
    q = torch.zeros(7, 7)
    for place in places:
        q[place] = 1
    return q


def share_of(count, size=100):
    """A mask of the first `count` pixels of size * size."""
    return (torch.arange(size * size) < count).float().view(size, size)


@pytest.mark.parametrize(("cosine", "distance"), [(0, 1.2337), (0.2, 0.9377), (0.3, 0.8015), (1, 0)])
def test_spherical_distance(cosine, distance):
    x = torch.tensor([2.0, 0.0])
    y = torch.tensor([cosine, math.sqrt(1 - cosine**2)]) * 5
    assert float(losses.spherical_distance(x, y)) == pytest.approx(distance, abs=5e-5)


def test_spherical_distance_is_half_the_squared_angle_for_any_leading_dimensions():
    x, y = torch.randn(2, 3, 5, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)
    found = losses.spherical_distance(x, y)
    assert found.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            assert float(found[i, j]) == pytest.approx(float(oracle.angle(x[i, j], y[j])) ** 2 / 2, abs=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_spherical_distance_has_a_gradient_at_its_ends(sign):
    """The same direction, and the opposite one, where arcsin is vertical and rounding may pass 1."""
    y = torch.randn(4, 64)
    x = (sign * 3 * y).requires_grad_()
    found = losses.spherical_distance(x, y)
    torch.testing.assert_close(
        found, torch.full((4,), 0.0 if sign > 0 else math.pi**2 / 2), atol=0.01, rtol=0
    )
    found.sum().backward()
    assert x.grad.isfinite().all()


def test_relevance_in_mask_of_paper_a_s_examples():
    """Half of the picture; bicubic without the clamp, as the released code has it."""
    mask = half()
    assert float(losses.relevance_in_mask(torch.ones(224, 224), mask)) == pytest.approx(2 / 3, abs=1e-5)
    for q, expected in (
        (patches((3, 1)), 0.7738),
        (patches((3, 5)), 0.5391),
        (patches((slice(None), slice(0, 3))), 0.9506),
    ):
        large = F.interpolate(q[None, None], size=(224, 224), mode="bicubic", align_corners=False)[0, 0]
        assert float(losses.relevance_in_mask(large, mask)) == pytest.approx(expected, abs=5e-5)
        ours = float(losses.relevance_in_mask(losses.on_pixels(q, (224, 224)), mask))
        assert ours == pytest.approx(expected, abs=0.02)
        assert ours != pytest.approx(expected, abs=5e-3)  # what the clamp does


@pytest.mark.parametrize(
    ("share", "best"),
    [(0.036, 0.385), (0.10, 0.651), (0.164, 0.767), (0.219, 0.825), (0.316, 0.886), (0.5, 0.944)],
)
def test_the_best_that_d_can_be_depends_on_the_share(share, best):
    mask = share_of(round(share * 10_000))
    assert float(losses.relevance_in_mask(mask, mask)) == pytest.approx(best, abs=5e-4)
    uniform = float(losses.relevance_in_mask(torch.full_like(mask, 0.3), mask))
    assert uniform == pytest.approx(2 * share / (1 + share), abs=1e-5)


def test_d_is_a_function_of_precision():
    q, mask = torch.rand(3, 9, 9).double(), (torch.rand(3, 9, 9) < 0.4).double()
    b = losses.lit(q)
    precision = (b * mask).sum((-2, -1)) / b.sum((-2, -1))
    found = losses.relevance_in_mask(q, mask)
    torch.testing.assert_close(found, 2 * precision / (1 + precision))
    for i in range(3):
        assert float(found[i]) == pytest.approx(oracle.inside(q[i], mask[i]), abs=1e-9)


def test_d_does_not_depend_on_the_scale_of_the_map():
    q, mask = torch.rand(9, 9), share_of(20, 9)
    for scale in (1e-8, 1e8):
        torch.testing.assert_close(
            losses.relevance_in_mask(q * scale, mask), losses.relevance_in_mask(q, mask)
        )


def test_d_other_settings():
    q, mask = torch.rand(8, 8), share_of(20, 8)
    found = float(losses.relevance_in_mask(q, mask, threshold=0.4, sharpness=5.0))
    assert found == pytest.approx(oracle.inside(q, mask, 0.4, 5.0), abs=1e-5)


def test_an_empty_map_and_an_empty_mask_are_finite_with_finite_gradients():
    mask = share_of(30, 10)
    q = torch.zeros(10, 10, requires_grad=True)
    for function in (losses.relevance_in_mask, losses.mask_coverage, losses.share_in_mask):
        for m in (mask, torch.zeros(10, 10), torch.ones(10, 10)):
            found = function(q, m)
            assert found.isfinite()
            (grad,) = torch.autograd.grad(found, q, allow_unused=True)
            assert grad.isfinite().all()
    assert float(losses.relevance_in_mask(q.detach(), mask)) == pytest.approx(
        0.6 / 1.3, abs=1e-6
    )  # as of a uniform map
    assert float(losses.relevance_in_mask(torch.rand(10, 10), torch.zeros(10, 10))) == 0
    assert float(losses.relevance_in_mask(torch.rand(10, 10), torch.ones(10, 10))) == 1


def test_relevance_that_moves_in_raises_d_and_its_gradient_says_so():
    mask = half(32)
    q = torch.rand(32, 32, generator=torch.Generator().manual_seed(1)).mul(0.3)
    q[5, 5] = 1  # where all others are divided by
    q.requires_grad_()
    losses.relevance_in_mask(q, mask).backward()
    rest = torch.ones(32, 32, dtype=torch.bool)
    rest[5, 5] = False
    assert (q.grad[rest & (mask > 0)] > 0).all()
    assert (q.grad[rest & (mask == 0)] < 0).all()


def test_coverage_asks_for_what_d_does_not():
    """One lit corner of the mask is enough for D, and not for coverage; the second of two blobs counts."""
    mask = torch.zeros(40, 40)
    mask[2:12, 2:12] = mask[2:12, 28:38] = 1
    corner, one, both = torch.zeros(3, 40, 40)
    corner[2:5, 2:5] = one[2:12, 2:12] = both[2:12, 2:12] = 1
    both[2:12, 28:38] = 1
    covered = [float(losses.mask_coverage(q, mask)) for q in (torch.zeros(40, 40), corner, one, both)]
    floor, full = 1 / (1 + math.exp(2)), 1 / (1 + math.exp(-18))
    assert covered == pytest.approx(
        [floor, 0.09 / 2 * full + (1 - 0.045) * floor, (full + floor) / 2, full], abs=1e-5
    )
    outside = both.clone()
    outside[20:] = 1
    assert float(losses.mask_coverage(outside, mask)) == pytest.approx(full, abs=1e-5)  # precision is D's
    q = (one * 0.9 + 0.02).requires_grad_()
    losses.mask_coverage(q, mask).backward()
    assert (q.grad[2:12, 28:38] > 0).all()
    assert (q.grad[2:12, 28:38] > 20 * q.grad[4, 4].abs()).all()  # what is covered asks for nothing more
    assert (q.grad[20:] == 0).all()


def test_everything_is_batched_over_leading_dimensions():
    q, masks = torch.rand(2, 3, 8, 8), (torch.rand(2, 3, 8, 8) < 0.5).float()
    for function in (losses.relevance_in_mask, losses.mask_coverage, losses.share_in_mask):
        found = function(q, masks)
        assert found.shape == (2, 3)
        torch.testing.assert_close(found[1, 2], function(q[1, 2], masks[1, 2]))
    large = losses.on_pixels(q, (16, 24))
    assert large.shape == (2, 3, 16, 24)
    assert float(large.min()) >= 0
    torch.testing.assert_close(large[1, 0], losses.on_pixels(q[1, 0], (16, 24)))


@pytest.mark.parametrize(
    ("box", "share", "weight"), [((0, 200, 300, 56), 0.21875, 0.3207), ((100, 50, 180, 70), 0.1641, 0.3703)]
)
def test_object_weight(box, share, weight):
    """Paper A's boxes: left, top, width, height on a canvas of 300 x 256."""
    _, _, width, height = box
    found = width * height / (300 * 256)
    assert found == pytest.approx(share, abs=5e-5)
    assert float(losses.object_weight(torch.tensor(found))) == pytest.approx(weight, abs=5e-5)


def test_share_in_mask():
    q = torch.zeros(4, 4)
    q[0, 0], q[3, 3] = 3, 1
    assert float(losses.share_in_mask(q, share_of(8, 4))) == 0.75


def test_l2_to_source_is_summed_for_each_picture():
    source = torch.randn(2, 4, 3, 3)
    values = source.clone()
    values[1, 0, 0, 0] += 2
    values[1, 3, 2, 1] -= 3
    torch.testing.assert_close(latents.l2_to_source(values, source), torch.tensor([0.0, 13.0]))
