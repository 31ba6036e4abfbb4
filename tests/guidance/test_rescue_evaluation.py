"""`python -m guidance evaluate-rescue`: every number from records of which all is known; runs that go on."""

import json

import pytest
import torch

from explain.evaluation.maps import interval
from guidance import __main__ as cli
from guidance.evaluation.rescue_report import as_text, report
from guidance.evaluation.rescues import RescuePlan, RescueRuns
from guidance.generators.base import Advance
from guidance.generators.sampling import Sampling
from guidance.objectives.words import TextSettings
from guidance.rescuing import RescueSettings
from toyland import layouts
from toyland.detector.finding import Found
from toyland.judging import Seen

PLAN = RescuePlan(prompts=4, batch=3)
SAMPLING = Sampling(steps=1, candidates=2, guide_to=0.01)


class Painter:
    """Pictures of one grey each: 0.25 without a guide that acts, else 0.5, or 0.75 where words are in the loss."""

    name, kind, size = "painter", "diffusion", (64, 64)

    def __init__(self, fails=None):
        self.fails, self.begun = fails, 0

    def begin(self, prompts, seeds, sampling, layouts=(), ways=None):
        self.begun += 1
        if self.begun == self.fails:
            raise KeyboardInterrupt
        return Painting(len(prompts), sampling)


class Painting:
    total = 1

    def __init__(self, count, sampling):
        self.count, self.sampling, self.grey = count, sampling, 0.25

    def advance(self, guide=None):
        images = torch.full((self.count, 3, 64, 64), 0.4)
        guide(images, 0)
        if self.sampling.acts:
            self.grey = 0.75 if "words" in guide.losses() else 0.5
        return Advance(0, 1, images, None, torch.zeros(self.count, dtype=torch.bool))

    def finish(self):
        return torch.full((self.count, 3, 64, 64), self.grey)


class Teller:
    """A judge that finds of the things of picture n as many as `found[grey][n]` says."""

    digest = "teller"

    def __init__(self, found, drawn):
        self.found, self.drawn, self.seen = found, drawn, {}

    def look(self, images):
        said = []
        for image in images:
            grey = float(image.mean())
            number = self.seen.setdefault(grey, 0)
            self.seen[grey] += 1
            layout = self.drawn[number]
            things = list(zip(layout.kinds, layout.colours, layout.boxes, strict=True))
            some = things[: self.found[grey][number]]
            said.append(Seen(tuple(thing_found(*thing) for thing in some), (0.0,)))
        return said


def thing_found(kind, colour, box):
    return Found(kind=kind, colour=colour, box=box, score=0.9)


FOUND = {0.25: [2, 1, 0, 1], 0.5: [2, 2, 0, 1], 0.75: [2, 2, 2, 1]}


@pytest.fixture
def clip(clips):
    return clips["vit"]


@pytest.fixture
def drawn():
    return PLAN.sample(layouts)


def runs(clip, drawn, folder=None, fails=None, weight=0.1):
    settings = RescueSettings(TextSettings("neglected", weight, 1, 0.0), threshold=1.0)
    return RescueRuns(Painter(fails), clip, Teller(FOUND, drawn), SAMPLING, settings, PLAN, folder)


def test_the_prompts_are_of_two_things(drawn):
    assert [len(one.phrases) for one in drawn] == [2] * 4
    later = RescuePlan(prompts=2, first=2).sample(layouts)
    assert [one.prompt for one in later] == [one.prompt for one in drawn[2:]]


def test_the_report_counts_what_the_judge_saw(clip, drawn):
    found = report(runs(clip, drawn))
    rows = {row["condition"]: row for row in found["rows"]}
    assert {name: row["right"] for name, row in rows.items()} == {
        "unguided": 0.25,
        "lambda0": 0.5,
        "rescued": 0.75,
    }
    assert rows["unguided"]["things"] == 0.5
    apart = {(one["condition"], one["against"]): one for one in found["against"]}
    ours = apart["rescued", "unguided"]
    expected = interval([0, 1, 1, 0])
    assert [ours[f"difference{end}"] for end in ("", "_low", "_high")] == pytest.approx(expected, abs=1e-4)
    assert found["gates"][0]["met"]
    text = as_text(found)
    assert "rescued - unguided: right +0.50" in text
    assert "4 prompts of two things of toyland (test)" in text


def test_a_run_goes_on_where_it_stopped(clip, drawn, tmp_path):
    whole = report(runs(clip, drawn))
    with pytest.raises(KeyboardInterrupt):
        report(runs(clip, drawn, tmp_path / "work", fails=4))  # in the second batch
    again = runs(clip, drawn, tmp_path / "work")
    again.judge.seen = dict.fromkeys(FOUND, 3)  # the first batch is not looked at again
    timeless = [
        [{k: v for k, v in row.items() if "seconds" not in k} for row in one["rows"]]
        for one in (whole, report(again))
    ]
    assert timeless[0] == timeless[1]
    with pytest.raises(ValueError, match="holds another run: its settings"):
        report(runs(clip, drawn, tmp_path / "work", weight=0.2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompts": 1}, "prompts is 1; allowed: a whole number from 2"),
        ({"batch": 0}, "batch is 0"),
        ({"first": -1}, "first is -1"),
    ],
)
def test_plans_that_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        RescuePlan(**changes)


def test_the_command(shelf, directories, tmp_path, capsys):
    models = ["--generator", str(shelf.folder(cell=4, sample_size=8)), "--clip", str(directories["vit"])]
    few = ["--prompts", "2", "--candidates", "2", "--steps", "3", "--lambda", "0.5", "--device", "cpu"]
    file = tmp_path / "report.json"
    asked = ["evaluate-rescue", *models, *few, "--json-file", str(file), "--work", str(tmp_path / "work")]
    assert cli.main(asked) == 0
    said = capsys.readouterr().out
    assert "2 noises: 2 prompts of two things" in said
    found = json.loads(file.read_text())
    assert [row["condition"] for row in found["rows"]] == ["unguided", "lambda0", "rescued"]
    assert found["settings"]["objective"]["weight"] == 0.5
    assert cli.main(asked) == 0  # all of it is kept
    assert capsys.readouterr().out == said
    assert cli.main(["evaluate-rescue", *models, "--split", "train"]) == 2
    assert "no layouts of split 'train'" in capsys.readouterr().err
