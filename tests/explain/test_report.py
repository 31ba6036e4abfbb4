"""What is measured beside the maps' places, each number against the model asked in the plainest way; and figures."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from explain import towers
from explain.encodings import ImageEncoding
from explain.evaluation import curves, figures, sanity, shift_profile, words
from explain.evaluation.faithfulness import blurred
from explain.evaluation.figures import save_figures
from explain.evaluation.maps import CEILING, Texts, choose, interval, look, spread
from explain.evaluation.measurement import Plan
from explain.evaluation.report import run
from explain.evaluation.resumable import borders
from explain.evaluation.sanity import RandomModel
from explain.evaluation.subjects import Subject, Thing
from explain.evaluation.text import as_text
from explain.methods import METHODS
from explain.methods.leave_one_out import word_losses
from explain.metrics import msc
from tests.conftest import stem_of
from tests.explain.test_evaluation import subjects


def seen_by(clip, names=("itsm", "gradcam"), void=False, count=1, layers=True):
    """Pictures that were looked at, with a caption."""
    pictures = [
        replace(subject, caption="a red square and a blue block", content=("red", "square", "blue", "block"))
        for subject in subjects(count, void)
    ]
    return list(look(clip, enumerate(pictures), choose(clip, names), Texts(clip), layers=layers))


def forwards(clip, ask):
    """How many pictures the image tower, and texts the text tower, were given meanwhile."""
    stem = stem_of(clip)
    tower = getattr(clip.model, "text", clip.model)
    images, texts = [], []
    handles = [
        stem.register_forward_hook(lambda module, args, output: images.append(len(args[0]))),
        tower.token_embedding.register_forward_hook(lambda module, args, output: texts.append(len(args[0]))),
    ]
    try:
        found = ask()
    finally:
        for handle in handles:
            handle.remove()
    return found, sum(images), sum(texts)


# --- intervals ---


def test_an_interval_is_a_bootstrap():
    values = [1.0, 2.0, 4.0]
    rng = np.random.default_rng(3)
    means = []
    for picks in rng.integers(0, 3, (500, 3)):
        means.append(sum(values[pick] for pick in picks) / 3)
    mean, low, high = interval(values, seed=3, draws=500)
    assert mean == pytest.approx(7 / 3)
    assert (low, high) == pytest.approx((np.percentile(means, 2.5), np.percentile(means, 97.5)))
    assert interval([5.0]) == (5, 5, 5)
    assert spread("x", [None, 0.5, None], 100) == {"x": 50, "x_low": 50, "x_high": 50}
    assert spread("x", [None]) == {"x": None, "x_low": None, "x_high": None}
    for wrong in ([], [np.nan], [[1.0]]):
        with pytest.raises(ValueError, match="1 finite number or more"):
            interval(wrong)


# --- deletion and insertion ---


def test_curves_are_the_models_cosines(clip):
    """Patch by patch by hand, through `Clip.prepare`; what two curves share is scored once."""
    (seen,) = seen_by(clip, ["itsm", "itsm_reversed"])
    found, images, texts = forwards(clip, lambda: curves.curves(seen, 4))
    assert list(found) == ["itsm", "itsm_reversed", curves.RANDOM]
    assert texts == 0
    if seen.maps["itsm"][0].size == 16:  # 4 patches a step: the reversed map comes by the same pictures
        assert images == 1 + 2 * 3 + 2 * 3
    image = np.asarray(seen.subject.image)
    baseline, heatmap = blurred(image), seen.maps["itsm"][0]
    rows, columns = heatmap.shape
    order = np.argsort(-heatmap.ravel(), kind="stable")
    shares, deletion, insertion = found["itsm"]
    for step in range(5):
        count = step * heatmap.size // 4
        gone, back = image.copy(), baseline.copy()
        for patch in order[:count]:
            top, left = (patch // columns) * 32 // rows, (patch % columns) * 32 // columns
            place = np.s_[top : top + 32 // rows, left : left + 32 // columns]
            gone[place], back[place] = baseline[place], image[place]
        assert shares[step] == count / heatmap.size
        for picture, value in ((gone, deletion[step]), (back, insertion[step])):
            feature = clip.encode_images(clip.prepare([Image.fromarray(picture)]))[0].detach()
            assert value == pytest.approx(float(feature @ seen.texts[0]), abs=2e-5)
    assert found["itsm_reversed"][1] == pytest.approx(insertion[::-1])


def test_the_random_map_is_the_pictures_own(clips):
    first, second = seen_by(clips["vit"], ["itsm"], count=2)
    one, again, other = (curves.curves(seen)[curves.RANDOM] for seen in (first, first, second))
    assert one == again
    assert one != other
    same = replace(first, number=1)
    assert curves.curves(same)[curves.RANDOM] != one


def test_the_grid_may_have_fewer_patches_than_steps(clips):
    (seen,) = seen_by(clips["resnet"], ["itsm"])  # 2 x 2
    found = curves.summary([curves.curves(seen)])
    assert found["steps"] == 4
    assert found["shares"] == [0, 0.25, 0.5, 0.75, 1]
    assert found["baseline"] == "blurred"
    assert found["things"] == "the first of each picture"


def test_areas_are_means_over_pictures():
    entries = [
        {"m": [[0, 0.5, 1], [1, 0, 0], [0, 1, 1]], curves.RANDOM: [[0, 0.5, 1], [1, 0.5, 0], [0, 0.5, 1]]},
        {"m": [[0, 0.5, 1], [1, 1, 0], [0, 0, 1]], curves.RANDOM: [[0, 0.5, 1], [1, 0.5, 0], [0, 0.5, 1]]},
    ]
    found = curves.summary(entries)
    row, yardstick = found["rows"]
    assert (row["deletion"], row["insertion"]) == (0.5, 0.5)  # (0.25 + 0.75) / 2, twice
    assert (row["deletion_low"], row["deletion_high"]) == (0.25, 0.75)
    assert (yardstick["deletion_low"], yardstick["deletion_high"]) == (0.5, 0.5)
    assert found["curves"]["m"]["deletion"] == [1, 0.5, 0]


def test_large_pictures_are_made_smaller_first(clips):
    clip = clips["vit"]
    (seen,) = seen_by(clip, ["itsm"])
    sizes = []
    spying = replace(clip, transform=lambda image: sizes.append(image.size) or clip.transform(image))
    large = replace(seen.subject, image=seen.subject.image.resize((3000, 1500)))
    encoding = ImageEncoding(spying, clip.prepare([large.image]))
    curves.curves(replace(seen, subject=large, encoding=encoding), 1)
    assert set(sizes) == {(1024, 512)}


# --- words ---


def test_words_are_measured_on_the_caption(clip):
    (seen,) = seen_by(clip, ["itsm"])
    found = words.word_entry(seen)
    spoken = [word.text for word in clip.words([seen.subject.caption])[0]]
    assert spoken == ["a", "red", "square", "and", "a", "blue", "block"][: len(spoken)]
    assert len(spoken) >= 6, "SigLIP's context here holds no more"
    losses = word_losses(clip, seen.encoding.features[0], seen.subject.caption)
    kept = [max(loss, 0) for loss in losses]
    if sum(kept):
        wanted = sum(loss for word, loss in zip(spoken, kept, strict=True) if word not in ("a", "and"))
        assert found["leave_one_out"] == [pytest.approx(wanted / sum(kept)), None]
    assert found[words.EQUAL] == [pytest.approx((len(spoken) - 3) / len(spoken)), None]
    tokens = seen.encoding.read([seen.subject.caption])[0].relevance
    scores = [sum(tokens[word.start : word.stop]) for word in clip.words([seen.subject.caption])[0]]
    order = [sum(other < score for other in scores) for score in scores]
    truth = [sum(other < loss for other in losses) for loss in losses]
    assert len(set(scores)) == len(set(losses)) == len(spoken)
    assert found["relevance"][1] == pytest.approx(np.corrcoef(order, truth)[0, 1])
    assert -1 <= found["gradient_input"][1] <= 1


def test_pictures_without_a_caption_are_left_out(clips):
    (seen,) = seen_by(clips["vit"], ["itsm"])
    for caption, content in (("", ()), ("a red square", ("unicorn",)), ("a red square", ())):
        bare = replace(seen, subject=replace(seen.subject, caption=caption, content=content))
        assert words.word_entry(bare) is None
    assert words.summary([None, None]) is None
    entry = {"relevance": [0.5, None], "leave_one_out": [None, None], words.EQUAL: [0.25, None]}
    found = words.summary([None, entry])
    assert found["pictures"] == 1
    assert [row["content"] for row in found["rows"]] == [50, None, 25]
    assert all(row["agreement"] is None for row in found["rows"])


# --- random weights ---


def test_the_random_model_is_asked_as_the_trained_one(clip):
    names = ["itsm", "attention", "relevance_all"]
    methods = choose(clip, [name for name in names if METHODS[name].supports(clip) is None])
    random = RandomModel(clip, methods, seed=5)
    (seen,) = seen_by(clip, [method.name for method in methods], void=True)
    entry, images, _ = forwards(random.clip, lambda: random.entry(seen))
    assert images == 1
    texts = random.clip.encode_texts(random.clip.tokenize(["a square", "a block"])).detach()
    encoding = ImageEncoding(random.clip, clip.prepare([seen.subject.image]))
    for method in methods:
        maps = method.image_map(encoding, texts)[0].detach().numpy()
        for i, thing in enumerate(seen.subject.things):
            ours, theirs = (np.argsort(np.argsort(x.ravel())) for x in (seen.maps[method.name][i], maps[i]))
            assert entry["correlations"][method.name][i] == pytest.approx(
                np.corrcoef(ours, theirs)[0, 1], abs=0.05
            )
            row = entry["rows"][method.name][i]
            assert row[0] == thing.name
            assert row[3] == pytest.approx(msc(maps[i], thing.mask, seen.subject.valid), abs=2e-3)


def test_what_survives():
    """A method that draws the same whatever the weights are, and one that does not."""

    def row(hit):
        return ["cat", [10 * hit] * 20, [10] * 20, 0.5 * hit, bool(hit)]

    entries = [
        {
            "correlations": {"same": [1.0, 0.9], "other": [0.1, -0.1]},
            "rows": {"same": [row(1), row(1)], "other": [row(0), ["cat"]]},
        },
        {
            "correlations": {"same": [0.8, 0.8], "other": [0.3, 0.3]},
            "rows": {"same": [row(1), row(0)], "other": [row(0), row(0)]},
        },
    ]
    found = sanity.summary(entries, seed=7)
    same, other = found["rows"]
    assert (same["correlation"], same["survives"]) == (pytest.approx(0.875), True)
    assert (other["correlation"], other["survives"]) == (pytest.approx(0.15), False)
    assert (same["correlation_low"], same["correlation_high"]) == (0.8, 0.95)
    assert (same["msc"], same["miou_oracle"]) == (37.5, 75)
    assert (other["msc"], other["miou_oracle"]) == (0, 0)
    assert found["seed"] == 7
    edge = {"correlations": {"m": [0.5]}, "rows": {"m": [["cat"]]}}
    (row,) = sanity.summary([edge], 0)["rows"]
    assert (row["survives"], row["msc"], row["miou_oracle"]) == (False, None, None), "0.5 is not above 0.5"


# --- semantic shift ---


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("void", [False, True])
def test_shift_is_what_it_says(clip, void):
    """Every number again, patch by patch, from the model's own parts."""
    (seen,) = seen_by(clip, ["itsm"], void=void)
    found, images, _ = forwards(clip, lambda: shift_profile.shift_entry(seen))
    assert images == 0, "the picture was run before"
    subject, (rows, columns) = seen.subject, seen.encoding.tokens.grid
    valid = np.ones((32, 32)) if subject.valid is None else subject.valid
    both = subject.things[0].mask | subject.things[1].mask
    tall, wide = 32 // rows, 32 // columns
    on, off = np.zeros((rows, columns)), np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            patch = np.s_[i * tall : (i + 1) * tall, j * wide : (j + 1) * wide]
            on[i, j], off[i, j] = (both & (valid > 0))[patch].sum(), ((~both) & (valid > 0))[patch].sum()
    area = on.sum() / (on.sum() + off.sum())
    weight, bias = (x.detach().numpy() for x in towers.head(clip.model.visual))
    projected = towers.head_input(clip.model.visual, seen.encoding.tokens)[0].detach().numpy() @ weight + bias
    patches = projected[1:].reshape(rows, columns, -1)
    unit = patches / np.linalg.norm(patches, axis=-1, keepdims=True)
    mean_on, mean_off = ((unit * side[..., None]).sum((0, 1)) / side.sum() for side in (on, off))
    attention = (
        seen.encoding.layers.probs[-1][0]
        .detach()
        .mean(0)[0, -rows * columns :]
        .numpy()
        .reshape(rows, columns)
    )
    held = (on / (on + off).clip(1e-9))[..., None]
    pools = found["pools"]
    assert all(pool["area"] == pytest.approx(area, abs=1e-6) for pool in pools.values())
    whole = (attention * (on + off)).sum() if not void else None
    if not void:
        assert pools["class"]["pooled"] == pytest.approx((attention * on).sum() / whole, abs=1e-5)
        winners = patches.reshape(-1, patches.shape[-1]).argmax(0)
        assert pools["max"]["pooled"] == pytest.approx(held.ravel()[winners].mean(), abs=1e-5)
        assert pools["average"]["pooled"] == pytest.approx(area)
    kept = on / (tall * wide) > 0.5
    if kept.any():
        expected = {
            "class": projected[0],
            "average": patches.mean((0, 1)),
            "max": patches.max((0, 1)),
            "masked_average": patches[kept].mean(0),
            "masked_max": patches[kept].max(0),
        }
        for name, vector in expected.items():
            shift = cosine(vector, mean_off) - cosine(vector, mean_on)
            assert pools[name]["shift"] == pytest.approx(shift, abs=1e-4), name
    own = F.normalize(torch.from_numpy(projected[0]), dim=0)
    torch.testing.assert_close(own, seen.encoding.features[0], atol=1e-4, rtol=1e-4)
    assert len(found["text"]) == 2
    for depth, heatmap, thing in zip(found["depth"], seen.maps["itsm"], subject.things, strict=True):
        assert len(depth) == {"vit": 3, "siglip": 2, "resnet": 1, "cnn": 1}[clip.name]
        assert depth[-1] == pytest.approx(msc(heatmap, thing.mask, subject.valid), abs=2e-3)


