"""Every method measured on labelled pictures: the loop, the report, and both commands."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

import explain
from explain import metrics
from explain.__main__ import main
from explain.encodings import ImageEncoding
from explain.evaluation.maps import CEILING, Scores, evaluate, paired_interval, thresholds
from explain.evaluation.report import table
from explain.evaluation.subjects import Subject, Thing
from explain.inputs.captions import captioned
from explain.methods import METHODS
from tests.conftest import save_family, stem_of

SIZE = 32


def subjects(count=5, void=False):
    """A red square and a blue one on grey noise."""
    rng = np.random.default_rng(1)
    for _ in range(count):
        pixels = rng.integers(100, 150, (SIZE, SIZE, 3), dtype=np.uint8)
        things = []
        for name, colour, corner in (("square", (220, 20, 20), 0), ("block", (20, 20, 220), SIZE // 2)):
            top, left = corner + rng.integers(0, 6, 2)
            mask = np.zeros((SIZE, SIZE), bool)
            mask[top : top + 9, left : left + 9] = True
            pixels[mask] = colour
            things.append(Thing(name, f"a {name}", mask))
        valid = np.ones((SIZE, SIZE), bool)
        valid[:, :2] = not void
        yield Subject(Image.fromarray(pixels), tuple(things), valid if void else None)


def supported(clip):
    return [m.name for m in METHODS.values() if m.supports(clip) is None]


@pytest.mark.parametrize("void", [False, True])
def test_scores_are_the_measures_of_the_maps(clip, void):
    """Batched or not, with all methods at once, every number is that of the map alone."""
    names = supported(clip)
    scores = evaluate(clip, subjects(void=void), names)
    assert list(scores) == [*names, CEILING]
    each = list(subjects(void=void))
    for name in names:
        contrasts, overlaps = [], []
        for subject in each:
            texts = clip.encode_texts(clip.tokenize([thing.prompt for thing in subject.things])).detach()
            encoding = ImageEncoding(clip, clip.prepare([subject.image]))
            maps = METHODS[name].image_map(encoding, texts)[0].detach().numpy()
            for thing, heatmap in zip(subject.things, maps, strict=True):
                contrasts.append((thing.name, metrics.msc(heatmap, thing.mask, subject.valid)))
                overlaps.append(metrics.ious(heatmap, thing.mask, valid=subject.valid))
        found = scores[name]
        np.testing.assert_allclose([v for _, v in found.contrasts], [v for _, v in contrasts], atol=2e-3)
        assert found.msc == pytest.approx(metrics.mean_of_classes(contrasts), abs=2e-3)
        assert np.mean(np.abs(np.array(found.rows) - np.array(overlaps))) < 2e-3
    assert scores[CEILING].msc > max(scores[name].msc for name in names)


def test_batches_are_as_singles(clips):
    clip = clips["vit"]
    alone = evaluate(clip, subjects(40), ["itsm", "rollout"])["itsm"]  # rollout: one picture at a time
    together = evaluate(clip, subjects(40), ["itsm"])["itsm"]
    np.testing.assert_allclose(np.array(alone.rows), np.array(together.rows), atol=0.02)
    assert together.msc == pytest.approx(alone.msc, abs=1e-4)


def test_the_image_tower_runs_once_a_picture(clip):
    """All methods that need no run of their own, and one run a phrase of the text tower."""
    stem = stem_of(clip)
    names = [name for name in supported(clip) if not METHODS[name].own_forwards]
    images, texts = [], []
    tower = getattr(clip.model, "text", clip.model)
    handles = [
        stem.register_forward_hook(lambda module, args, output: images.append(len(args[0]))),
        tower.token_embedding.register_forward_hook(lambda module, args, output: texts.append(len(args[0]))),
    ]
    _ = clip.empty_text
    texts.clear()
    try:
        evaluate(clip, subjects(4), names)
    finally:
        for handle in handles:
            handle.remove()
    assert sum(images) == 4
    assert sum(texts) == 2


def test_the_table_and_its_thresholds(clips):
    clip = clips["vit"]
    tuning, scores = (evaluate(clip, subjects(count), ["itsm", "gradcam"]) for count in (4, 6))
    chosen = thresholds(tuning)
    rows = {row["method"]: row for row in table(scores, chosen)}
    for name, each in scores.items():
        row = rows[name]
        assert row["miou"] == pytest.approx(100 * each.ious.miou(chosen[name]), abs=1e-4)
        assert row["miou_oracle"] >= max(row["miou"], row["miou_50"])
        assert row["things"] == 12
        assert -100 <= row["msc"] <= 100


def test_the_paired_interval_covers_a_known_difference():
    rng = np.random.default_rng(0)
    ours, theirs = Scores("ours"), Scores("theirs")
    for _ in range(200):
        base = rng.uniform(0, 0.5)
        ours.rows.append(np.full(20, base + 0.1 + rng.normal(0, 0.01)))
        theirs.rows.append(np.full(20, base))
    ours.rows.append(None)
    theirs.rows.append(None)
    mean, low, high = paired_interval(ours, theirs, {"ours": 0.5, "theirs": 0.25})
    assert low < mean < high
    assert mean == pytest.approx(10, abs=0.3)
    assert high - low < 1
    same = paired_interval(ours, ours, {"ours": 0.5})
    assert same == (0, 0, 0)


def test_nothing_to_measure_on(clips, images_of):
    clip = clips["resnet"]
    with pytest.raises(ValueError, match="no thing with a mask"):
        evaluate(clip, [], ["itsm"])
    empty = Subject(Image.new("RGB", (8, 8)), (Thing("a", "a", np.zeros((8, 8), bool)),))
    with pytest.raises(ValueError, match="no thing with a mask"):
        evaluate(clip, [empty], ["itsm"])
    with pytest.raises(ValueError, match="Attention rollout does not work with resnet: it has one attention"):
        evaluate(clip, subjects(1), ["rollout"])


# commands


@pytest.fixture
def model(tmp_path):
    return save_family(tmp_path / "vit", "vit")


def test_evaluate_on_toyland(model, tmp_path, capsys):
    given = ["evaluate", "--data", "toyland", "--model", str(model), "--pictures", "8", "--device", "cpu"]
    given += ["--faithful", "0", "--randomised", "0", "--shift", "0"]
    assert main([*given, "--methods", "itsm", "itsm_reversed", "--csv", str(tmp_path / "t.csv")]) == 0
    printed = capsys.readouterr().out
    assert "grid ceiling" in printed
    assert "itsm_reversed - itsm" in printed
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert [row["method"] for row in rows] == ["itsm", "itsm_reversed", "grid ceiling"]
    assert float(rows[0]["msc"]) == pytest.approx(-float(rows[1]["msc"]), abs=1e-3)
    assert main([*given, "--json", "--json-file", str(tmp_path / "t.json")]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((tmp_path / "t.json").read_text())
    assert {row["method"] for row in report["rows"]} >= {"surgery", "legrad", "rollout", "gradeclip"}
    assert not {"faithfulness", "words", "randomised", "shift"} & report.keys()
    assert "deletion" not in report["rows"][0]
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--data", "nowhere"], "there is no folder 'nowhere'"),
        (["--data", "toyland", "--methods", "magic"], "unknown method 'magic'"),
        (["--data", "toyland", "--methods", "eclip"], "nobody has trained ECLIP"),
        (["--data", "toyland", "--pictures", "1"], "at least 2"),
        (["--data", "toyland", "--split", "none"], "unknown split 'none'"),
        (["--data", "toyland", "--model", "none"], "unknown model 'none'"),
    ],
)
def test_evaluate_says_what_is_wrong(model, tmp_path, capsys, given, message):
    (tmp_path / "t.csv").write_text("earlier")
    full = ["--model", str(model), "--pictures", "4", "--csv", str(tmp_path / "t.csv"), *given]
    assert main(["evaluate", *full]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("explain evaluate: ")
    assert message in said
    assert (tmp_path / "t.csv").read_text() == "earlier"


def captions_file(folder, count=4):
    rows = ["image,caption"]
    for index in range(count):
        Image.new("RGB", (20, 20), (40 * index, 0, 0)).save(folder / f"{index}.png")
        rows.append(f'{index}.png,"a red cat, number {index}"')
    path = folder / "captions.csv"
    path.write_text("\n".join(rows))
    return path


def test_training_from_captions_and_from_toyland(model, tmp_path, capsys):
    for data in (str(captions_file(tmp_path)), "toyland"):
        given = ["train-eclip", "--model", str(model), "--data", data, "--pictures", "8", "--epochs", "2"]
        given += ["--out", str(model / "eclip"), "--batch", "4", "--device", "cpu"]
        assert main(given) == 0
        assert "projection.safetensors" in capsys.readouterr().out
        assert main([*given, "--resume"]) == 0
    found = explain.load(model.rename(tmp_path / "trained"), device="cpu")
    assert json.loads(found.eclip.settings)["pictures"] == 8
    picture = Image.new("RGB", (20, 20), "red")
    assert explain.explain_image(found, picture, ["a cat"], "eclip")[0].heatmap.shape == (4, 4)


def test_another_model_may_lend_its_features(model, tmp_path, capsys):
    other = save_family(tmp_path / "other", "resnet")
    given = ["train-eclip", "--model", str(model), "--data", str(captions_file(tmp_path)), "--pictures", "4"]
    given += ["--batch", "4", "--device", "cpu", "--out", str(tmp_path / "out")]
    assert main([*given, "--epochs", "1", "--attention-model", str(other), "--enlarged", "1"]) == 0
    assert "free attention keeps" in capsys.readouterr().err
    for options, message in (
        (["--attention", "guess"], "allowed: cut, norm, dino"),
        (["--enlarged", "0"], "allowed: 1 to 8 times"),
        (["--attention-model", "nothing"], "nothing"),
    ):
        assert main([*given, *options]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("picture,caption\na.png,b", "needs the columns image and caption"),
        ("image,caption\nnone.png,b", "captions.csv, line 2"),
        ("image,caption\n,b", "line 2: no image or no caption"),
        ("image,caption\n0.png", "line 2: no image or no caption"),
        ("", "needs the columns"),
        ("image,caption\n", "0 pictures are too few"),
    ],
)
def test_broken_captions_are_named_by_their_line(model, tmp_path, capsys, text, message):
    path = captions_file(tmp_path)
    path.write_text(text)
    assert main(["train-eclip", "--model", str(model), "--data", str(path), "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*.safetensors"))


def test_sources_that_are_neither(tmp_path):
    for source in ("nothing", "numpy", "a.txt", "../toyland"):
        with pytest.raises(ValueError, match=r"neither a \.csv file nor a package"):
            captioned(source, (8, 8))
    with pytest.raises(ValueError, match="does not exist"):
        next(captioned(str(tmp_path / "none.csv"), (8, 8)))


def test_dino_is_brought_to_its_own_normalisation(clips):
    """Free attention by DINO sees the picture as ImageNet's mean and spread have it."""
    from explain.eclip.free_attention import renormalised

    clip = clips["vit"]
    model = torch.nn.Module()
    model.pretrained_cfg = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    seen = []
    source = renormalised(lambda images, grid: seen.append(images), clip, model)
    picture = Image.new("RGB", clip.size, (255, 128, 0))
    source(clip.prepare([picture]), (2, 2))
    colour = torch.tensor([255, 128, 0]) / 255
    expected = (colour - torch.tensor(model.pretrained_cfg["mean"])) / torch.tensor(
        model.pretrained_cfg["std"]
    )
    torch.testing.assert_close(seen[0][0, :, 0, 0], expected, atol=1e-4, rtol=1e-4)


