"""Layouts drawn from Toyland, verdicts of the judge, and Fréchet distances."""

import json
from random import Random

import numpy as np
import pytest
import torch

from toyland import judging, sample_scene, scene_boxes
from toyland.detector.finding import Found, Wanted
from toyland.detector.model import Detector, save_detector
from toyland.judging import Judge, Seen, frechet, frechet_draws, verdict
from toyland.layouts import COUNTS, exchanged, mirrored, sample_layouts
from toyland.world.scene import UNSEEN_PAIRS, USUAL_PLACES


@pytest.fixture(scope="module")
def layouts():
    return sample_layouts("test", 24)


# --- layouts ---


def test_layouts_are_those_of_real_scenes(layouts):
    assert [len(one.boxes) for one in layouts] == [*COUNTS] * 8
    for one in layouts:
        scene = sample_scene(one.scene.seed, "test", things=len(one.boxes))
        assert scene == one.scene
        assert one.boxes == scene_boxes(scene)
        assert one.prompt == scene.caption
        assert [f"{colour} {kind}" for colour, kind in zip(one.colours, one.kinds, strict=True)] == [
            thing.phrase for thing in scene.things
        ]
        assert len(set(one.phrases)) == len(one.phrases) == len(one.kinds)
        for left, top, right, low in one.boxes:
            assert 0.05 <= (right - left) * (low - top) <= 0.40
    assert len({one.scene.seed for one in layouts}) == 24


def test_places_are_usual_and_unusual_and_pairs_were_seen(layouts):
    things = [(one.scene.place, kind) for one in layouts for kind in one.kinds]
    usual = [place in USUAL_PLACES[kind] for place, kind in things]
    assert any(usual)
    assert usual.count(False) > len(usual) / 2
    pairs = {pair for one in layouts for pair in zip(one.kinds, one.colours, strict=True)}
    assert not pairs & UNSEEN_PAIRS


def test_layouts_do_not_depend_on_how_many_are_asked_for(layouts):
    assert sample_layouts("test", 5, first=4) == layouts[4:9]
    other = sample_layouts("validation", 3)
    assert not {one.prompt for one in other} & {one.prompt for one in layouts}


@pytest.mark.parametrize(
    ("split", "count", "first", "said"),
    [
        ("test", 0, 0, "0 layouts"),
        ("test", 3, -1, "from number -1"),
        ("train", 3, 0, "'train'; allowed: validation, test"),
        ("test-unseen", 3, 0, "test-unseen"),
    ],
)
def test_layouts_that_there_are_not(split, count, first, said):
    with pytest.raises(ValueError, match=said):
        sample_layouts(split, count, first)


def test_a_split_has_an_end(monkeypatch):
    from toyland.world.scene import SPLITS, Split

    monkeypatch.setitem(SPLITS, "test", Split(2_000_000_000, 10, co_occurring=False))
    with pytest.raises(ValueError, match=r"has no 40 layouts from number 0, only [5-9]"):
        sample_layouts("test", 40)


