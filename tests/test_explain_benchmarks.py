"""The benchmark's own claims that need no clock: same maps as pytorch-grad-cam, and a report that can be read."""

import json
import sys

import pytest
from conftest import random_images

import explain
from benchmarks import explain as bench
from benchmarks import server
from benchmarks.pairs import Result, paired

PROMPTS = ["a red cat on the grass", "the sky", "two boats"]


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_our_gradcam_is_pytorch_grad_cams(clip, batched, frozen):
    """On the patch grid, to 1e-4, for every family and every way to use it."""
    pytest.importorskip("pytorch_grad_cam")
    from benchmarks import gradcam

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
    from ui import drawing, view

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
