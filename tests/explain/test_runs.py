"""`explain evaluate` as a long run: what is kept, what is gone on from, what bad data does, what is said meanwhile."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from explain.__main__ import main
from explain.commands.console import Progress, duration
from explain.evaluation import resumable
from explain.evaluation.maps import Texts
from explain.evaluation.resumable import Stretches, borders, weights_digest
from explain.evaluation.subjects import tuning_and_testing
from explain.methods import METHODS
from tests.conftest import save_family
from toyland.pictures import labelled

SIZE = (20, 30)  # rows, columns


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_family(tmp_path_factory.mktemp("runs") / "vit", "vit")


def add_picture(root, name, labels):
    image = Image.frombytes("P", labels.shape[::-1], labels.astype(np.uint8).tobytes())
    image.putpalette([value for index in range(256) for value in (index,) * 3])
    image.save(root / f"SegmentationClass/{name}.png")
    Image.fromarray(np.dstack([labels % 20 * 12] * 3).astype(np.uint8)).save(root / f"JPEGImages/{name}.jpg")


@pytest.fixture
def voc(tmp_path):
    """Eight pictures of a cat each, in the layout of PASCAL VOC."""
    root = tmp_path / "data" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    for index in range(8):
        labels = np.zeros(SIZE, int)
        labels[4:12, 5 + index : 15 + index] = 8  # cat
        add_picture(root, f"p{index}", labels)
    (root / "ImageSets/Segmentation/val.txt").write_text("".join(f"p{i}\n" for i in range(8)))
    return root


def evaluate(model, data, *more):
    given = ["evaluate", "--data", str(data), "--model", str(model), "--device", "cpu", "--json"]
    return main([*given, "--faithful", "2", "--randomised", "3", "--shift", "2", *map(str, more)])


def report_of(capsys):
    """The report on stdout, without what differs from run to run."""
    report = json.loads(capsys.readouterr().out)
    report.pop("seconds")
    for row in report["rows"]:
        row.pop("seconds")
    return report


# --- resuming ---


@pytest.fixture
def short(monkeypatch):
    """Stretches of three pictures."""
    monkeypatch.setattr(resumable, "STRETCH", 3)


def test_a_resumed_run_is_an_uninterrupted_one(model, tmp_path, capsys, short, monkeypatch):
    """Interrupted at any picture of the second phase: the same report, and nothing finished is drawn or run again."""
    given = ["toyland", "--pictures", "8", "--methods", "itsm", "rollout"]
    assert evaluate(model, *given) == 0
    whole = report_of(capsys)
    from toyland import pictures

    work = ["--work", str(tmp_path / "work")]
    real = pictures.sample_scene
    drawn = []

    def failing(number, split):
        drawn.append((split, number))
        if split == "test" and number == 5:
            raise OSError("the disk is full")
        return real(number, split)

    monkeypatch.setattr(pictures, "sample_scene", failing)
    assert evaluate(model, *given, *work) == 2
    assert "explain evaluate: the disk is full" in capsys.readouterr().err.splitlines()
    kept = {path.name: path.read_bytes() for path in (tmp_path / "work").iterdir()}
    assert "testing-000002-000003.json" in kept
    assert not any(name.startswith("testing-000003") for name in kept)
    drawn.clear()
    monkeypatch.setattr(
        pictures, "sample_scene", lambda number, split: drawn.append((split, number)) or real(number, split)
    )
    assert evaluate(model, *given, *work) == 0
    assert report_of(capsys) == whole
    probes = [("validation", 7), ("test", 7)]  # the last of each: can it be had?
    assert drawn == [*probes, *(("test", number) for number in range(3, 8))]
    drawn.clear()
    monkeypatch.setattr(Texts, "features", lambda *given: pytest.fail("a text was read again"))
    assert evaluate(model, *given, *work) == 0
    assert report_of(capsys) == whole
    assert drawn == probes
    assert all((tmp_path / "work" / name).read_bytes() == content for name, content in kept.items())


@pytest.mark.parametrize(
    "damage", [lambda text: text[: len(text) // 2], lambda text: "", lambda text: text + "1"]
)
def test_a_damaged_stretch_is_measured_anew(model, tmp_path, capsys, short, damage):
    """Two of them, with good ones between: the same report, bit for bit."""
    given = ["toyland", "--pictures", "9", "--methods", "itsm", "--work", str(tmp_path)]
    assert evaluate(model, *given, "--randomised", "9") == 0
    whole = report_of(capsys)
    paths = [tmp_path / f"testing-{stretch}.json" for stretch in ("000002-000003", "000006-000009")]
    for path in paths:
        path.write_text(damage(path.read_text()))
    assert evaluate(model, *given, "--randomised", "9") == 0
    captured = capsys.readouterr()
    for path in paths:
        assert f"{path.name} is damaged: its pictures are measured anew" in captured.err
    again = json.loads(captured.out)
    assert again.pop("seconds") >= 0
    for row in again["rows"]:
        row.pop("seconds")
    assert again == whole


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--pictures", "5"], "holds another run: its pictures is 4, this one's 5"),
        (["--methods", "itsm_reversed"], "its methods is ['itsm'], this one's ['itsm_reversed']"),
        (["--split", "test-usual"], "its split is test, this one's test-usual"),
        (["--shift", "0"], "its shift is 2, this one's 0"),
    ],
)
def test_a_folder_of_another_run_is_refused(model, tmp_path, capsys, more, message):
    given = ["toyland", "--pictures", "4", "--methods", "itsm", "--work", str(tmp_path / "work")]
    assert evaluate(model, *given) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "work").iterdir()}
    assert evaluate(model, *given, *more) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in said
    assert "allowed: an empty or new folder, or one of a run with the same settings" in said
    assert {path.name: path.read_bytes() for path in (tmp_path / "work").iterdir()} == before


def test_a_folder_is_of_one_set_of_weights(clips, tmp_path):
    assert weights_digest(clips["vit"]) != weights_digest(clips["toy"])
    clip = clips["resnet"]
    before = weights_digest(clip)
    assert weights_digest(clip) == before
    for values in (clip.model.visual.bn1.running_mean, clip.eclip.bias):
        was = values[0].item()
        values[0] += 1
        assert weights_digest(clip) != before
        values[0] = was
    Stretches(tmp_path / "w", {"weights": before}).keep("a", 0, 1, {})
    with pytest.raises(ValueError, match="its weights is"):
        Stretches(tmp_path / "w", {"weights": "others"})


def test_a_folder_with_anything_else_is_refused(model, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    given = ["toyland", "--pictures", "2", "--methods", "itsm", "--work"]
    for folder, message in (
        (tmp_path, "is not empty and holds no run"),
        (tmp_path / "thesis.txt", "is a file"),
    ):
        assert evaluate(model, *given, folder) == 2
        assert message in capsys.readouterr().err
    (tmp_path / "run.json").write_text("{")
    assert evaluate(model, *given, tmp_path) == 2
    assert "run.json in" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_failing_run_leaves_no_trace_of_its_settings(model, tmp_path, capsys):
    """A mistake in the options must not bind the folder."""
    given = ["toyland", "--pictures", "2", "--methods", "itsm", "--work", str(tmp_path / "work")]
    assert evaluate(model, *given, "--split", "tset") == 2
    assert evaluate(model, *given) == 0
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "run.json.partial").write_text("{")
    assert evaluate(model, *given[:-1], tmp_path / "half") == 0


def test_an_interruption_is_one_line(model, tmp_path, capsys, monkeypatch):
    def interrupted(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr("explain.evaluation.report.table", interrupted)
    given = ["toyland", "--pictures", "2", "--methods", "itsm", "--work", tmp_path / "work"]
    assert evaluate(model, *given) == 130
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said == f"explain evaluate: interrupted; the same command goes on from {tmp_path / 'work'}"
    monkeypatch.undo()
    assert evaluate(model, *given) == 0


def test_stretches_are_whole_or_not_there(tmp_path, monkeypatch):
    kept = Stretches(tmp_path / "w", {"a": 1})
    numbers = {"x": [0.1 + 0.2, 1e-300, float(np.float32(0.3))], "y": None, "ü": True}
    assert kept.earlier("testing", 0, 5) is None
    kept.keep("testing", 0, 5, numbers)
    assert kept.earlier("testing", 0, 5) == numbers
    monkeypatch.setattr("pathlib.Path.replace", lambda *given: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        kept.keep("testing", 5, 9, numbers)
    assert sorted(path.name for path in (tmp_path / "w").iterdir()) == [
        "run.json",
        "testing-000000-000005.json",
    ]


def test_borders_and_a_run_that_keeps_nothing(monkeypatch):
    monkeypatch.setattr(resumable, "STRETCH", 10)
    assert borders(25) == [0, 10, 20, 25]
    assert borders(25, 7, 100, 0, 20) == [0, 7, 10, 20, 25]
    found = list(Stretches(None, {}).each("a", [0, 2, 5], lambda first, stop: {"range": [first, stop]}))
    assert found == [({"range": [0, 2]}, False), ({"range": [2, 5]}, False)]


def test_toyland_in_ranges_is_toyland_whole():
    whole = list(labelled("test", (32, 32), 6))
    parts = [*labelled("test", (32, 32), 2), *labelled("test", (32, 32), 4, first=2)]
    for one, other in zip(whole, parts, strict=True):
        assert one.image.tobytes() == other.image.tobytes()
        assert [thing.prompt for thing in one.things] == [thing.prompt for thing in other.things]
        words = set(one.caption.replace(",", "").split())
        assert set(one.content) < words
        assert {word for thing in one.things for word in thing.prompt.split()} <= set(one.content)
        assert not {"a", "an", "the", "on", "in", "by", "and"} & set(one.content)
    tuning, testing = tuning_and_testing("toyland", "test", 6, (32, 32))
    assert (tuning.count, testing.count) == (6, 6)
    ((number, subject),) = testing.read(4, 5, [])
    assert (number, subject.caption) == (4, whole[4].caption)
    assert next(tuning.read(0, 1, []))[1].caption != whole[0].caption


# --- what is said meanwhile ---


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_tells_the_time_left():
    now = [100.0]
    said = Terminal()
    progress = Progress(said, lambda: now[0])
    progress("measuring", 200, 1000)  # 200 were kept by an earlier run
    for done in (300, 600, 1000, 1000):
        now[0] += 10
        progress("measuring", done, 1000)
    lines = [line.strip() for line in said.getvalue().replace("\n", "\r").split("\r") if line.strip()]
    assert lines == [
        "measuring: 200 of 1000",
        "measuring: 300 of 1000, about 70 s left",
        "measuring: 600 of 1000, about 20 s left",
        "measuring: 1000 of 1000, 30 s",
    ]
    assert said.getvalue().endswith("\n")
    progress.note("left out: one")
    assert said.getvalue().endswith("\nleft out: one\n")


def test_progress_in_a_log_has_few_lines():
    now, said = [0.0], io.StringIO()
    progress = Progress(said, lambda: now[0])
    for done in range(0, 101):
        progress("measuring", done, 100)
        now[0] += 0.5
    lines = said.getvalue().splitlines()
    assert 4 <= len(lines) <= 8
    assert "\r" not in said.getvalue()
    assert lines[-1] == "measuring: 100 of 100, 50 s"
    assert [duration(seconds) for seconds in (0.4, 89, 91, 5300, 7800)] == [
        "0 s",
        "89 s",
        "2 min",
        "88 min",
        "2 h 10 min",
    ]


# --- bad data, through the command ---


def test_a_folder_of_pictures(model, voc, capsys):
    """Half of the pictures choose thresholds; classes without a picture are named, and in no mean."""
    assert evaluate(model, voc, "--methods", "itsm") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["pictures"], report["rows"][0]["things"]) == (4, 4)
    assert report["words"]["pictures"] == 2, "a photo of a cat"
    assert len(report["left_out"]["classes_without_pictures"]) == 19
    assert "cat" not in report["left_out"]["classes_without_pictures"]
    assert report["left_out"]["unreadable"] == []


def test_some_pictures_cannot_be_used(model, voc, capsys):
    """One cut short, one with a mask of another size, one that is void, one without things: named or counted."""
    (voc / "JPEGImages/p1.jpg").write_bytes((voc / "JPEGImages/p1.jpg").read_bytes()[:200])
    add_picture(voc, "p3", np.full((10, 10), 8))
    Image.new("RGB", SIZE[::-1]).save(voc / "JPEGImages/p3.jpg")
    labels = np.full(SIZE, 255)
    add_picture(voc, "p5", labels)
    add_picture(voc, "p4", labels * 0)
    assert evaluate(model, voc, "--methods", "itsm") == 0
    captured = capsys.readouterr()
    left_out = json.loads(captured.out)["left_out"]
    assert [text.partition(":")[0] for text in left_out["unreadable"]] == ["p1", "p3"]
    assert "allowed: masks of their picture's size" in left_out["unreadable"][1]
    assert "left out: p3: the mask 'p3.png' is 10 x 10 pixels" in captured.err
    assert left_out["pictures_without_things"] == 2
    assert json.loads(captured.out)["rows"][0]["things"] == 1
    assert (
        main(["evaluate", "--data", str(voc), "--model", str(model), "--methods", "itsm", "--faithful", "0"])
        == 0
    )
    assert (
        "Left out: 2 pictures that cannot be used, 2 pictures without things, 19 classes"
        in capsys.readouterr().out
    )


def wrong_masks(root):
    for index in range(8):
        add_picture(root, f"p{index}", np.full((10, 10), 8))
        Image.new("RGB", SIZE[::-1]).save(root / f"JPEGImages/p{index}.jpg")


def all_void(root):
    for index in range(8):
        add_picture(root, f"p{index}", np.full(SIZE, 255))


def no_list(root):
    (root / "ImageSets/Segmentation/val.txt").write_text("\n")


def one_picture(root):
    (root / "ImageSets/Segmentation/val.txt").write_text("p0\n")


def nothing(root):
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def leads_outside(root):
    (root / "ImageSets/Segmentation/val.txt").write_text("../p0\np1\n")


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (
            wrong_masks,
            "there is no thing with a mask to measure on; 4 pictures cannot be used, the first: p0: the mask",
        ),
        (all_void, "there is no thing with a mask to measure on"),
        (no_list, "lists no picture"),
        (one_picture, "has 1 pictures; half of them choose thresholds"),
        (nothing, "is no data set that can be read here; allowed: a folder of PASCAL VOC"),
        (leads_outside, "names inside its folder"),
    ],
)
def test_a_folder_that_is_no_use(model, voc, tmp_path, capsys, break_it, message):
    """One line, and what an earlier run found stays as it was."""
    out = {"--json-file": tmp_path / "r.json", "--csv": tmp_path / "t.csv", "--work": tmp_path / "work"}
    given = [part for pair in out.items() for part in pair]
    assert evaluate(model, voc, "--methods", "itsm", *given) == 0
    files = [out["--json-file"], out["--csv"], *out["--work"].iterdir()]
    before = {path: path.read_bytes() for path in files}
    capsys.readouterr()
    break_it(voc)
    given[-1] = tmp_path / "another"
    assert evaluate(model, voc, "--methods", "itsm", *given) == 2
    captured = capsys.readouterr()
    said = captured.err.strip().splitlines()[-1]
    assert said.startswith("explain evaluate: ")
    assert message in said
    assert captured.out == ""
    assert {path: path.read_bytes() for path in files} == before


def test_other_pictures_are_another_run(model, voc, tmp_path, capsys):
    given = ["--methods", "itsm", "--work", tmp_path / "work"]
    assert evaluate(model, voc, *given) == 0
    (voc / "ImageSets/Segmentation/val.txt").write_text("".join(f"p{i}\n" for i in (0, 1, 2, 3, 4, 5, 7, 6)))
    assert evaluate(model, voc, *given) == 2
    assert "holds another run: its files is" in capsys.readouterr().err


def test_a_map_that_is_not_finite(model, tmp_path, capsys, monkeypatch):
    from dataclasses import replace

    broken = replace(METHODS["itsm"], image_map=lambda *given: METHODS["maskclip"].image_map(*given) / 0)
    monkeypatch.setitem(METHODS, "itsm", broken)
    assert evaluate(model, "toyland", "--pictures", "2", "--methods", "itsm") == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said == "explain evaluate: Image-Text Similarity Map gave numbers that are not finite with vit"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            ["--json-file", "no/such/r.json"],
            "'no/such/r.json' cannot be written; allowed: a file in a folder",
        ),
        (["--csv", "."], "'.' cannot be written"),
        (["--figures", "here.txt"], "'here.txt' is a file; allowed: a folder"),
        (["--faithful", "-1"], "faithful is -1; allowed: 0 pictures or more"),
        (["--shift", "-1"], "shift is -1"),
        (["--randomised", "-5"], "randomised is -5"),
    ],
)
def test_mistakes_are_found_before_the_work(model, tmp_path, capsys, monkeypatch, more, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.txt").write_text("mine")
    monkeypatch.setattr("explain.commands.evaluate.load", lambda *given: pytest.fail("the work began"))
    assert evaluate(model, "toyland", *more) == 2
    assert message in capsys.readouterr().err


def test_the_table_as_csv(model, tmp_path, capsys):
    given = ["toyland", "--pictures", "3", "--methods", "itsm", "surgery", "--csv", tmp_path / "t.csv"]
    assert evaluate(model, *given) == 0
    report = report_of(capsys)
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert [row["method"] for row in rows] == ["itsm", "surgery", "grid ceiling"]
    assert float(rows[1]["deletion"]) == report["faithfulness"]["rows"][1]["deletion"]
    assert float(rows[1]["random_correlation"]) == report["randomised"]["rows"][1]["correlation"]
    assert rows[1]["survives"] in ("True", "False")
    assert rows[2]["deletion"] == rows[2]["survives"] == ""