def test_another_take_is_the_same_things_elsewhere_in_the_same_place(layouts):
    one = layouts[2]
    first, again, other = (np.asarray(one.picture(64, take)) for take in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
    left, top, right, low = (round(64 * edge) for edge in one.boxes[-1])  # the frontmost thing
    middle = np.s_[
        (top + low) // 2 - 1 : (top + low) // 2 + 1, (left + right) // 2 - 1 : (left + right) // 2 + 1
    ]
    assert (first[middle] == other[middle]).mean() > 0.9 or one.kinds[-1] == "ring"


def test_mirrored_layouts(layouts):
    for one in layouts:
        other = mirrored(one)
        for before, after in zip(one.boxes, other.boxes, strict=True):
            assert after == pytest.approx((1 - before[2], before[1], 1 - before[0], before[3]))
        assert (other.prompt, other.phrases, other.kinds) == (one.prompt, one.phrases, one.kinds)
        back = mirrored(other).boxes
        assert np.allclose(back, one.boxes)


def test_exchanged_boxes_are_a_derangement(layouts):
    others = exchanged(layouts)
    assert [(one.prompt, one.phrases) for one in others] == [(one.prompt, one.phrases) for one in layouts]
    assert all(
        a.boxes != b.boxes and len(a.boxes) == len(b.boxes) for a, b in zip(others, layouts, strict=True)
    )
    assert sorted(one.boxes for one in others) == sorted(one.boxes for one in layouts)


def test_nothing_to_exchange_with(layouts):
    with pytest.raises(ValueError, match="only one of 5 layouts has 3 boxes"):
        exchanged(layouts[:5])


# --- verdicts ---

BOX = (0.1, 0.2, 0.5, 0.6)


def seen(*things):
    return [Found(kind, colour, 0.9 - i / 10, box) for i, (kind, colour, box) in enumerate(things)]


def only(found, box=BOX):
    return verdict(found, [Wanted("cat", "red", box)]).things[0]


def test_a_thing_in_its_box():
    one = only(seen(("cat", "red", BOX)))
    assert (one.hit_50, one.hit_30, one.present, one.centre, one.inside, one.side) == (
        True,
        True,
        True,
        True,
        pytest.approx(1.0),
        -1,
    )


@pytest.mark.parametrize(("kind", "colour"), [("cat", "blue"), ("car", "red")])
def test_another_kind_or_colour_is_not_there(kind, colour):
    found = seen((kind, colour, BOX))
    assert only(found) == judging.ThingVerdict(False, False, False, False, 0.0, 0)
    assert verdict(found, [Wanted("cat", "red", BOX)]).found == 1


def test_overlaps_between_the_thresholds():
    shifted = (0.3, 0.2, 0.7, 0.6)  # shares half of itself: an IoU of a third
    one = only(seen(("cat", "red", shifted)))
    assert (one.hit_50, one.hit_30) == (False, True)
    assert one.inside == pytest.approx(0.5)
    assert one.centre  # on the border
    assert one.side == 1


@pytest.mark.parametrize(
    ("box", "inside"),
    [((0.1, 0.5, 0.5, 0.9), 0.25), ((0.4, 0.2, 0.8, 0.6), 0.25), ((0.2, 0.3, 0.3, 0.4), 1.0)],
)
def test_the_middle_of_a_thing(box, inside):
    one = only(seen(("cat", "red", box)))
    assert one.inside == pytest.approx(inside)
    assert one.centre == (inside == 1.0)
    assert not one.hit_30


def test_the_surest_is_looked_at_and_any_may_hit():
    away = (0.6, 0.7, 0.9, 0.95)
    one = only(seen(("cat", "red", away), ("cat", "red", BOX)))
    assert one.hit_50
    assert (one.centre, one.inside, one.side) == (False, 0.0, 1)


def test_each_thing_is_used_once():
    things = [Wanted("cat", "red", BOX), Wanted("cat", "blue", BOX)]
    found = verdict(seen(("cat", "red", BOX), ("dog", "red", BOX)), things)
    assert found.found == 2
    assert [one.hit_50 for one in found.things] == [True, False]


def test_what_was_seen_survives_json():
    one = Seen(tuple(seen(("cat", "red", BOX))), (0.1, 1 / 3))
    assert Seen.of_record(json.loads(json.dumps(one.as_record()))) == one


# --- the judge ---


def test_the_judge_finds_the_detector_once_it_is_there(tmp_path, monkeypatch, layouts):
    monkeypatch.setattr(judging, "FOLDER", tmp_path / "toy-detector")
    with pytest.raises(ValueError, match="holds no detector"):
        Judge()
    torch.manual_seed(0)
    detector = Detector(width=8)
    save_detector(detector.state_dict(), tmp_path / "toy-detector")
    judge = Judge()
    assert not judge.detector.training
    images = torch.rand(3, 3, 96, 96)
    looked = judge.look(images)
    assert [len(one.features) for one in looked] == [64] * 3
    small = torch.nn.functional.interpolate(images, (64, 64), mode="bilinear", antialias=True)
    with torch.no_grad():
        features = judge.detector.features(2 * small - 1).mean((2, 3))
    assert torch.allclose(torch.tensor([one.features for one in looked]), features, atol=1e-5)
    assert [one.found for one in judge.judge(images, layouts[:3])] == [len(one.found) for one in looked]
    assert judge.digest == Judge(tmp_path / "toy-detector").digest != Judge(detector).digest  # fp16, fp32


def test_a_damaged_detector_is_said_to_be_one(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    (tmp_path / "config.json").write_text('{"width": 8}')
    with pytest.raises(ValueError, match="cannot be read"):
        Judge(tmp_path)


# --- Fréchet ---


def normals(seed, count=4000, scales=(3.0, 2.0, 1.0), shift=0.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 3)) * scales + shift


def test_equal_sets_are_at_no_distance():
    rows = normals(0, 50)
    assert frechet(rows, rows) == pytest.approx(0, abs=1e-6)
    assert frechet(rows, rows[::-1], dims=3) == pytest.approx(0, abs=1e-6)


def test_a_shift_is_its_square():
    rows = normals(0, 50)
    assert frechet(rows, rows + [1.0, -2.0, 0.5], dims=3) == pytest.approx(5.25, rel=1e-6)


def test_distance_of_normal_distributions():
    """N(0, diag a^2) and N(m, diag b^2): |m|^2 + sum (a - b)^2; with the smallest direction left out, without it."""
    found = frechet(normals(1), normals(2, scales=(1.0, 2.0, 4.0), shift=(0, 1.0, 0)), dims=3)
    assert found == pytest.approx(1 + 4 + 0 + 9, rel=0.06)
    fewer = frechet(normals(1), normals(2, scales=(1.0, 2.0, 4.0), shift=(0, 1.0, 0)), dims=2)
    assert fewer == pytest.approx(1 + 4 + 0, rel=0.06)


def test_against_the_formula_with_a_root_of_a_product():
    """tr (C C')^(1/2) from the eigenvalues of C C' itself, which is not symmetric."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(40, 5)), rng.normal(size=(40, 5)) @ rng.normal(size=(5, 5)) + 0.3
    eigenvalues = np.linalg.eigvals(np.cov(a.T) @ np.cov(b.T))
    traces = np.trace(np.cov(a.T)) + np.trace(np.cov(b.T)) - 2 * np.sqrt(eigenvalues).real.sum()
    assert frechet(a, b, dims=5) == pytest.approx(((a.mean(0) - b.mean(0)) ** 2).sum() + traces)


def test_draws_are_distances_of_repeated_rows_around_the_distance():
    rng, random = np.random.default_rng(4), Random(0)
    a, b = rng.normal(size=(30, 3)), rng.normal(size=(30, 3)) + 1
    chosen = [[random.randrange(30) for _ in range(30)] for _ in range(20)]
    weights = np.array([np.bincount(one, minlength=30) for one in chosen])
    found = frechet_draws(a, b, weights, dims=3)
    # All three dimensions: the basis only turns, so distances of the repeated rows are those in their own basis.
    slow = np.array([frechet(a[one], b[one], dims=3) for one in chosen])
    assert found == pytest.approx(slow - slow.mean() + frechet(a, b, dims=3))


@pytest.mark.parametrize(
    ("shape", "other", "dims"), [((1, 3), (1, 3), 1), ((5, 3), (4, 3), 1), ((5, 3), (5, 3), 4)]
)
def test_distances_that_there_are_not(shape, other, dims):
    with pytest.raises(ValueError, match="allowed"):
        frechet(np.zeros(shape), np.zeros(other), dims)
