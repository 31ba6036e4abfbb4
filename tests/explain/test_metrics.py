"""Measures of maps against masks, of faithfulness, and of semantic shift, against slow loops and known numbers."""

import numpy as np
import pytest

from explain import heatmap, metrics
from explain.evaluation import faithfulness, shift
from explain.evaluation.iou_table import IouTable
from tests.oracles import explain as oracles

SQUARE = np.zeros((8, 8), dtype=bool)
SQUARE[2:5, 3:6] = True
HAND_MAP = np.array([[4.0, 2.0], [0.0, 1.0]])  # normalised: 1, 0.5, 0, 0.25
HAND_MASK = np.array([[True, False], [False, False]])


def drawn(seed, size=(11, 14), grid=(3, 4)):
    """A random map, mask and valid pixels, and the map at the mask's size."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=grid).astype(np.float32)
    mask, valid = rng.random(size) < 0.4, rng.random(size) < 0.8
    return values, mask, valid, heatmap.resize(values, size[::-1])


# --- Score contrast ---


@pytest.mark.parametrize("seed", range(5))
def test_msc_leaves_void_out(seed):
    values, mask, valid, whole = drawn(seed)
    on, off = oracles.sides(whole, mask, valid)
    found = metrics.msc(values, mask, valid)
    assert found == pytest.approx(np.mean(on) - np.mean(off), abs=1e-6)
    assert metrics.msc(-values, mask, valid) == pytest.approx(-found, abs=1e-6)
    assert metrics.msc(values, ~mask, valid) == pytest.approx(-found, abs=1e-6)
    assert metrics.msc(values, mask, np.ones_like(mask)) == metrics.msc(values, mask)


def test_msc_of_a_hand_made_map_with_void():
    valid = np.array([[True, True], [False, True]])  # 4, 2, 1 are left: 1, 1/3, 0
    assert metrics.msc(HAND_MAP, HAND_MASK) == pytest.approx(1 - 0.25)
    assert metrics.msc(HAND_MAP, HAND_MASK, valid) == pytest.approx(1 - 1 / 6)
    for void in (HAND_MASK, ~HAND_MASK):
        with pytest.raises(ValueError, match="on and off the thing"):
            metrics.msc(HAND_MAP, HAND_MASK, ~void)


@pytest.mark.parametrize("measure", [metrics.msc, metrics.ious, metrics.pointing_hit])
def test_void_pixels_have_no_say(measure):
    """Neither in the map, at any height, nor in the mask."""
    rng = np.random.default_rng(4)
    values, valid = rng.random((8, 8)), rng.random((8, 8)) < 0.7
    expected = measure(values, SQUARE, valid=valid)
    for height in (-50, 0.5, 50):
        changed = np.where(valid, values, height)
        assert np.array_equal(measure(changed, np.where(valid, SQUARE, True), valid=valid), expected)


@pytest.mark.parametrize("seed", range(6))
def test_all_measures_at_once_are_each_alone(seed):
    values, mask, valid, _ = drawn(seed)
    if seed == 5:
        values = np.round(values)  # several highest points
    for voids in (None, valid):
        found = metrics.measure(values, mask, voids)
        hits, unions = metrics.overlaps(values, mask, valid=voids)
        assert found.intersections.tolist() == hits.tolist()
        assert found.unions.tolist() == unions.tolist()
        assert found.contrast == metrics.msc(values, mask, voids)
        assert found.hit == metrics.pointing_hit(values, mask, voids)
    assert metrics.measure(values, ~valid, valid) is None
    assert metrics.measure(values, np.ones_like(mask)).contrast is None
    assert not metrics.measure(np.ones((2, 2)), SQUARE).hit, "a constant map points at nothing"
    raised = np.zeros((8, 8), np.float32)
    raised[3, 4] = 1
    assert metrics.measure(raised, SQUARE).hit
    raised[0, 0] = 1
    assert not metrics.measure(raised, SQUARE).hit, "one of two highest points is off the thing"


# --- IoU ---


@pytest.mark.parametrize("seed", range(5))
def test_ious_are_counted_pixel_by_pixel(seed):
    values, mask, valid, whole = drawn(seed)
    thresholds = (0.0, 0.31, 0.5, 0.05, 1.0)  # in any order
    for voids in (None, valid):
        kept = np.ones_like(mask) if voids is None else voids
        expected = [oracles.overlap(whole, mask, threshold, kept) for threshold in thresholds]
        hits, unions = metrics.overlaps(values, mask, thresholds, voids)
        assert list(zip(hits.tolist(), unions.tolist(), strict=True)) == expected
        found = metrics.ious(values, mask, thresholds, voids)
        assert found.tolist() == [hit / union for hit, union in expected]
        assert metrics.iou(values, mask, 0.31, voids) == found[1]


def test_the_thresholds_are_the_papers_grid():
    assert (
        *(0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45),
        *(0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95),
    ) == metrics.THRESHOLDS
    assert len(metrics.ious(HAND_MAP, HAND_MASK)) == 20


def test_iou_of_known_maps():
    perfect = SQUARE.astype(float)
    assert (metrics.ious(perfect, SQUARE) == 1).all()
    assert (metrics.ious(-perfect, SQUARE) == 0).all()
    assert (metrics.ious(perfect, np.ones((8, 8))) == 9 / 64).all()
    assert (metrics.ious(np.full((8, 8), 3.0), SQUARE) == 0).all(), "a constant map predicts nothing"
    assert metrics.iou(HAND_MAP, HAND_MASK, 0.95) == 1
    assert metrics.iou(HAND_MAP, HAND_MASK, 0.45) == 1 / 2
    assert metrics.iou(HAND_MAP, HAND_MASK, 0.0) == 1 / 3
    assert metrics.iou(HAND_MAP, HAND_MASK, 1.0) == 0, "nothing is above 1"


def test_a_value_at_the_threshold_is_not_predicted():
    assert metrics.iou(HAND_MAP, HAND_MASK) == 1, "the pixel at 0.5 is out"
    assert metrics.iou(HAND_MAP, HAND_MASK, 0.4999) == 1 / 2
    for threshold in metrics.THRESHOLDS:  # also those that are no binary fractions
        row, mask = np.array([[0.0, threshold, 1.0]]), np.array([[False, True, True]])
        assert metrics.iou(row, mask, threshold) == 1 / 2


def test_iou_refuses():
    with pytest.raises(ValueError, match="no valid pixel on the thing"):
        metrics.iou(HAND_MAP, np.zeros((4, 4)))
    with pytest.raises(ValueError, match="no valid pixel on the thing"):
        metrics.ious(HAND_MAP, HAND_MASK, valid=~HAND_MASK)
    for bad in ((), (0.5, 1.1), (-0.1,), (float("nan"),)):
        with pytest.raises(ValueError, match="allowed: 1 or more, each from 0 to 1"):
            metrics.ious(HAND_MAP, HAND_MASK, bad)
    with pytest.raises(ValueError, match=r"they are \(2, 2\) and \(2, 3\)"):
        metrics.ious(HAND_MAP, HAND_MASK, valid=np.ones((2, 3)))
    with pytest.raises(ValueError, match="finite numbers"):
        metrics.ious(HAND_MAP * np.nan, HAND_MASK)


def test_a_table_is_mean_over_pictures_then_over_classes():
    perfect, table = SQUARE.astype(float), IouTable()
    for _ in range(3):
        assert (table.add("cat", perfect, SQUARE) == 1).all()
    table.add("dog", -perfect, SQUARE)
    assert table.miou() == 1 / 2, "not 3/4, the mean over all pictures"
    # Of a class's pictures a small thing found and a large one missed: 1/2 by pictures, 1/10 by pixels.
    small, large = np.eye(2, dtype=bool)[:1], np.array([[True, False] * 9])
    table = IouTable()
    table.add("cat", small.astype(float), small)
    table.add("cat", np.zeros((1, 18)), large)
    assert table.miou() == 1 / 2
    assert table.pooled() == 1 / 10


def test_a_table_is_the_oracles():
    rows, table = [], IouTable()
    for seed in range(9):
        values, mask, valid, whole = drawn(seed)
        rows.append(("abbbccccc"[seed], whole, mask, valid))
        table.add(rows[-1][0], values, mask, valid)
    for threshold in (0.0, 0.3, 0.5, 0.95):
        assert table.miou(threshold) == pytest.approx(oracles.miou(rows, threshold))
        assert table.pooled(threshold) == pytest.approx(oracles.miou(rows, threshold, pooled=True))
    scores = [oracles.miou(rows, threshold) for threshold in metrics.THRESHOLDS]
    assert table.oracle() == pytest.approx(max(scores))
    assert table.best_threshold() == metrics.THRESHOLDS[int(np.argmax(scores))]
    assert table.oracle() >= table.miou()


def test_a_threshold_chosen_on_other_pictures():
    chosen, measured = IouTable(), IouTable()
    chosen.add("cat", np.array([[1.0, 0.4, 0.3, 0.0]]), np.array([[True, True, False, False]]))
    measured.add("cat", np.array([[1.0, 0.4, 0.2, 0.0]]), np.array([[True, True, True, False]]))
    assert chosen.best_threshold() == 0.3, "of 0.3 and 0.35 the lower; at 0.3 itself the value 0.3 is out"
    assert measured.miou(chosen.best_threshold()) == pytest.approx(2 / 3)
    assert measured.oracle() == 1
    assert measured.best_threshold() == 0


def test_things_without_pixels_are_skipped_and_counted():
    table = IouTable()
    assert table.add("cat", HAND_MAP, HAND_MASK) is not None
    assert table.add("cat", HAND_MAP, np.zeros((2, 2))) is None
    assert table.add("dog", HAND_MAP, HAND_MASK, ~HAND_MASK) is None
    assert table.skipped == 2
    assert table.absent == ("dog",)
    assert table.miou() == table.pooled() == 1
    with pytest.raises(ValueError, match=r"no IoU at threshold 0\.52; allowed: 0\.0, 0\.05"):
        table.miou(0.52)
    with pytest.raises(ValueError, match="there is no score"):
        IouTable().miou()
    with pytest.raises(ValueError, match="there is no score"):
        IouTable().pooled()


def test_mean_of_classes():
    assert metrics.mean_of_classes([("a", 1), ("b", 0), ("a", 0), ("a", 0.5)]) == 0.25


# --- Pointing game ---


@pytest.mark.parametrize("tolerance", [0, 1, 1.5, 4])
def test_pointing_is_the_loop(tolerance):
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        values = rng.integers(0, 60, size=(9, 12)).astype(np.float32)  # with ties, mostly
        mask, valid = rng.random((9, 12)) < 0.5, rng.random((9, 12)) < 0.8
        mask[4, 4] = valid[4, 4] = True
        found.append(metrics.pointing_hit(values, mask, valid, tolerance))
        assert found[-1] == oracles.pointing_hit(values, mask, valid, tolerance)
    assert any(found)
    assert tolerance > 1 or not all(found)


def test_pointing_at_known_things():
    point = np.zeros((8, 8))
    point[2, 3] = 1
    assert metrics.pointing_hit(point, SQUARE)
    assert not metrics.pointing_hit(-point, SQUARE)
    assert not metrics.pointing_hit(np.rot90(point, 2), SQUARE), "the highest is at (5, 4), one below"
    assert metrics.pointing_hit(np.rot90(point, 2), SQUARE, tolerance=1)
    corner = np.zeros((8, 8))
    corner[0, 1] = 1  # 2 up and 2 left of the thing
    assert not metrics.pointing_hit(corner, SQUARE, tolerance=2.8)
    assert metrics.pointing_hit(corner, SQUARE, tolerance=2.83)
    assert metrics.pointing_hit(SQUARE.astype(float), SQUARE), "ties that all hit"
    assert not metrics.pointing_hit(np.maximum(SQUARE, corner), SQUARE), "one of the ties misses"
    assert not metrics.pointing_hit(np.zeros((2, 2)), SQUARE), "a constant map points at nothing"
    assert metrics.pointing_hit(np.array([[1, 0], [0, 0]]), np.pad(SQUARE, ((0, 8), (0, 8)))) is False
    assert metrics.pointing_hit(np.maximum(SQUARE, 2 * corner), SQUARE, valid=corner == 0)


def test_pointing_refuses():
    for bad in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="allowed: 0 or more pixels"):
            metrics.pointing_hit(HAND_MAP, HAND_MASK, tolerance=bad)
    with pytest.raises(ValueError, match="nothing to hit"):
        metrics.pointing_hit(HAND_MAP, HAND_MASK, ~HAND_MASK)


# --- The best map of a grid ---


@pytest.mark.parametrize("grid", [(3, 4), (1, 1), (11, 14), (13, 2), (20, 20)])
def test_grid_ceiling_is_exact_area(grid):
    _, mask, valid, _ = drawn(6)
    for voids in (np.ones_like(mask), valid):
        np.testing.assert_allclose(
            metrics.grid_ceiling(mask, grid, voids), oracles.pooled_area(mask, grid, voids), atol=1e-12
        )


def test_grid_ceiling_of_known_masks():
    assert np.array_equal(metrics.grid_ceiling(SQUARE, (8, 8)), SQUARE)
    assert metrics.grid_ceiling(SQUARE, (2, 2)).tolist() == [[2 / 16, 4 / 16], [1 / 16, 2 / 16]]
    assert metrics.msc(metrics.grid_ceiling(SQUARE, (8, 8)), SQUARE) == 1
    assert metrics.grid_ceiling(SQUARE, (2, 1), valid=np.arange(8)[:, None].repeat(8, 1) > 3)[0] == 0
    with pytest.raises(ValueError, match=r"the grid is \(0, 3\)"):
        metrics.grid_ceiling(SQUARE, (0, 3))


# --- Deletion and insertion ---


def scene():
    """A grey picture (10, 15, 3) with one white patch of a 2 x 3 grid, and a score that sees only white."""
    image = np.full((10, 15, 3), 100, dtype=np.uint8)
    image[5:, 5:10] = 255
    return image, lambda images: (images == 255).mean(axis=(1, 2, 3)) * 6


def test_the_schedule_is_highest_first():
    found = faithfulness.schedule(np.array([[1.0, 5.0], [3.0, 5.0]]), 4).astype(int).tolist()
    assert found == [
        [[0, 0], [0, 0]],
        [[0, 1], [0, 0]],  # equal ones in reading order
        [[0, 1], [0, 1]],
        [[0, 1], [1, 1]],
        [[1, 1], [1, 1]],
    ]
    uneven = faithfulness.schedule(np.random.default_rng(0).random((7, 7)), 10)
    assert uneven.sum(axis=(1, 2)).tolist() == [0, 4, 9, 14, 19, 24, 29, 34, 39, 44, 49]
    assert (uneven[1:] >= uneven[:-1]).all()
    for bad in (0, 50, -1):
        with pytest.raises(ValueError, match=f"steps is {bad}; allowed: 1 to 49"):
            faithfulness.schedule(np.zeros((7, 7)), bad)
    with pytest.raises(ValueError, match="finite numbers"):
        faithfulness.schedule(np.array([[np.nan]]), 1)


def test_curves_of_a_right_and_a_wrong_map():
    image, score = scene()
    right = np.array([[0, 0, 0], [0, 1, 0]])
    curves = faithfulness.deletion_insertion(image, np.zeros_like(image), right, score, steps=6)
    assert curves.shares.tolist() == pytest.approx([k / 6 for k in range(7)])
    assert curves.deletion.tolist() == pytest.approx([1, 0, 0, 0, 0, 0, 0])
    assert curves.insertion.tolist() == pytest.approx([0, 1, 1, 1, 1, 1, 1])
    assert (curves.deletion_area, curves.insertion_area) == pytest.approx((1 / 12, 11 / 12))
    wrong = faithfulness.deletion_insertion(image, np.zeros_like(image), -right, score, steps=6)
    assert (wrong.deletion_area, wrong.insertion_area) == pytest.approx((11 / 12, 1 / 12))


@pytest.mark.parametrize(("steps", "batch"), [(1, 1), (4, 3), (12, 32)])
def test_curves_are_the_loop(steps, batch):
    rng = np.random.default_rng(steps)
    image, baseline = rng.integers(0, 256, (2, 9, 13, 3), dtype=np.uint8)  # patches do not divide it
    weights, values = rng.normal(size=image.shape), rng.integers(0, 5, (3, 4))
    sizes = []

    def score(images):
        sizes.append(len(images))
        return (images * weights).sum(axis=(1, 2, 3))

    found = faithfulness.deletion_insertion(image, baseline, values, score, steps, batch)
    assert max(sizes) <= batch
    assert sum(sizes) == 2 * steps, "the picture and the baseline are on both curves, and scored once"
    deletion, insertion = oracles.deletion_insertion(image, baseline, values, score, steps)
    np.testing.assert_allclose(found.deletion, deletion)
    np.testing.assert_allclose(found.insertion, insertion)
    assert found.deletion[0] == pytest.approx(found.insertion[-1])
    assert found.deletion[-1] == pytest.approx(found.insertion[0])


def test_baselines():
    image, _ = scene()
    mean = faithfulness.mean_colour(image)
    assert mean.shape == image.shape
    assert (mean == round(100 + 155 / 6)).all()
    blurred = faithfulness.blurred(image)
    assert blurred.shape == image.shape
    assert 100 < blurred[7, 7, 0] < 255
    assert np.abs(np.diff(blurred[7, :, 0].astype(int))).max() < 100, "no edge is left"
    assert abs(float(blurred.mean()) - float(image.mean())) < 10


def test_deletion_insertion_refuses():
    image, score = scene()
    values = np.eye(2)
    with pytest.raises(ValueError, match=r"allowed: both the same \(H, W, 3\) uint8"):
        faithfulness.deletion_insertion(image / 255, image / 255, values, score, 2)
    with pytest.raises(ValueError, match="its baseline"):
        faithfulness.deletion_insertion(image, image[1:], values, score, 2)
    with pytest.raises(ValueError, match="batch is 0"):
        faithfulness.deletion_insertion(image, image, values, score, 2, batch=0)
    for bad in (lambda images: 1.0, lambda images: np.full(len(images), np.nan)):
        with pytest.raises(ValueError, match="one finite number each"):
            faithfulness.deletion_insertion(image, image, values, bad, 2)


def test_curve_area():
    assert faithfulness.curve_area([1, 0]) == 0.5
    assert faithfulness.curve_area([1, 1, 0]) == 0.75
    assert faithfulness.curve_area([-0.2] * 7) == pytest.approx(-0.2)
    assert faithfulness.curve_area([1, 0, 0], [0, 0.2, 1]) == pytest.approx(0.1)
    for bad in ([], [1], [[1, 2]], [1, np.nan]):
        with pytest.raises(ValueError, match="2 or more finite scores"):
            faithfulness.curve_area(bad)
    for bad in ([0, 1], [0, 0.5, 0.9], [0, 1.1, 1], [0.1, 0.5, 1]):
        with pytest.raises(ValueError, match="growing from 0 to 1"):
            faithfulness.curve_area([1, 2, 3], bad)


# --- Words ---


def test_content_share():
    tokens = (("a", 0.1), ("red", 0.3), ("Cat", 0.4), ("a", 0.2))
    assert faithfulness.content_share(tokens, {"red", "cat"}) == pytest.approx(0.7)
    assert faithfulness.content_share([(word, 5 * share) for word, share in tokens], ["A"]) == pytest.approx(
        0.3
    )
    with pytest.raises(ValueError, match=r"none of \['dog'\] is among"):
        faithfulness.content_share(tokens, {"dog"})
    for bad in ((("cat", 0.0),), (("cat", 2.0), ("a", -1.0)), (("cat", float("nan")),)):
        with pytest.raises(ValueError, match="allowed: finite shares"):
            faithfulness.content_share(bad, {"cat"})


@pytest.mark.parametrize("seed", range(6))
def test_rank_agreement_is_spearmans(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=9), rng.integers(0, 4, 9)  # without ties, with ties
    found = faithfulness.rank_agreement(a, b)
    assert found == pytest.approx(oracles.spearman(a, b))
    assert faithfulness.rank_agreement(np.exp(a), b) == pytest.approx(found), "any growing scale"
    assert faithfulness.rank_agreement(-a, b) == pytest.approx(-found)


def test_rank_agreement_of_known_lists():
    assert faithfulness.rank_agreement([1, 2, 3, 4], [10, 20, 40, 30]) == pytest.approx(0.8)
    assert faithfulness.rank_agreement([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)
    assert faithfulness.rank_agreement([1, 2], [5, 3]) == -1
    assert faithfulness.rank_agreement([1, 1, 1], [1, 2, 3]) == 0
    for a, b in (([], []), ([1], [1]), ([1, 2], [1, 2, 3]), ([[1, 2]], [[1, 2]])):
        with pytest.raises(ValueError, match="the same length, 2 or more"):
            faithfulness.rank_agreement(a, b)
    with pytest.raises(ValueError, match="finite"):
        faithfulness.rank_agreement([1, np.inf], [1, 2])


# --- Semantic shift ---


def test_attention_provenance():
    attention, mask = np.array([[0.1, 0.4], [0.2, 0.1]]), np.array([[True, False], [False, True]])
    found = shift.attention_provenance(attention, mask)  # 0.2 of 0.8: a class token holds the rest
    assert (found.pooled, found.area) == pytest.approx((0.25, 0.5))
    assert found.excess == pytest.approx(-0.25)
    uniform = shift.attention_provenance(np.ones((2, 2)), np.array([[0.3, 0], [1, 0.5]]))
    assert uniform.excess == pytest.approx(0)
    assert uniform.area == pytest.approx(0.45)
    void = shift.attention_provenance(attention, mask, np.array([[True, True], [True, False]]))
    assert (void.pooled, void.area) == pytest.approx((0.1 / 0.7, 1 / 3))
    half = shift.attention_provenance(attention, np.array([[0.5, 0], [0, 0]]), np.array([[1, 1], [0.5, 0]]))
    assert half.pooled == pytest.approx(0.05 / 0.6)


def test_uniform_attention_has_the_area_share_on_any_grid():
    _, mask, valid, _ = drawn(3)
    shares, kept = metrics.grid_ceiling(mask, (3, 4), valid), metrics.grid_ceiling(valid, (3, 4))
    found = shift.attention_provenance(np.ones((3, 4)), shares, kept)
    assert found.area == pytest.approx((mask & valid).sum() / valid.sum())
    assert found.excess == pytest.approx(0)


def test_channel_provenance():
    mask = np.array([[True, False, False], [False, False, True]])
    found = shift.channel_provenance(np.array([0, 0, 1, 5]), mask)
    assert (found.pooled, found.area) == pytest.approx((3 / 4, 1 / 3))
    tokens = np.random.default_rng(0).normal(size=(2, 3, 50))
    winners = tokens.reshape(-1, 50).argmax(0)
    expected = np.mean([mask[np.unravel_index(winner, (2, 3))] for winner in winners])
    assert shift.channel_provenance(winners, mask).pooled == pytest.approx(expected)
    assert shift.channel_provenance(np.array([0, 1]), mask, ~mask).pooled == 0
    with pytest.raises(ValueError, match="patches of a"):
        shift.channel_provenance(np.array([6]), mask)
    with pytest.raises(ValueError, match="patches of a"):
        shift.channel_provenance(np.array([-1]), mask)
    for bad in (np.array([0.5]), np.zeros((2, 2), dtype=int), np.array([], dtype=int)):
        with pytest.raises(ValueError, match=r"allowed: \(C,\) integers"):
            shift.channel_provenance(bad, mask)


def test_shift_of_planted_tokens():
    thing, ground = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    mask = np.array([[True, False], [False, False]])
    tokens = np.where(mask[..., None], thing, ground)
    assert shift.shift(ground, tokens, mask) == pytest.approx(1)
    assert shift.shift(5 * thing, tokens, mask) == pytest.approx(-1)
    assert shift.shift(thing + ground, tokens, mask) == pytest.approx(0)
    tokens[0, 1] = thing
    assert shift.shift(ground, tokens, mask) == pytest.approx(2 / 5**0.5)
    assert shift.shift(ground, tokens, mask, np.array([[1, 0], [1, 1]])) == pytest.approx(1), "void is out"


@pytest.mark.parametrize("seed", range(3))
def test_shift_is_the_loop(seed):
    rng = np.random.default_rng(seed)
    vector, tokens, mask = rng.normal(size=6), rng.normal(size=(3, 4, 6)), rng.random((3, 4)) < 0.5
    found = shift.shift(vector, tokens, mask)
    assert found == pytest.approx(oracles.shift(vector, tokens, mask))
    assert shift.shift(vector, tokens, ~mask) == pytest.approx(-found)
    assert shift.shift(-vector, tokens, mask) == pytest.approx(-found)


def test_shift_refuses():
    vector, tokens, mask = np.ones(3), np.ones((2, 2, 3)), HAND_MASK
    for bad in (np.zeros((2, 2)), np.ones((2, 2))):
        with pytest.raises(ValueError, match="on and off the thing"):
            shift.shift(vector, tokens, bad)
    for bad in (np.full((2, 2), 2.0), np.full((2, 2), np.nan)):
        with pytest.raises(ValueError, match="shares from 0 to 1"):
            shift.shift(vector, tokens, bad)
    with pytest.raises(ValueError, match="no direction"):
        shift.shift(0 * vector, tokens, mask)
    with pytest.raises(ValueError, match="the vector is"):
        shift.shift(vector, tokens[..., :2], mask)
    with pytest.raises(ValueError, match="finite numbers from 0"):
        shift.attention_provenance(-HAND_MAP, mask)
    with pytest.raises(ValueError, match="0 or on void"):
        shift.attention_provenance(HAND_MAP, mask, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="its valid patches"):
        shift.attention_provenance(HAND_MAP, mask, np.ones((1, 2)))


def test_share_inside_is_of_the_brightness():
    mask = np.zeros((4, 4), bool)
    mask[:, :1] = True
    ramp = np.tile(np.array([3.0, 1.0, 1.0, 1.0]), (4, 1))  # normalised: 1, 0, 0, 0
    assert metrics.share_inside(ramp, mask) == 1
    assert metrics.share_inside(-ramp, mask) == 0
    assert metrics.share_inside(ramp + 5, mask) == 1
    assert metrics.share_inside(np.full((4, 4), 2.0), mask) == 0.25
    assert metrics.share_inside(ramp, mask, valid=~mask) == 0
    with pytest.raises(ValueError, match="no pixel of it is valid"):
        metrics.share_inside(ramp, mask, valid=np.zeros_like(mask))
