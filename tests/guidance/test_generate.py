"""From a layout to a picture: generate(), pictures(), the catalogue, presets and the command line."""

import dataclasses
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from explain import load
from explain.clip.weights import ModelUnavailable
from guidance import records
from guidance.__main__ import main
from guidance.generating import finished_alone, generate, pictures
from guidance.generators import catalogue, loading
from guidance.generators.catalogue import GENERATORS
from guidance.generators.loading import open_generator
from guidance.generators.run_cache import Ways
from guidance.generators.sampling import Sampling
from guidance.generators.vqgan import open_vqgan
from guidance.layout.parsing import Box, Layout, targets
from guidance.objectives.boxes import BoxObjective
from guidance.objectives.settings import ObjectiveSettings
from guidance.presets import PRESETS, find_preset
from tests.tiny_generators import save_diffusion, save_preview, save_vqgan

BOXES = [Box("red boat", 0.1, 0.1, 0.5, 0.6), Box("the sky", 0.5, 0.0, 1.0, 0.5)]
LAYOUT = Layout("a red boat and the sky", targets(BOXES))
BRIEF = Sampling(steps=3, guidance_scale=3.0)
FEW = ObjectiveSettings(views=2)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("generators")
    return {
        "diffusion": save_diffusion(root / "sd", cell=4, sample_size=8),
        "vqgan": save_vqgan(root / "vqgan"),
    }


@pytest.fixture(scope="module")
def clip(directories):
    return load(directories["toy"], "cpu")


@pytest.fixture(scope="module")
def diffusion(folders):
    return open_generator(folders["diffusion"], "cpu")


@pytest.fixture(params=["diffusion", "vqgan"])
def generator(request, folders, diffusion):
    return diffusion if request.param == "diffusion" else open_vqgan(folders["vqgan"], size=(32, 32))


def test_every_step_is_yielded_and_the_last_is_the_finished_picture(generator, clip):
    steps = list(generate(generator, clip, LAYOUT, 1, BRIEF, FEW))
    assert [step.index for step in steps] == [0, 1, 2, 3]
    assert [step.finished for step in steps] == [False, False, False, True]
    assert all(step.total == 3 and step.image.size == (32, 32) for step in steps)
    for step in steps:
        assert [reading.phrase for reading in step.readings] == ["red boat", "the sky"]
        assert [shown.shape for shown in step.maps] == [(4, 4)] * 2
        assert not any(torch.is_tensor(value) for value in vars(step).values())
    first = steps[0].losses
    assert set(first) == {"total", "whole", "masked", "relevance"}
    assert first["total"] == pytest.approx(
        sum(value for name, value in first.items() if name != "total"), abs=1e-5
    )
    assert steps[-1].losses == {}


def test_the_same_seed_makes_the_same_picture(generator, clip):
    def last(seed):
        *_, step = generate(generator, clip, LAYOUT, seed, BRIEF, FEW)
        return np.asarray(step.image)

    assert np.array_equal(last(1), last(1))
    assert not np.array_equal(last(1), last(2))


def test_many_at_once_are_the_same_as_alone(generator, clip):
    together = pictures(generator, clip, [LAYOUT, LAYOUT], [1, 2], BRIEF, FEW)
    for seed, image in zip([1, 2], together, strict=True):
        *_, step = generate(generator, clip, LAYOUT, seed, BRIEF, FEW)
        alone = torch.from_numpy(np.asarray(step.image).copy()).permute(2, 0, 1) / 255
        assert torch.allclose(image, alone, atol=3e-3)


def test_runs_that_differ_in_their_guide_share_where_candidates_came_to(diffusion, clip, monkeypatch):
    sampling = dataclasses.replace(BRIEF, candidates=4, regions_to=0.5)
    objectives = [ObjectiveSettings(views=1), ObjectiveSettings(views=1, masked_views=False, lambda0=5.0)]
    alone = [pictures(diffusion, clip, [LAYOUT], [1], sampling, one) for one in objectives]
    calls, ways, asked = [], Ways(), []
    forward = type(diffusion.pipe.unet).forward
    monkeypatch.setattr(
        type(diffusion.pipe.unet),
        "forward",
        lambda *given, **named: calls.append(1) or forward(*given, **named),
    )
    for objective, expected in zip(objectives, alone, strict=True):
        calls.clear()
        found = pictures(diffusion, clip, [LAYOUT], [1], sampling, objective, ways=ways)
        assert torch.equal(found, expected)
        asked.append(len(calls))
    assert asked[1] < asked[0]
    assert ways.seconds > 0


