"""The benchmark of prompt tuning: what it times is what it says, and its report can be read."""

import json
import sys

import pytest
import torch

from benchmarks import tuning as bench
from benchmarks.pairs import Result
from explain import towers
from guidance.tuning.losses import explanation_loss, name_relevance


@pytest.fixture
def tiny(doubles, monkeypatch):
    """Four classes and three pictures, in fp64; names that leave room for the context."""
    monkeypatch.setattr(
        bench, "PromptLearner", lambda clip, names: bench_learner(clip, [f"cat {n}" for n in range(4)])
    )
    return bench.Bench(doubles["vit"], classes=4, batch=3)


def bench_learner(clip, names):
    from guidance.tuning.prompt_learner import ContextSettings, PromptLearner

    return PromptLearner(clip, names, ContextSettings(tokens=4), seed=1)


def test_the_released_scheme_has_the_same_gradient(tiny):
    """However dear: it is the loss that a step goes down."""
    learner = tiny.learner
    tiny.released()
    found = learner.context.grad.clone()
    images = tiny.bank.features[:, 0]
    recorded = learner.record()
    shares = name_relevance(tiny.clip, recorded, images, learner.name_tokens)
    logits = tiny.clip.logit_scale * images @ recorded.features.T
    loss = torch.nn.functional.cross_entropy(logits, tiny.labels) + explanation_loss(shares, tiny.labels)
    (expected,) = torch.autograd.grad(loss, learner.context)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-6)


def test_stock_is_the_tower_of_open_clip(tiny):
    learner = tiny.learner
    found = tiny._stock(learner.embeddings())
    expected = towers.text_features(tiny.clip.model, learner.texts, learner.embeddings())
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-6)


def test_all_rows_are_measured(tiny):
    rows = list(bench.measured(tiny, pairs=1))
    assert [row.aim for row in rows] == ["a", "b", "c", "d"]
    assert all(row.value > 0 and row.details["batch"] == 3 for row in rows)
    assert "1 forward + 4 backwards" in rows[0].what


def test_a_report_can_be_read(monkeypatch, capsys, clips):
    rows = [
        Result("a", "step", 2.0, 1.3, False, "times", {}),
        Result("b", "other", 1.0, float("inf"), False, "times", {}),
    ]
    monkeypatch.setattr(bench, "random_clip", lambda name: (clips["vit"], None))
    monkeypatch.setattr(bench, "Bench", lambda *_: None)
    monkeypatch.setattr(bench, "measured", lambda *_: iter(rows))
    monkeypatch.setattr(sys, "argv", ["tuning", "--json"])
    bench.main()
    found = json.loads(capsys.readouterr().out)["results"]
    assert [(row["met"], row["limit"]) for row in found] == [(False, 1.3), (True, None)]
    monkeypatch.setattr(sys, "argv", ["tuning"])
    bench.main()
    assert capsys.readouterr().out.splitlines() == [
        "(a) step: 2.00 times (aim <= 1.3) MISSED",
        "(b) other: 1.00 times",
    ]
