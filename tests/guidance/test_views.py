"""Views: geometry shared by pictures and masks, many different ones, repeatable."""

import math
from dataclasses import replace

import pytest
import torch

from guidance.objectives import views as module
from guidance.objectives.geometry import affine, perspective, sampling_grid
from guidance.objectives.views import draw_views, identity_views
from tests.oracles import guidance as oracle

SIZE = (24, 24)
NONE = torch.tensor(0.0)


def geometry_of(views):
    """The views without what is done to colours."""
    return replace(
        views,
        colour=torch.eye(3).expand_as(views.colour),
        kept=torch.ones_like(views.kept),
        noise=torch.zeros_like(views.noise),
    )


def picture(seed=0, pictures=1, size=SIZE):
    return torch.rand(pictures, 3, *size, generator=torch.Generator().manual_seed(seed))


def disc(size=SIZE):
    """A mask with no straight edges, off the centre."""
    y, x = torch.meshgrid(*(torch.arange(side) / side for side in size), indexing="ij")
    return (((x - 0.6) ** 2 + (y - 0.4) ** 2) < 0.05).float()


def seen_through(homography, plane):
    """A plane (H, W) through a homography (3, 3), pixel by pixel."""
    height, width = plane.shape
    found = torch.zeros_like(plane)
    for i in range(height):
        for j in range(width):
            place = torch.tensor([(2 * j + 1) / width - 1, (2 * i + 1) / height - 1, 1.0]).to(homography)
            x, y, w = (homography @ place).tolist()
            found[i, j] = oracle.bilinear(plane, x / w, y / w)
    return found


# --- geometry ----------------------------------------------------------------------------------------------


def test_a_quarter_turn_is_clockwise_and_a_shift_goes_right_and_down():
    image = picture()[0, 0]
    turned = seen_through(affine(torch.tensor(math.pi / 2), NONE, NONE, 1.0), image)
    torch.testing.assert_close(turned, image.rot90(-1), atol=1e-4, rtol=0)
    shifted = seen_through(affine(NONE, torch.tensor(2 * 3 / 24), torch.tensor(2 * 5 / 24), 1.0), image)
    torch.testing.assert_close(shifted[5:, 3:], image[:-5, :-3], atol=1e-4, rtol=0)
    torch.testing.assert_close(shifted[0, 3:], image[0, :-3], atol=1e-4, rtol=0)  # the border goes on


def test_turning_a_wide_picture_does_not_shear_it():
    """Distances in pixels from the centre stay what they are."""
    width, height, angle = 60, 20, torch.tensor(0.4)
    homography = affine(angle, NONE, NONE, width / height)
    for x, y in ((0.5, 0.0), (0.0, 0.7), (-0.3, 0.4)):
        u, v, _ = (homography @ torch.tensor([x, y, 1.0])).tolist()
        assert math.hypot(u * width, v * height) == pytest.approx(math.hypot(x * width, y * height), rel=1e-5)
        turned = math.atan2(y * height, x * width) - math.atan2(v * height, u * width)
        assert turned == pytest.approx(0.4, abs=1e-5)  # y points down: clockwise


def test_perspective_brings_the_corners_inward():
    inward = torch.tensor([[0.7, 0.1], [0.0, 0.0], [0.3, 0.6], [0.2, 0.2]])
    homography = perspective(inward)
    for (x, y), (a, b) in zip(((-1, -1), (1, -1), (1, 1), (-1, 1)), inward.tolist(), strict=True):
        u, v, w = (homography @ torch.tensor([x * (1 - a), y * (1 - b), 1.0])).tolist()
        assert (u / w, v / w) == pytest.approx((x, y), abs=1e-5)
        assert w > 0
    torch.testing.assert_close(perspective(torch.zeros(2, 4, 2)), torch.eye(3).expand(2, 3, 3))


def test_no_perspective_shows_what_is_beyond_the_horizon():
    """Three corners moved as far as they go: numbers stay finite, and right of the horizon is the right border."""
    for corner in range(4):
        inward = torch.full((4, 2), 0.7)
        inward[corner] = 0
        grid = sampling_grid(perspective(inward), (64, 64))
        assert grid.isfinite().all()
    rows = torch.rand(2000, 4, 2, generator=torch.Generator().manual_seed(3)) * 0.7
    homographies = perspective(rows)
    assert sampling_grid(homographies, (8, 8)).isfinite().all()
    inside = homographies @ torch.tensor([0.0, 0.0, 1.0])
    assert (inside[:, 2] > 0).all()