def test_weight_0_is_unguided_to_the_bit(diffusion, clip):
    """With the objective at work at every step."""
    unguided = pictures(diffusion, None, [LAYOUT], [1], BRIEF)
    idle = pictures(diffusion, clip, [LAYOUT], [1], dataclasses.replace(BRIEF, weight=0.0), FEW)
    guided = pictures(diffusion, clip, [LAYOUT], [1], BRIEF, FEW)
    assert torch.equal(unguided, idle)
    assert not torch.equal(unguided, guided)


def test_a_control_is_guided_by_another_layout(diffusion, clip):
    other = Layout(LAYOUT.prompt, targets([Box("red boat", 0.6, 0.6, 1.0, 1.0)]))
    control = pictures(diffusion, clip, [LAYOUT], [1], BRIEF, FEW, guided_by=[other])
    assert torch.equal(control, pictures(diffusion, clip, [other], [1], BRIEF, FEW))
    assert not torch.equal(control, pictures(diffusion, clip, [LAYOUT], [1], BRIEF, FEW))


def test_a_run_may_change_threads_and_be_closed(generator, clip):
    """As Gradio does it: every step on whichever thread is free; a visitor who leaves closes it."""
    steps = generate(generator, clip, LAYOUT, 1, BRIEF, FEW)
    seen = []
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        for pool in (one, other, one):
            seen.append(
                pool.submit(
                    lambda: (next(steps).index, threading.get_ident(), torch.is_grad_enabled())
                ).result()
            )
    assert [index for index, _, _ in seen] == [0, 1, 2]
    assert len({thread for _, thread, _ in seen}) == 2
    assert all(grad for _, _, grad in seen)
    steps.close()
    assert list(steps) == []


def test_a_picture_whose_guidance_is_no_number_is_reported(diffusion, clip, monkeypatch):
    from guidance.objectives.boxes import BoxObjective

    judged = BoxObjective.__call__

    def broken(self, images, step):
        judgement = judged(self, images, step)
        return dataclasses.replace(judgement, total=judgement.total * float("nan"))

    monkeypatch.setattr(BoxObjective, "__call__", broken)
    steps = list(generate(diffusion, clip, LAYOUT, 1, BRIEF, FEW))
    assert [step.skipped for step in steps] == [True, True, True, False]
    unguided = pictures(diffusion, None, [LAYOUT], [1], BRIEF)
    alone = torch.from_numpy(np.asarray(steps[-1].image).copy()).permute(2, 0, 1) / 255
    assert torch.allclose(unguided[0], alone, atol=3e-3)


# --- the catalogue ----------------------------------------------------------------------------------------


def test_the_catalogue_needs_no_torch():
    code = "import sys, guidance.generators.catalogue; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_and_missing_generators_are_refused_by_name(monkeypatch, tmp_path):
    for name in ("sd-3", "../assets", "https://example.org/model", "", None):
        with pytest.raises(ValueError, match="unknown generator"):
            catalogue.find(name)
    monkeypatch.setattr(catalogue, "MODELS", tmp_path)
    with pytest.raises(ModelUnavailable, match="missing from this copy"):
        open_generator("toy-sd")
    monkeypatch.setattr("explain.clip.weights.hub_reachable", lambda: False)
    for name in ("sd-1.5", "lcm-dreamshaper", "amused-vqgan"):
        with pytest.raises(
            ModelUnavailable, match=r"cannot be reached\. Built-in generators.*toy-sd, toy-vqgan"
        ):
            open_generator(name)


@pytest.fixture
def hub(monkeypatch, folders, tmp_path):
    """A hub that has everything; a list of what it was asked for: repository, patterns, offline."""
    asked = []

    def fetched(repository, allow_patterns, ignore_patterns, local_files_only, tqdm_class):
        asked.append((repository, allow_patterns, local_files_only))
        if tqdm_class is not None:
            tqdm_class(total=2).update(1)
        if repository == catalogue.TAESD:
            return save_preview(tmp_path / "taesd", cell=4)
        return folders["vqgan"].parent if repository.startswith("amused") else folders["diffusion"]

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetched)
    monkeypatch.setattr("explain.clip.weights.hub_reachable", lambda: True)
    return asked