def test_shift_needs_a_thing_and_a_background(clips):
    (seen,) = seen_by(clips["vit"], ["itsm"])
    for mask in (np.ones((32, 32), bool), np.zeros((32, 32), bool)):
        full = replace(seen.subject, things=(Thing("a", "a", mask),))
        assert shift_profile.shift_entry(replace(seen, subject=full)) is None
    small = np.zeros((32, 32), bool)
    small[3, 3] = True  # less than half of any patch
    tiny = replace(seen.subject, things=(Thing("a", "a square", small),))
    (alone,) = look(
        clips["vit"], [(0, tiny)], choose(clips["vit"], ["itsm"]), Texts(clips["vit"]), layers=True
    )
    assert shift_profile.shift_entry(alone)["pools"]["masked_max"]["pooled"] == pytest.approx(1 / 64)
    assert shift_profile.summary([None]) is None


def test_a_shift_profile_has_honest_gaps(clip):
    entries = [shift_profile.shift_entry(seen) for seen in seen_by(clip, ["itsm"], count=3)]
    found = shift_profile.summary([*entries, None])
    assert found["pictures"] == 3
    if clip.name in ("resnet", "cnn"):
        assert found["depth"] is None
    else:
        assert [row["block"] for row in found["depth"]] == list(range(1, len(entries[0]["depth"][0]) + 1))
        mean = np.mean([row[-1] for entry in entries for row in entry["depth"]])
        assert found["depth"][-1]["msc"] == pytest.approx(100 * mean, abs=1e-3)
    rows = {row["pooling"]: row for row in found["poolings"]}
    assert rows["class"]["shift"] == found["joint_space"]["pooled"]
    assert rows["max"]["excess"] == pytest.approx(found["provenance"]["maximum"]["excess"])
    assert rows["average"]["excess"] == pytest.approx(0, abs=1e-3)


