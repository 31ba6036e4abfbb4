"""The benchmark of guidance: it measures what it says, and its report can be read."""

import json
import sys

import pytest
import torch

from benchmarks import guidance as bench
from benchmarks.pairs import Result
from benchmarks.shapes import toy_sd, toy_vqgan
from explain import load
from guidance.generators.sampling import Sampling


@pytest.fixture(scope="module")
def tiny(shelf):
    return shelf.model(cell=4, sample_size=8)


@pytest.fixture(scope="module")
def clip(directories):
    return load(directories["toy"], "cpu")


@pytest.fixture
def brief(monkeypatch):
    """The preset with few steps and a map that every tiny model has."""
    sampling, objective = bench.best()
    monkeypatch.setattr(bench, "best", lambda kind="diffusion": (bench.replace(sampling, steps=2), objective))


def test_every_step_is_guided_with_four_views():
    sampling, objective = bench.best()
    assert objective.views == 4
    assert all(sampling.guides(index, 20) for index in range(20))
    assert sampling.guidance_scale > 1
    assert bench.everywhere(Sampling(guide_from=0.5), steps=7) == Sampling(steps=7, guide_to=1.0)


def test_a_picture_and_its_first_preview(tiny, clip, brief):
    whole, first = bench.picture(tiny, clip, steps=3)
    assert (whole.aim, first.aim) == ("a", "b")
    assert 0 < first.value < whole.value
    assert whole.details["steps"] == 3


def test_ratios_and_growth(tiny, clip, brief):
    rows = list(bench.maps({"toy-sd": tiny}, clip, pairs=1))
    assert {row.what.split(":")[0] for row in rows} >= {"toy-sd, relevance", "toy-sd, itsm"}
    assert all(row.value > 0 for row in rows)  # how much is for an idle machine to say
    assert bench.through_unet(tiny, clip, pairs=1).at_least
    grown = bench.growth(tiny, clip, runs=3)
    assert grown.details["bytes"] > 1e6


def test_the_shapes_are_those_of_the_built_in_generators(tmp_path):
    sd, vqgan = toy_sd(tmp_path / "toy-sd"), toy_vqgan(tmp_path / "toy-vqgan")
    assert sd.size == vqgan.size == (64, 64)
    assert sd.pipe.unet.config.sample_size == 16
    assert torch.is_tensor(vqgan.codebook)


def test_a_report_can_be_read(monkeypatch, capsys):
    rows = [
        Result("a", "a picture", 12.0, 10, False, "s", {"steps": 30}),
        Result("c", "a map", 2.0, float("inf"), False, "times", {}),
        Result("d", "through the UNet", 2.0, 1.6, True, "times", {}),
    ]
    monkeypatch.setattr(bench, "_wanted", lambda *_: iter(rows))
    monkeypatch.setattr(sys, "argv", ["guidance", "--json"])
    bench.main()
    found = json.loads(capsys.readouterr().out)["results"]
    assert [row["met"] for row in found] == [False, True, True]
    assert found[1]["limit"] is None
    monkeypatch.setattr(sys, "argv", ["guidance", "--only", "a"])
    bench.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "(a) a picture: 12.00 s (aim <= 10) MISSED"
    assert lines[1] == "(c) a map: 2.00 times"
    monkeypatch.setattr(sys, "argv", ["guidance", "--only", "a,z"])
    with pytest.raises(SystemExit):
        bench.main()