def test_a_generator_of_the_hub_is_its_folder_in_the_cache(monkeypatch, hub):
    """What is fetched: the parts that are needed, safetensors alone; and the small decoder beside it."""
    model = open_generator("sd-1.5", "cpu")
    assert model.name == "sd-1.5"
    assert type(model.pipe.scheduler).__name__ == "DDIMScheduler"
    assert model.preview is not None
    assert [repository for repository, _, _ in hub] == [GENERATORS["sd-1.5"].repository, catalogue.TAESD]
    assert "unet/*.safetensors" in hub[0][1]
    assert not any("bin" in pattern or "safety_checker" in pattern for pattern in hub[0][1])
    entry = dataclasses.replace(GENERATORS["amused-vqgan"], subfolder="vqgan", size=(32, 32))
    monkeypatch.setattr(loading, "find", lambda name: entry)
    assert open_generator("amused-vqgan", "cpu").span == (0.0, 1.0)

    def fails(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fails)
    with pytest.raises(ModelUnavailable, match="could not be downloaded: no space left"):
        open_generator("sd-1.5", "cpu")


def test_files_are_fetched_ahead_and_told_of(hub):
    told = []
    loading.fetch("amused-vqgan", lambda share, what: told.append((share, what)))
    assert [repository for repository, _, _ in hub] == ["amused/amused-256"]
    assert told == [(0.5, "downloading amused/amused-256")]
    loading.fetch("toy-vqgan", lambda share, what: told.append((share, what)))
    assert len(hub) == len(told) == 1
    open_generator("sd-1.5", "cpu", download=False)
    assert [offline for _, _, offline in hub] == [False, True, True]
    with pytest.raises(ValueError, match="unknown generator"):
        loading.fetch("sd-9")


def test_what_a_seed_gives_without_guidance(diffusion, clip):
    """The same picture as a run of weight 0, with what the model that does not guide says of it."""
    sampling = dataclasses.replace(PRESETS["diffusion"]["fast"].sampling, steps=2)
    layout = Layout("a red boat", targets([Box("red boat", 0.1, 0.1, 0.6, 0.6)]))
    alone = finished_alone(diffusion, clip, layout, 3, sampling)
    *_, last = generate(diffusion, clip, layout, 3, dataclasses.replace(sampling, weight=0.0))
    assert alone.finished
    assert np.array_equal(alone.image, last.image)
    assert alone.readings[0].similarity == pytest.approx(last.readings[0].similarity)
    assert np.allclose(alone.maps[0], last.maps[0])


def test_an_objective_can_be_shared_by_runs(diffusion, clip, monkeypatch):
    """So that the guided picture and the one without guidance have their texts read once."""
    sampling = dataclasses.replace(PRESETS["diffusion"]["fast"].sampling, steps=2)
    layout = Layout("a red boat", targets([Box("red boat", 0.1, 0.1, 0.6, 0.6)]))
    *_, expected = generate(diffusion, clip, layout, 3, sampling)
    judge = BoxObjective(clip, [layout], [3])
    monkeypatch.setattr(type(clip), "encode_texts", lambda *_: pytest.fail("a text was read again"))
    *_, last = generate(diffusion, clip, layout, 3, sampling, judge)
    assert np.array_equal(last.image, expected.image)
    assert finished_alone(diffusion, clip, layout, 3, sampling, judge).finished


def test_presets_are_frozen_and_known_by_name(diffusion):
    for kind, presets in PRESETS.items():
        assert list(presets) == ["paper", "fast", "best"], kind
        assert presets["paper"].objective == ObjectiveSettings()  # paper A, nothing of ours
    assert PRESETS["vqgan"]["paper"].sampling.learning_rate == 0.1
    with pytest.raises(dataclasses.FrozenInstanceError):
        PRESETS["diffusion"]["best"].name = "worst"
    assert find_preset("best", dataclasses.replace(diffusion, name="lcm-dreamshaper")).sampling.steps == 8
    assert find_preset("best", diffusion) is PRESETS["diffusion"]["best"]
    with pytest.raises(ValueError, match="unknown preset 'good'; allowed: paper, fast, best"):
        find_preset("good", diffusion)