def test_the_ablation_has_every_variant_once(model, capsys):
    given = [
        "ablate-eclip",
        "--data",
        "toyland",
        "--model",
        str(model),
        "--pictures",
        "12",
        "--measured",
        "4",
    ]
    assert main([*given, "--epochs", "1", "--seeds", "2", "--json", "--device", "cpu"]) == 0
    report = json.loads(capsys.readouterr().out)
    cells = [(row["pooling"], row["mask"], row["start"]) for row in report["rows"]]
    assert len(cells) == len(set(cells)) == 14
    assert ("masked_max", "free", "fresh") in cells
    assert ("masked_average", "exact", "own") in cells
    fresh = [row for row in report["rows"] if row["start"] == "fresh"]
    assert any(row["msc_spread"] > 0 for row in fresh)
    assert all(-100 <= row["msc"] <= 100 for row in report["rows"])


def test_the_ablation_says_what_is_wrong(model, capsys):
    given = ["ablate-eclip", "--model", str(model)]
    for wrong in (
        ["--data", "toyland", "--seeds", "0"],
        ["--data", "nowhere"],
        ["--data", "toyland", "--attention", "x"],
    ):
        assert main([*given, "--pictures", "4", "--measured", "2", *wrong]) == 2
        assert capsys.readouterr().err.startswith("explain ablate-eclip: ")