def test_views_are_their_homographies_pixel_by_pixel(monkeypatch):
    kept = []
    monkeypatch.setattr(
        module, "sampling_grid", lambda found, size: kept.append(found) or sampling_grid(found, size)
    )
    images = picture(pictures=2)
    found = geometry_of(draw_views([5, 6], 0, 3, SIZE)).of_images(images)
    (homographies,) = kept
    assert found.shape == (2, 3, 3, *SIZE)
    for b, v in ((0, 0), (0, 2), (1, 1)):
        expected = seen_through(homographies[b, v], images[b, 1])
        torch.testing.assert_close(found[b, v, 1], expected, atol=2e-4, rtol=0)


# --- pictures and masks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("single", [False, True])
def test_a_picture_that_is_its_mask_stays_its_mask(single):
    """One geometry for both."""
    mask = disc()
    views = geometry_of(draw_views([1, 2], 7, 6, SIZE, single=single))
    images = views.of_images(mask.expand(2, 3, *SIZE))
    masks = views.of_masks(torch.stack([mask, 1 - mask]).expand(2, 2, *SIZE))
    assert masks.shape == (2, 2, 6, *SIZE)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    for b in range(2):
        for v in range(6):
            torch.testing.assert_close(masks[b, 0, v], (images[b, v, 0] > 0.5).float())
            torch.testing.assert_close(masks[b, 1, v], (images[b, v, 0] < 0.5).float())


def test_views_are_different_views():
    """The released code returned from its loop, so that all copies had one geometry and one noise."""
    views = draw_views([11], 0, 16, SIZE)
    masks = views.of_masks(disc()[None, None])[0, 0]
    assert len({tuple(mask.flatten().tolist()) for mask in masks}) > 12
    images = views.of_images(picture())[0].flatten(1)
    assert torch.corrcoef(images).triu(1).max() < 0.999
    noise = torch.corrcoef(views.noise[0].flatten(1)).triu(1)
    assert noise.abs().max() < 0.1


def test_the_released_code_s_single_view():
    """One geometry, one noise, in different amounts."""
    views = draw_views([11], 0, 16, SIZE, single=True)
    for part in (views.grid, views.colour, views.kept):
        torch.testing.assert_close(part[0], part[0, :1].expand_as(part[0]))
    noise = views.noise[0].flatten(1)
    assert torch.corrcoef(noise).min() > 0.9999
    amounts = noise.std(1)
    assert len(amounts.unique()) == 16
    assert float(amounts.max()) <= 0.102
    first = draw_views([11], 0, 1, SIZE)
    torch.testing.assert_close(views.grid[:, :1], first.grid)


def test_views_depend_on_seed_and_step_alone():
    state = torch.get_rng_state()
    batch = draw_views([3, 99, 3], 4, 5, SIZE)
    for b, seed in enumerate((3, 99, 3)):
        alone = draw_views([seed], 4, 5, SIZE)
        for part in ("grid", "colour", "kept", "noise"):
            assert torch.equal(getattr(batch, part)[b], getattr(alone, part)[0])
    assert torch.equal(torch.get_rng_state(), state)
    for other in (draw_views([3], 5, 5, SIZE), draw_views([4], 4, 5, SIZE), draw_views([4], 3, 5, SIZE)):
        assert not torch.equal(other.noise[0], batch.noise[0])
    assert draw_views([2**63 - 1], 2**63 - 1, 1, SIZE).noise.isfinite().all()


def test_strength_0_shows_the_picture_as_it_is():
    images, mask = picture(pictures=2, size=(24, 40)), disc((24, 40))
    for views in (draw_views([1, 2], 3, 4, (24, 40), strength=0.0), identity_views(2, (24, 40))):
        found = views.of_images(images)
        torch.testing.assert_close(found, images[:, None].expand_as(found), atol=1e-5, rtol=0)
        masks = views.of_masks(mask.expand(2, 1, 24, 40))
        torch.testing.assert_close(masks, mask.expand_as(masks))