def test_the_built_in_vqgan_is_guided_by_the_built_in_clip():
    generator = open_generator("toy-vqgan", "cpu")
    assert generator.size == (64, 64)
    steps = list(generate(generator, load("toy-vit", "cpu"), LAYOUT, 0, Sampling(steps=8), FEW))
    assert steps[7].losses["total"] < steps[0].losses["total"]
    assert steps[-1].image.size == (64, 64)


# --- the command line -------------------------------------------------------------------------------------


@pytest.fixture
def run(folders, diffusion, directories, monkeypatch, capsys):
    """`python -m guidance generate` with the tiny models, opened once; returns exit code, stdout, stderr."""

    def opened(name, device):
        return diffusion if name == str(folders["diffusion"]) else open_generator(name, device)

    monkeypatch.setattr("guidance.commands.generate.open_generator", opened)

    def call(*arguments, box="red boat: 0.1, 0.1, 0.5, 0.6", bare=False):
        boxes = ["--box", box] if box else []
        places = ["--generator", str(folders["diffusion"]), "--clip", str(directories["toy"])]
        given = [] if bare else [*places, "--steps", "2", "--preset", "fast", *boxes]
        code = main(["generate", *given, "--device", "cpu", *arguments])
        return code, *capsys.readouterr()

    return call


def test_a_picture_its_animation_and_its_record(run, tmp_path):
    out, gif, record = (tmp_path / name for name in ("a.png", "a.gif", "a.json"))
    code, said, _ = run("--seed", "7", "-o", str(out), "--gif", str(gif), "--json", str(record))
    assert code == 0
    assert said.startswith("red boat: similarity ")
    with Image.open(gif) as animation:
        assert animation.n_frames >= 2
        assert animation.size == (256, 256)
    kept = json.loads(record.read_text())
    assert kept["prompt"] == "red boat"
    assert kept["seed"] == 7
    assert kept["sampling"]["steps"] == 2
    assert len(kept["losses"]) == 3  # two rounds of candidates take the place of the first step
    assert kept["final"]["red boat"].keys() == {"similarity", "inside", "share_inside"}


def test_json_and_png_of_a_run_make_its_picture_again(run, tmp_path):
    """With boxes and masks, and with all settings, also those that no preset has."""
    out, record, again, other = (tmp_path / name for name in ("a.png", "a.json", "b.png", "c.png"))
    mask = tmp_path / "hill.png"
    Image.linear_gradient("L").save(mask)
    asked = ("--seed", "7", "--weight", "0.5", "--mask", "hill", str(mask), "--prompt", "${a} boat – 船")
    assert run(*asked, "-o", str(out), "--json", str(record))[0] == 0
    for source in (record, out):
        assert run("--from", str(source), "-o", str(again), bare=True)[0] == 0
        assert np.array_equal(Image.open(out), Image.open(again))
        assert records.read_record(again) == records.read_record(source)
    assert run("--from", str(out), "--seed", "8", "-o", str(other), bare=True)[0] == 0
    assert not np.array_equal(Image.open(out), Image.open(other))
    kept = records.read_record(other)
    assert (kept["prompt"], kept["seed"], kept["sampling"]["weight"]) == ("${a} boat – 船", 8, 0.5)
    assert run("--from", str(out), "--preset", "fast", "--steps", "2", "-o", str(other), bare=True)[0] == 0
    assert records.read_record(other)["sampling"]["weight"] == 1.0


def test_notes_say_what_was_put_right(run, tmp_path):
    code, _, said = run("-o", str(tmp_path / "a.png"), box="red boat: 0.5, 0.5, 1.2, 0.9")
    assert code == 0
    assert "note: the box of 'red boat' was cut at the picture's border" in said


