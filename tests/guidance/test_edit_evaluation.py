"""`python -m guidance evaluate-edits` with edits and a detector of which all is known, so that every number is, too."""

import json
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from PIL import Image

from guidance.__main__ import main
from guidance.editing.edit import EditStep
from guidance.editing.settings import EDITS
from guidance.evaluation import edits as measuring
from guidance.evaluation.edit_report import as_text, run
from guidance.evaluation.edits import EditPlan, conditions, drawn_box, outside
from guidance.evaluation.world import open_edits
from guidance.objectives.guide import as_picture
from guidance.objectives.word_relevance import WordReading
from guidance.objectives.words import TextReading
from tests.guidance.test_evaluation import Planted, painted
from toyland import judging
from toyland.detector.finding import Found, Wanted
from toyland.edits import sample_edits, verdict
from toyland.world.vocabulary import plain_noun

PLAN = EditPlan(split="validation", edits=8)


@pytest.fixture(scope="module", autouse=True)
def drawn_once():
    """Scenes are drawn large to find their boxes: once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toyland.edits.sample_edits", lru_cache(sample_edits))
        yield


@pytest.fixture(scope="module")
def drawn():
    return sample_edits("validation", 8)


class Editor:
    """In the place of `edit`: paints what is wanted in its box, and within a box what is to stay, too. `fails(settings,
    box, number)`: not what is wanted, this time, but what was to go.
    """

    def __init__(self, drawn, fails=lambda settings, box, number: False):
        self.by_prompt = {one.prompt: (number, one) for number, one in enumerate(drawn)}
        self.fails, self.asked = fails, []

    def __call__(self, generator, clip, picture, prompt, words, seed, settings, box, caption, ways):
        number, one = self.by_prompt[prompt]
        self.asked.append((number, seed, settings, box, caption))
        assert tuple(words) == one.words
        assert caption == one.caption
        things = [*one.kept] if box is not None else []
        failed = self.fails(settings, box, number)
        things += [thing for thing in (one.gone if failed else one.wanted,) if thing is not None]
        image = painted([(f"{thing.colour} {thing.kind}", thing.box) for thing in things])
        reading = TextReading(0.5, (WordReading("a", 0.4, 1.0), WordReading("red", 0.6, 1.0, 1.0)))
        yield EditStep(0, 1, {}, as_picture(image), reading)
        yield EditStep(1, 1, {}, as_picture(image), reading)


def plain(settings, box, number):
    return settings.sampling.mode == "off" and number % 2 == 0


def report_of(monkeypatch, clips, shelf, editor, plan=PLAN, names=(), **more):
    monkeypatch.setattr(measuring, "edit", editor)
    judge = judging.Judge(Planted())
    model = shelf.model(cell=4, sample_size=16)
    return run(model, clips["toy"], EDITS["diffusion"], plan, names, judge=judge, **more)


def test_every_number_is_what_was_planted(monkeypatch, clips, shelf, drawn):
    editor = Editor(drawn, plain)
    report, shown = report_of(monkeypatch, clips, shelf, editor)
    rows = {row["condition"]: row for row in report["rows"]}
    assert list(rows) == ["plain", "words", "lambda0", "auto", "auto-lambda0", "everywhere"]
    failed = sum(1 for number, one in enumerate(drawn) if number % 2 == 0 and one.change != "add")
    added = sum(1 for number, one in enumerate(drawn) if number % 2 == 0 and one.change == "add")
    assert rows["plain"]["success"] == pytest.approx(1 - (failed + added) / 8)
    assert rows["words"]["success"] == rows["auto"]["success"] == 1
    assert (rows["words"]["kept"], rows["auto"]["kept"]) == (1, 0)
    assert rows["words"]["similarity"] == 0.5
    assert rows["words"]["relevance"] == 0.6
    assert rows["words"]["outside"] > 50  # painted rectangles are not the drawn background
    changes = {(row["condition"], row["change"]): row for row in report["by_change"]}
    assert len(changes) == 6 * 4
    assert all(row["edits"] == 2 for row in changes.values())
    (apart,) = [one for one in report["against"] if (one["condition"], one["against"]) == ("words", "plain")]
    assert apart["success"]["difference"] == pytest.approx(1 - rows["plain"]["success"])
    assert apart["success"]["difference_low"] <= apart["success"]["difference"]
    assert apart["kept"]["difference"] == 0
    gates = {gate["gate"]: gate["met"] for gate in report["gates"]}
    assert gates["success, words - lambda 0"] is True
    assert gates["things kept"] is True
    assert len(gates) == 6
    assert list(shown) == ["before", *rows, "target"]
    assert all(len(pictures) == 8 for pictures in shown.values())
    text = as_text(report)
    assert "words - lambda0: success +0.000" in text
    assert "toy" in text


def test_conditions_are_paired(monkeypatch, clips, shelf, drawn):
    """The same pictures, seeds and boxes, and settings that differ in what is said."""
    editor = Editor(drawn)
    report_of(monkeypatch, clips, shelf, editor, replace(PLAN, edits=2, first=0))
    chosen = EDITS["diffusion"].objective.weight
    assert {(number, seed) for number, seed, *_ in editor.asked} == {(0, 0), (1, 1000)}
    for number in (0, 1):
        asked = [each for each in editor.asked if each[0] == number]
        weights = [each[2].objective.weight for each in asked]
        assert weights == [chosen, chosen, 0.0, chosen, 0.0, chosen]
        assert [each[3] is None for each in asked] == [False] * 3 + [True] * 3
        assert [each[2].where for each in asked][3:] == ["auto", "auto", "everywhere"]
        assert [each[2].sampling.mode for each in asked] == ["off"] + ["x0"] * 5


def test_conditions_of_a_way():
    names = [one.name for one in conditions(EDITS["latents"])]
    assert names == ["words", "lambda0"]
    assert [one.name for one in conditions(EDITS["diffusion"], ["lambda0", "plain"])] == ["plain", "lambda0"]
    with pytest.raises(ValueError, match="unknown condition 'auto'; allowed: words, lambda0"):
        conditions(EDITS["latents"], ["auto"])
    one, other, plain_one = conditions(EDITS["diffusion"], ["words", "lambda0", "plain"])[1:] + [
        conditions(EDITS["diffusion"], ["plain"])[0]
    ]
    assert one.walks == other.walks != plain_one.walks


def test_a_resumed_run_is_an_uninterrupted_one(monkeypatch, clips, shelf, drawn, tmp_path):
    names = ("words", "lambda0")
    whole, _ = report_of(monkeypatch, clips, shelf, Editor(drawn, plain), names=names)

    def stop(settings, box, number):
        if number == 5:
            raise KeyboardInterrupt
        return plain(settings, box, number)

    monkeypatch.setattr(measuring, "STRETCH", 2)
    with pytest.raises(KeyboardInterrupt):
        report_of(monkeypatch, clips, shelf, Editor(drawn, stop), names=names, folder=tmp_path / "work")
    again = Editor(drawn, plain)
    resumed, _ = report_of(monkeypatch, clips, shelf, again, names=names, folder=tmp_path / "work")
    assert {number for number, *_ in again.asked} == {4, 5, 6, 7}
    for report in (whole, resumed):
        for row in report["rows"]:
            row.pop("seconds")
        report["gates"] = [gate for gate in report["gates"] if "seconds" not in gate["gate"]]
    assert resumed == whole
    with pytest.raises(ValueError, match="holds another run"):
        report_of(monkeypatch, clips, shelf, again, names=names[:1], folder=tmp_path / "work")


def test_verdicts(drawn):
    one = next(each for each in drawn if each.change == "recolour")
    wanted, gone, kept = (
        Found(thing.kind, thing.colour, 0.9, thing.box) for thing in (one.wanted, one.gone, one.kept[0])
    )
    assert verdict([wanted, kept], one).success
    assert verdict([wanted, kept], one).kept == 1
    assert not verdict([wanted, gone], one).success
    assert not verdict([], one).success
    away = replace(kept, box=(0.0, 0.0, 0.05, 0.05))
    other = replace(kept, colour="white" if kept.colour != "white" else "red")
    assert verdict([wanted, away, other], one).kept == 0
    removed = next(each for each in drawn if each.change == "remove")
    assert verdict([], removed).success
    assert (
        verdict([Found(removed.gone.kind, removed.gone.colour, 0.9, (0, 0, 1, 1))], removed).success is False
    )
    added = next(each for each in drawn if each.change == "add")
    assert verdict([], added).success is False


def test_what_is_to_be_in_the_box(drawn):
    for one in drawn:
        box = drawn_box(one)
        assert all(0 <= edge <= 1 for edge in box.edges)
        assert box.left <= one.box[0] < one.box[2] <= box.right
        assert box.phrase == one.phrase
        if isinstance(one.wanted, Wanted):
            assert one.phrase == f"{one.wanted.colour} {plain_noun(one.wanted.kind)}"
        else:
            assert one.phrase in (
                "grass",
                "sand",
                "water",
                "the night sky",
                "snow",
                "a brick wall",
                "a road",
                "a wooden floor",
            )


def test_what_changes_outside():
    before = Image.new("RGB", (20, 10), (10, 20, 30))
    after = np.asarray(before).copy()
    after[:, :10] = 255  # all of the box
    after[0, 10:] = (13, 20, 30)  # a tenth of the rest, by 3 in one channel
    found = outside(before, Image.fromarray(after), (0.0, 0.0, 0.5, 1.0))
    assert found == pytest.approx(3 / 3 / 10)
    assert outside(before, Image.fromarray(after), (0.0, 0.0, 1.0, 1.0)) == 0


def test_worlds_that_draw_edits():
    assert open_edits("toyland").CHANGES
    for name in ("explain", "../toyland", "nothing"):
        with pytest.raises(ValueError, match="no package that draws edits; allowed: toyland"):
            open_edits(name)
    with pytest.raises(ValueError, match="1 edits say nothing; allowed: 2 or more"):
        EditPlan(edits=1)


def test_the_command(monkeypatch, shelf, directories, drawn, tmp_path, capsys):
    editor = Editor(drawn)
    monkeypatch.setattr(measuring, "edit", editor)
    judge = judging.Judge(Planted())
    monkeypatch.setattr(judging, "Judge", lambda *args: judge)
    model = str(shelf.folder(cell=4, sample_size=16))
    given = ["--generator", model, "--clip", str(directories["toy"]), "--edits", "2", "--device", "cpu"]
    given += ["--split", "validation", "--lambda", "3", "--steps", "7"]
    figures, work = tmp_path / "figures", tmp_path / "work"
    files = ["--json-file", str(tmp_path / "report.json"), "--figures", str(figures), "--work", str(work)]
    assert main(["evaluate-edits", *given, "--conditions", "words", "auto", *files]) == 0
    assert "success" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["settings"]["objective"]["weight"] == 3
    assert report["settings"]["sampling"]["steps"] == 7
    assert editor.asked[0][2].objective.weight == 3
    assert [row["condition"] for row in report["rows"]] == ["words", "auto"]
    with Image.open(figures / "pictures.png") as sheet:
        assert sheet.width > 500
    assert (work / "run.json").is_file()
    assert main(["evaluate-edits", *given, "--conditions", "words", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["success"] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--conditions", "nothing"], "unknown condition 'nothing'; allowed: plain, words"),
        (["--edits", "1"], "1 edits say nothing"),
        (["--way", "magic"], "way is 'magic'; allowed: diffusion, latents"),
        (["--split", "train"], "no edits of split 'train'"),
        (["--data", "nothing"], "no package that draws"),
        (["--lambda", "-1"], "the weight of words is -1"),
    ],
)
def test_what_the_command_refuses(shelf, directories, capsys, options, said):
    model = ["--generator", str(shelf.folder(cell=4, sample_size=16)), "--clip", str(directories["toy"])]
    capsys.readouterr()  # what making the folder says, where it was not made before
    assert main(["evaluate-edits", *model, "--edits", "2", "--device", "cpu", *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