def test_strength_scales_every_change():
    weak, full = (draw_views([8], 0, 12, SIZE, strength=strength) for strength in (0.1, 1.0))
    plain = identity_views(1, SIZE)
    for part in ("grid", "colour", "noise", "kept"):
        small, large, none = (getattr(views, part) for views in (weak, full, plain))
        assert 0 < float((small - none).abs().mean()) < 0.4 * float((large - none).abs().mean())


def test_how_often_and_how_far():
    """Over many views: each change with probability 0.7, within its bounds."""
    monochrome = torch.full((1, 3, *SIZE), 0.4)
    views = draw_views([21], 0, 3000, SIZE)
    erased = 1 - views.kept[0].mean((1, 2, 3))
    assert float((erased > 0).float().mean()) == pytest.approx(0.7, abs=0.03)
    assert float(erased[erased > 0].min()) > 0.07
    assert float(erased.max()) < 0.45
    colour = views.colour[0].float()
    assert float(((colour - torch.eye(3)).abs().amax((1, 2)) > 1e-4).float().mean()) == pytest.approx(
        0.7, abs=0.03
    )
    torch.testing.assert_close(colour.sum(-1), torch.ones(3000, 3), atol=1e-4, rtol=0)  # grey stays grey
    luma = torch.tensor(module._YIQ[0])
    torch.testing.assert_close(luma @ colour, luma.expand(3000, 3), atol=1e-4, rtol=0)
    amounts = views.noise[0].flatten(1).std(1)
    assert float(amounts.max()) < 0.105
    assert float(amounts.mean()) == pytest.approx(0.05, abs=0.005)
    grid = geometry_of(views).grid[0]
    still = (grid - identity_views(1, SIZE).grid[0]).abs().amax((1, 2, 3)) < 1e-3
    assert float(still.float().mean()) == pytest.approx(0.3 * 0.3, abs=0.03)
    constant = geometry_of(draw_views([21], 0, 50, SIZE)).of_images(monochrome)
    torch.testing.assert_close(constant, torch.full_like(constant, 0.4))  # no black beyond the border


def test_turns_shifts_and_corners_are_within_paper_a_s_bounds(monkeypatch):
    asked = {}

    def record(name, function):
        return lambda *args: asked.setdefault(name, args) and function(*args)

    monkeypatch.setattr(module, "affine", record("affine", affine))
    monkeypatch.setattr(module, "perspective", record("perspective", perspective))
    draw_views([1], 0, 2000, SIZE)
    angle, right, down, _ = asked["affine"]
    assert math.radians(14.5) < float(angle.abs().max()) <= math.radians(15)
    for shift in (right, down):
        assert 0.195 < float(shift.abs().max()) <= 0.2  # a tenth of the picture: two units are its side
        assert float((shift == 0).float().mean()) == pytest.approx(0.3, abs=0.03)
    (inward,) = asked["perspective"]
    assert float(inward.min()) >= 0
    assert 0.69 < float(inward.max()) <= 0.7
    assert float((inward.amax((-2, -1)) == 0).float().mean()) == pytest.approx(0.3, abs=0.03)


def test_a_mask_can_vanish_and_a_tiny_one_does_not_by_itself():
    mask = torch.zeros(1, 2, *SIZE)
    mask[0, 0, 0, 0] = 1
    mask[0, 1, 10, 10] = 0.2  # a box of a fifth of a pixel
    masks = draw_views([1], 0, 60, SIZE).of_masks(mask)
    vanished = masks[0].amax((-2, -1)) == 0
    assert 0 < int(vanished[0].sum()) < 60
    assert int(identity_views(1, SIZE).of_masks(mask).sum()) == 2
    nothing = draw_views([1], 0, 6, SIZE).of_masks(torch.zeros(1, 1, *SIZE))
    assert nothing.sum() == 0


def test_masks_carry_no_graph_and_pictures_do():
    images = picture(size=(6, 6)).double().requires_grad_()
    views = draw_views([3], 1, 3, (6, 6))
    assert not views.of_masks(images[:, :1]).requires_grad
    assert torch.autograd.gradcheck(views.of_images, (images,))


def test_one_resampling_for_all_views(monkeypatch):
    calls, original = [], module.F.grid_sample
    monkeypatch.setattr(module.F, "grid_sample", lambda *args, **kw: calls.append(1) or original(*args, **kw))
    draw_views([1, 2, 3], 0, 8, SIZE).of_images(picture(pictures=3))
    assert len(calls) == 1