@pytest.mark.parametrize(
    ("arguments", "box", "message"),
    [
        ([], None, "picture 1 has no boxes"),
        ([], "red boat: 100, 100, 200, 200", "looks like pixels"),
        ([], "red boat: 0.5, 0.1, 0.1, 0.6", "allowed: left less than right"),
        ([], "red boat: a, 0.1, 0.5, 0.6", "left is 'a'"),
        ([], "0.1, 0.1, 0.5, 0.6", "allowed: 'phrase: left, top, right, bottom'"),
        ([], ": 0.1, 0.1, 0.5, 0.6", "allowed: 'phrase: left, top, right, bottom'"),
        (
            ["--steps", "0"],
            "red boat: 0.1, 0.1, 0.5, 0.6",
            "steps is 0; allowed: a whole number from 1 to 1000",
        ),
        (["--weight", "nan"], "red boat: 0.1, 0.1, 0.5, 0.6", "weight is nan; allowed"),
        (
            ["--seed", str(2**70)],
            "red boat: 0.1, 0.1, 0.5, 0.6",
            "allowed: a whole number from 0 to 9223372036854775807",
        ),
        (["--preset", "good"], "red boat: 0.1, 0.1, 0.5, 0.6", "unknown preset 'good'"),
        (["--generator", "nothing"], "red boat: 0.1, 0.1, 0.5, 0.6", "unknown generator 'nothing'"),
        (
            ["--generator", "toy-vqgan", "--device", "gpu"],
            "red boat: 0.1, 0.1, 0.5, 0.6",
            "unknown device 'gpu'",
        ),
        (["--clip", "nothing"], "red boat: 0.1, 0.1, 0.5, 0.6", "unknown model 'nothing'"),
        (["-o", "/nowhere/a.png"], "red boat: 0.1, 0.1, 0.5, 0.6", "cannot be written"),
        (["-o", "a.txt"], "red boat: 0.1, 0.1, 0.5, 0.6", "is no picture"),
        (["--mask", "hill", "missing.png"], None, "there is no file 'missing.png'"),
        (["--from", "missing.json"], None, "missing.json"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run, arguments, box, message):
    code, said, wrong = run(*arguments, box=box)
    assert (code, said) == (2, "")
    assert wrong.startswith("guidance generate: ")
    assert len(wrong.splitlines()) == 1
    assert message in wrong


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"generator": 5}, "generator is 5; allowed: text"),
        ({"prompt": ["a"]}, "prompt is of type list; allowed: text"),
        ({"sampling": 1}, "sampling is 1; allowed: an object with steps"),
        ({"sampling": {"speed": 1}}, "sampling has 'speed'; allowed: steps"),
        ({"sampling": {"steps": "5"}}, "steps is '5'; allowed: a whole number"),
        ({"objective": {"views": 0}}, "views is 0; allowed"),
        ({"masks": "hill"}, "the masks are 'hill'; allowed: a list"),
        ({"masks": [{"phrase": "hill", "png": "?"}]}, "a mask's png is '?'; allowed: a PNG in base64"),
        ({"masks": [{"phrase": "hill", "png": 5}]}, "a mask's png is 5; allowed: a PNG in base64"),
        ({"masks": [{"phrase": "hill", "png": "aGVsbG8="}]}, "allowed"),
        ({"boxes": [{"phrase": "red boat"}]}, "box 1: 'left' is missing"),
        ({"seed": 1.5}, "seed is 1.5; allowed"),
    ],
)
def test_a_record_with_something_wrong_is_refused(run, folders, directories, tmp_path, record, message):
    path = tmp_path / "run.json"
    good = {"boxes": [{"phrase": "red boat", "left": 0, "top": 0, "right": 1, "bottom": 1}]}
    models = {"generator": str(folders["diffusion"]), "clip": str(directories["toy"])}
    path.write_text(json.dumps(good | models | record))
    code, _, wrong = run("--from", str(path), bare=True)
    assert code == 2
    assert message in wrong
    assert len(wrong.splitlines()) == 1


def test_a_picture_without_a_run_is_refused(run, tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(path)
    assert "'photo.png' holds no run" in run("--from", str(path), bare=True)[2]
    path.write_bytes(b"no picture")
    assert run("--from", str(path), bare=True)[0] == 2


@pytest.mark.parametrize("content", ["", "[", "[1]", '"text"', "[" * 100_000])
def test_a_record_that_is_none_is_refused(run, tmp_path, content):
    path = tmp_path / "run.json"
    path.write_text(content)
    code, _, wrong = run("--from", str(path), box=None)
    assert code == 2
    assert "run.json" in wrong


def test_fifty_boxes_are_too_many(run):
    code, _, wrong = run(*(["--box", "red boat: 0.1, 0.1, 0.5, 0.6"] * 49))
    assert code == 2
    assert "50 boxes given; allowed: up to 16" in wrong


def test_an_unknown_command_is_named(capsys):
    assert main([]) == 2
    assert main(["paint"]) == 2
    assert "choose a command: generate" in capsys.readouterr().err