# --- the whole report ---


@pytest.fixture(scope="module")
def reports(clips):
    """Of a transformer and of a ResNet, each with everything in it."""
    found = {}
    for name in ("vit", "resnet"):
        plan = Plan(
            "toyland", pictures=4, methods=("itsm", "surgery", "attention")[: 3 if name == "vit" else 1]
        )
        found[name] = run(clips[name], replace(plan, faithful=2, randomised=3, shift=3))
    return found


def test_a_report_has_all_parts_and_plain_numbers(reports):
    report = reports["vit"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert (report["faithfulness"]["pictures"], report["words"]["pictures"]) == (2, 2)
    assert (report["randomised"]["pictures"], report["shift"]["pictures"]) == (3, 3)
    assert [row["method"] for row in report["rows"]] == ["itsm", "surgery", "attention", CEILING]
    for row in report["rows"]:
        assert max(report["miou_by_threshold"][row["method"]]) == row["miou_oracle"]
        at = report["thresholds"].index(row["threshold"])
        assert report["miou_by_threshold"][row["method"]][at] == row["miou"]
    assert {row["method"]: row["insertion"] for row in report["faithfulness"]["rows"]}["itsm"] == report[
        "rows"
    ][0]["insertion"]
    assert report["rows"][-1]["survives"] is None


def test_a_picture_is_run_once_whatever_is_asked(clips):
    """One run of the image tower for each picture, but for the curves' own pictures."""
    clip = clips["vit"]
    plan = Plan("toyland", pictures=5, methods=("itsm", "surgery"), faithful=0, randomised=5, shift=3)
    _, images, _ = forwards(clip, lambda: run(clip, plan))
    assert images == 10 + 5, "the random model is a copy, hooks and all"
    assert borders(5, 0, 5, 3) == [0, 3, 5]


def test_the_text_names_every_number(reports):
    text = as_text(reports["vit"])
    for named in (
        "deletion",
        "insertion",
        "random map",
        "equal shares",
        "rank correlation",
        "mSC after block 3",
    ):
        assert named in text
    assert "mSC after block" not in as_text(reports["resnet"])
    assert max(map(len, text.splitlines())) < 180


def test_figures_are_drawn(reports, tmp_path):
    saved = save_figures(reports["vit"], tmp_path / "new")
    assert [path.name for path in saved] == ["methods.png", "thresholds.png", "faithfulness.png", "shift.png"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in saved)
    for path in saved:
        with Image.open(path) as image:
            assert image.width >= 1000
            assert len(image.convert("RGB").getcolors(1 << 24)) > 20


def test_figures_show_the_reports_numbers(reports):
    """Bars as long as their rows, curves through their points; no depth where a tower has none."""
    report = reports["vit"]
    overlap, contrast = figures.methods_figure(report).axes
    rows = sorted((row for row in report["rows"] if row["method"] != CEILING), key=lambda row: row["miou"])
    assert [bar.get_width() for bar in overlap.patches] == [row["miou"] for row in rows]
    assert [bar.get_width() for bar in contrast.patches] == [row["msc"] for row in rows]
    deletion, insertion = figures.faithfulness_figure(report).axes
    for axis, key in ((deletion, "deletion"), (insertion, "insertion")):
        drawn = sorted(list(line.get_ydata()) for line in axis.lines)
        assert drawn == sorted(curve[key] for curve in report["faithfulness"]["curves"].values())
    assert len(figures.shift_figure(report).axes) == 3
    assert len(figures.shift_figure(reports["resnet"]).axes) == 2


def test_figures_of_what_was_measured_alone(reports, tmp_path, monkeypatch):
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda drawn, path, **how: path.touch())
    report = {key: value for key, value in reports["vit"].items() if key not in ("faithfulness", "shift")}
    assert [path.name for path in save_figures(report, tmp_path)] == ["methods.png", "thresholds.png"]


def test_things_that_fill_their_picture_have_no_contrast(clips):
    from explain.evaluation.maps import evaluate, thresholds
    from explain.evaluation.report import table

    full = Subject(Image.new("RGB", (32, 32), "red"), (Thing("a", "a", np.ones((32, 32), bool)),))
    scores = evaluate(clips["vit"], [full, full], ["itsm"])
    assert [row["msc"] for row in table(scores, thresholds(scores))] == [None, None]
