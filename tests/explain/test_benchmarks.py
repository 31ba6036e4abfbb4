"""The benchmark's own claims that need no clock: same maps as pytorch-grad-cam, and a report that can be read."""

import gc
import json
import sys

import pytest
import torch

import explain
from benchmarks import costs, gradcam, memory, methods, server
from benchmarks import explain as bench
from benchmarks.pairs import Result, paired
from explain import towers
from explain.methods import METHODS
from tests.conftest import random_images

PROMPTS = ["a red cat on the grass", "the sky", "two boats"]


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_our_gradcam_is_pytorch_grad_cams(clip, batched, frozen):
    """On the patch grid, to 1e-4, for every family and every way to use it."""
    image = random_images(clip, count=1)
    features = gradcam.text_features(clip, PROMPTS)
    found = gradcam.ours(clip, image, features)()
    expected = gradcam.theirs(clip, image, features, batched, frozen)()
    assert found.shape == expected.shape
    assert (found.max((1, 2)) > found.min((1, 2))).any()
    assert gradcam.difference(found, expected) < 1e-4
    assert all(p.grad is None and not p.requires_grad for p in clip.model.parameters())


def test_paired_runs_alternate():
    order: list[str] = []
    ratio, _, _ = paired(lambda: order.append("a"), lambda: order.append("b"), pairs=2)
    assert ratio > 0
    assert "".join(order) == "ab" + "baab"


def test_a_report_can_be_read(monkeypatch, capsys):
    monkeypatch.setattr(bench, "random_clip", lambda architecture: (None, None))
    for name, value in (("recording", 1.2), ("similarity", 0.5)):
        result = Result(name[0], name, value, 1.15, False, "times", {"ours_s": 1.0})
        monkeypatch.setattr(bench, name, lambda clip, image, pairs, result=result: result)
    monkeypatch.setattr(sys, "argv", ["explain", "--only", "a,b", "--json"])
    bench.main()
    rows = json.loads(capsys.readouterr().out)["results"]
    assert [row["met"] for row in rows] == [False, True]
    monkeypatch.setattr(sys, "argv", ["explain", "--only", "a"])
    bench.main()
    assert "(aim <= 1.15) MISSED" in capsys.readouterr().out


def test_the_photograph_is_measured_as_the_page_shows_it(clips, monkeypatch):
    """From the file to the cards, with the two methods that the page shows side by side."""
    from ui.tabs.explain import drawing, view

    drawn, cards = [], drawing.cards
    monkeypatch.setattr(explain, "load", lambda name, **named: clips["toy"])
    monkeypatch.setattr(
        drawing, "cards", lambda *given: drawn.append((given[0], cards(*given))) or drawn[-1][1]
    )
    result = server.photograph(repeats=1, size=(400, 300))
    assert result.aim == "g"
    assert result.value > 0
    assert result.details["pixels"] == 120_000
    assert len(drawn) == 2
    for looked, shown in drawn:
        assert isinstance(looked, view.View)
        assert looked.methods == ("itsm", "relevance")
        assert [len(card["maps"]) for card in shown["cards"]] == [2, 2]


def costs_of(monkeypatch, capsys, clip, *arguments):
    """What `python -m benchmarks.methods` prints for a tiny model."""
    monkeypatch.setattr(methods, "random_clip", lambda architecture: (clip, None))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gc, "collect", lambda: 0)  # slow beside all that tests keep
    monkeypatch.setattr(memory, "peak", lambda run, device: run() or 1e6)  # has a test of its own
    monkeypatch.setattr(sys, "argv", ["methods", "--pairs", "1", *arguments])
    methods.main()
    return capsys.readouterr().out


def test_what_every_method_costs(clips, monkeypatch, capsys):
    """All methods once: the fast ones and all at once with an aim, the slow ones with their forwards."""
    clip = clips["vit"]
    rows = json.loads(costs_of(monkeypatch, capsys, clip, "--json"))["results"]
    slow = [name for name, method in METHODS.items() if method.own_forwards]
    fast = [name for name in METHODS if name not in slow]
    assert [row["name"] for row in rows] == [*fast, "compare", *slow]
    for row in rows:
        assert min(row["seconds"], row["baseline_seconds"], row["time"], row["megabytes"], row["memory"]) > 0
        assert (row["many"] is not None) == (row["name"] in fast)
        assert (row["met"] is None) == (row["forwards"] is not None) == (row["name"] in slow)
    aims = {row["name"]: row["aim"] for row in rows}
    assert [aims[name] for name in ("itsm", "legrad", "relevance_all", "compare")] == [3, 6, 6, 6]
    grid = towers.trunk(clip.model.visual, random_images(clip, count=1)).grid
    forwards = {row["name"]: row["forwards"] for row in rows}
    assert forwards["occlusion"] == 1 + grid[0] * grid[1]
    assert forwards["gscorecam"] > 1


def test_the_costs_as_a_table(clips, monkeypatch, capsys):
    said = costs_of(monkeypatch, capsys, clips["resnet"], "--only", "compare", "itsm").splitlines()
    assert [line.split()[0] for line in said[1:]] == ["method", "itsm", "compare"]
    assert all("<= " in line and line.endswith(("met", "MISSED")) for line in said[2:])
    cost = costs.Cost("itsm", "cpu", 1.0, 2.0, 0.5, 10.0, 0.25, many=3.5, aim=3.0)
    assert methods.table([cost])[1].split() == [
        *("itsm", "cpu", "1", "0.50", "10", "0.25", "3.50", "<=", "3", "MISSED")
    ]
    with pytest.raises(SystemExit):
        costs_of(monkeypatch, capsys, clips["resnet"], "--only", "rollout")
    assert "cannot measure rollout with resnet; allowed: itsm" in capsys.readouterr().err


def test_the_peak_of_memory_is_what_is_held_at_once():
    def run():
        first = torch.zeros(1000, 1000)
        second = first + 1
        del first
        return second * 2

    used = memory.peak(run, torch.device("cpu"))
    assert 8e6 <= used < 8.1e6


def test_the_baseline_is_a_gradient_through_both_towers(clips, monkeypatch):
    taken = []
    grad = torch.autograd.grad
    monkeypatch.setattr(
        torch.autograd, "grad", lambda *given: taken.append((given, grad(*given))) or taken[-1][1]
    )
    costs.Bench(clips["vit"], torch.device("cpu"), 1)
    for (_, (images, embeddings)), (at_images, at_embeddings) in taken:
        assert at_images.shape == images.shape == (1, 3, *clips["vit"].size)
        assert at_embeddings.shape == embeddings.shape
        assert min(float(at_images.abs().max()), float(at_embeddings.abs().max())) > 0
    assert len(taken) == 2
