"""Edits of pictures: what may change and what stays, weight 0 and lambda 0, both ways, and what is refused."""

import dataclasses
import json
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from explain.inputs.images import PictureError, read_image
from guidance import __main__ as cli
from guidance.editing import start as edit_process
from guidance.editing.canvas import read_picture, soft, within_box, within_cells
from guidance.editing.edit import edit, finished
from guidance.editing.settings import EDITS, EditSettings, find_edit
from guidance.generators.diffusion import candidates
from guidance.generators.diffusion import model as diffusion
from guidance.generators.diffusion import process as steering
from guidance.generators.diffusion.source import Source
from guidance.generators.latents import LatentProcess, l2_to_source, ramp
from guidance.generators.memory import GenerationOutOfMemory
from guidance.generators.sampling import Sampling
from guidance.generators.vqgan import open_vqgan
from guidance.layout.parsing import Box
from guidance.objectives.words import TextSettings
from guidance.records import read_record
from tests import tiny_generators

PROMPT, WORDS = "a red boat", ["red"]
BOX = Box("red boat", 0.0, 0.0, 0.5, 1.0)
QUICK = Sampling(steps=4, guide_to=1.0)
DIFFUSION = EditSettings("diffusion", QUICK, TextSettings(views=2), strength=0.75)
LATENTS = EditSettings("latents", QUICK, TextSettings(views=2), source_weight=1.0)
BY_WAY = {"diffusion": DIFFUSION, "latents": LATENTS}


@pytest.fixture(scope="module")
def vqgan(tmp_path_factory):
    folder = tiny_generators.save_vqgan(tmp_path_factory.mktemp("generators") / "vqgan")
    return open_vqgan(folder, size=(32, 32))


@pytest.fixture
def guide(clips):
    return clips["vit"]


def pixels(picture):
    return np.asarray(picture, dtype=np.float32) / 255


def made(generator, guide, picture, settings, **changes):
    given = {"prompt": PROMPT, "words": WORDS, "seed": 3, "settings": settings, **changes}
    return list(edit(generator, guide, picture, **given))


# Steps


@pytest.mark.parametrize("way", ["diffusion", "latents"])
def test_every_step_is_for_people(shelf, guide, picture, way):
    steps = made(shelf.model(), guide, picture, BY_WAY[way])
    assert [step.index for step in steps] == list(range(len(steps)))
    assert all(step.total == len(steps) - 1 for step in steps)
    assert [step.finished for step in steps] == [False] * (len(steps) - 1) + [True]
    assert all(step.image.size == (32, 32) and step.image.mode == "RGB" for step in steps)
    parts = {"total", "similarity", "words"} | ({"source"} if way == "latents" else set())
    assert all(set(step.losses) == parts for step in steps[:-1])
    for step in steps[:-1]:
        assert step.losses["total"] == pytest.approx(sum(step.losses[n] for n in parts - {"total"}), abs=1e-5)
    assert [word.text for word in steps[-1].reading.words] == ["a", "red", "boat"]
    assert [word.weight for word in steps[-1].reading.words] == [0, 1, 0]
    assert "the picture was resized and stretched from 90 x 60 to 32 x 32" in steps[0].notes
    for step in steps:
        assert not any(isinstance(value, torch.Tensor) for value in vars(step).values())


def test_one_generator_serves_both_ways_and_both_kinds(shelf, vqgan):
    assert find_edit(shelf.model()).way == "diffusion"
    assert find_edit(shelf.model(), "latents") == EDITS["latents"]
    assert find_edit(vqgan).way == "latents"
    with pytest.raises(ValueError, match="way is 'diffusion'; allowed: latents"):
        find_edit(vqgan, "diffusion")


@pytest.mark.parametrize("way", ["diffusion", "latents"])
def test_the_same_seed_makes_the_same_picture(shelf, guide, picture, way):
    first, again = (made(shelf.model(), guide, picture, BY_WAY[way])[-1].image for _ in range(2))
    other = made(shelf.model(), guide, picture, BY_WAY[way], seed=4)[-1].image
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_steps_may_be_taken_by_several_threads(shelf, guide, picture):
    expected = made(shelf.model(), guide, picture, DIFFUSION)
    steps, found = edit(shelf.model(), guide, picture, PROMPT, WORDS, 3, DIFFUSION), []
    for _ in expected:
        thread = threading.Thread(target=lambda: found.append(next(steps)))
        thread.start()
        thread.join()
    assert found[-1].image.tobytes() == expected[-1].image.tobytes()
    assert torch.is_grad_enabled()


# Weights of 0


def test_weight_0_is_image_to_image(shelf, guide, picture):
    model = shelf.model()
    steps = made(model, guide, picture, replace(DIFFUSION, sampling=replace(QUICK, weight=0)))
    process = model.begin(
        [PROMPT], [3], QUICK.alone, source=Source(model.latents(read_picture(picture, (32, 32)).image), 0.75)
    )
    for _ in range(process.total):
        process.advance()
    plain = (process.finish()[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    assert np.array_equal(np.asarray(steps[-1].image), plain)
    assert all(step.losses for step in steps[:-1])  # the guide was asked all the same
    off = made(model, guide, picture, replace(DIFFUSION, sampling=replace(QUICK, mode="off")))
    assert off[-1].image.tobytes() == steps[-1].image.tobytes()
    assert not any(step.losses for step in off)


@pytest.mark.parametrize("way", ["diffusion", "latents"])
def test_lambda_0_is_as_without_words(shelf, guide, picture, way):
    settings = BY_WAY[way]
    bare = replace(settings, objective=replace(settings.objective, weight=0.0))
    without, wordless, full = (
        made(shelf.model(), guide, picture, chosen, words=words)[-1]
        for chosen, words in ((bare, WORDS), (settings, []), (settings, WORDS))
    )
    assert without.image.tobytes() == wordless.image.tobytes()
    assert without.image.tobytes() != full.image.tobytes()


def test_words_are_left_out_where_the_prompt_suffers(shelf, guide, picture):
    """Guarded, the better of both pictures comes out: that with the words counted, or that of lambda 0."""
    sampling = replace(QUICK, candidates=2)
    settings = replace(DIFFUSION, sampling=sampling, where="everywhere")
    bare = replace(settings, objective=replace(settings.objective, weight=0.0))
    kept = {True: 0, False: 0}
    for seed in range(6):
        ours, theirs = (made(shelf.model(), guide, picture, each, seed=seed)[-1] for each in (settings, bare))
        steps = made(shelf.model(), guide, picture, replace(settings, guarded=True), seed=seed)
        left_out = theirs.reading.similarity > ours.reading.similarity
        assert steps[-1].image.tobytes() == (theirs if left_out else ours).image.tobytes()
        assert any("so they are left out" in note for note in steps[-1].notes) == left_out
        assert [step.index for step in steps] == list(range(2 * ours.total + 1))
        assert {step.total for step in steps} == {2 * ours.total}
        assert [word.weight for word in steps[-1].reading.words] == [
            word.weight for word in ours.reading.words
        ]
        kept[left_out] += 1
    assert min(kept.values()) > 0  # both happen


def test_a_guarded_edit_finds_nothing_out_twice(shelf, guide, picture, monkeypatch):
    """Where to change, the picture's latents, its noise, and where candidates come to."""
    found = []

    def counted(name, ask):
        return lambda *given: found.append(name) or ask(*given)

    monkeypatch.setattr(edit_process, "change_mask", counted("cells", edit_process.change_mask))
    monkeypatch.setattr(edit_process, "inverted_noise", counted("noise", edit_process.inverted_noise))
    monkeypatch.setattr("guidance.generators.diffusion.model.encoded", counted("latents", diffusion.encoded))
    settings = replace(DIFFUSION, guarded=True, where="auto", begin="inversion")
    steps = made(shelf.model(), guide, picture, settings, caption="a cat")
    assert steps[-1].total == 6
    assert sorted(found) == ["cells", "latents", "noise"]


@pytest.mark.parametrize("changes", [{"weight": 0.0}, {"mode": "off"}, {"words": []}])
def test_where_words_do_nothing_there_is_nothing_to_guard(shelf, guide, picture, changes):
    settings = replace(DIFFUSION, guarded=True)
    if "mode" in changes:
        settings = replace(settings, sampling=replace(QUICK, mode="off"))
    if "weight" in changes:
        settings = replace(settings, objective=replace(settings.objective, weight=0.0))
    steps = made(shelf.model(), guide, picture, settings, words=changes.get("words", WORDS))
    assert steps[-1].total == 3  # of four steps, what the strength leaves


# Where it may change


@pytest.mark.parametrize("way", ["diffusion", "latents"])
def test_outside_the_box_nothing_changes(shelf, guide, way):
    """To the bit, beyond the soft edge of two pixels."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    steps = made(shelf.model(), guide, picture, replace(BY_WAY[way], strength=1.0), box=BOX)
    for step in steps:
        assert np.array_equal(np.asarray(step.image)[:, 18:], np.asarray(picture)[:, 18:])
        assert step.place.shape == (32, 32)
        assert step.place[:, :16].min() == 1
        assert step.place[:, 18:].max() == 0
    assert np.abs(pixels(steps[-1].image)[:, :16] - pixels(picture)[:, :16]).mean() > 0.05


def test_a_vqgan_is_edited_within_a_box(vqgan, guide, picture):
    steps = made(vqgan, guide, picture, find_edit(vqgan).__class__("latents", QUICK), box=BOX)
    small = np.asarray(picture.resize((32, 32), Image.Resampling.BOX))
    assert np.array_equal(np.asarray(steps[-1].image)[:, 18:], small[:, 18:])
    assert not np.array_equal(np.asarray(steps[-1].image)[:, :16], small[:, :16])


def test_a_place_that_is_found(shelf, guide, picture, monkeypatch):
    cells = torch.tensor([1.0, 0, 0, 0]).expand(1, 1, 4, 4)
    asked = []

    def found(pipe, latents, prompt, caption, seed, threshold):
        asked.append((prompt, caption, seed, threshold))
        return cells

    monkeypatch.setattr("guidance.editing.start.change_mask", found)
    settings = replace(DIFFUSION, where="auto", threshold=0.4)
    steps = made(shelf.model(), guide, picture, settings, caption="a blue boat")
    assert asked == [(PROMPT, "a blue boat", 3, 0.4)]
    small = np.asarray(picture.resize((32, 32), Image.Resampling.BOX))
    assert np.array_equal(np.asarray(steps[-1].image)[:, 10:], small[:, 10:])
    made(shelf.model(), guide, picture, settings, box=BOX)
    assert len(asked) == 1  # a box says where


def test_the_caption_is_led_away_from(shelf, guide, picture):
    last = {
        (away, caption): made(shelf.model(), guide, picture, replace(DIFFUSION, away=away), caption=caption)[
            -1
        ].image.tobytes()
        for away in (True, False)
        for caption in ("a boat", "")
    }
    assert last[True, "a boat"] != last[True, ""] == last[False, ""] == last[False, "a boat"]


def test_inversion_is_of_the_caption(shelf, guide, picture, monkeypatch):
    asked = []

    def inverted(pipe, latents, prompts, steps, begun):
        asked.append((prompts, steps, begun))
        return torch.ones_like(latents)

    monkeypatch.setattr("guidance.editing.start.inverted_noise", inverted)
    settings = replace(DIFFUSION, begin="inversion", sampling=replace(QUICK, mode="off"))
    first, other = (
        made(shelf.model(), guide, picture, settings, caption="a boat", seed=seed)[-1].image
        for seed in (3, 4)
    )
    assert asked == [(["a boat"], 4, 1)] * 2
    assert first.tobytes() == other.tobytes()  # no noise is drawn
    drawn = made(shelf.model(), guide, picture, replace(settings, begin="noise"), caption="a boat")
    assert first.tobytes() != drawn[-1].image.tobytes()


def test_a_box_whose_phrase_says_nothing_of_the_prompt(shelf, guide, picture):
    """What is in it is drawn from the prompt, and so it is where phrases are not drawn from."""
    sampling = replace(QUICK, mode="off")
    placed = replace(DIFFUSION, sampling=replace(sampling, regions_to=1.0), strength=1.0)
    here = replace(BOX, phrase="here, of a kind")
    last = {
        name: made(shelf.model(), guide, picture, settings, box=box)[-1]
        for name, settings, box in (
            ("here", placed, here),
            ("said", placed, replace(BOX, phrase="a boat")),
            ("off", replace(placed, sampling=sampling), here),
        )
    }
    assert last["here"].image.tobytes() == last["off"].image.tobytes() != last["said"].image.tobytes()
    assert any("no word of 'here, of a kind'" in note for note in last["here"].notes)
    assert not any("no word of" in note for note in last["said"].notes)


def test_without_a_caption_the_place_is_a_guess(shelf, guide, picture):
    settings = replace(DIFFUSION, where="auto", sampling=Sampling(steps=1, mode="off"))
    notes = {
        caption: made(shelf.model(), guide, picture, settings, caption=caption)[-1].notes
        for caption in ("", "a")
    }
    assert any("little more than a guess" in note for note in notes[""])
    assert not any("little more than a guess" in note for note in notes["a"])


def test_soft_edges():
    mask = torch.zeros(1, 1, 40, 40)
    mask[..., 10:20, 10:20] = 1
    found = soft(mask, 0.05)[0, 0]
    assert found[10:20, 10:20].min() == 1
    assert found[15, 19:24].tolist() == pytest.approx([1, 0.8, 0.6, 0.4, 0.2])
    assert found[15, 24] == 0
    assert torch.equal(soft(mask, 0.0), mask)
    assert torch.equal(soft(torch.ones(1, 1, 8, 8), 0.25), torch.ones(1, 1, 8, 8))


def test_cells_that_a_box_touches():
    canvas = read_picture(Image.new("RGB", (32, 24)), (24, 32))
    assert canvas.place is None
    boxed = within_box(canvas, Box("x", 0.3, 0.0, 0.5, 0.34), 8, 0.0)
    assert boxed.cells[0, 0].tolist() == [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert boxed.place.sum() == pytest.approx(0.2 * 32 * 0.34 * 24, rel=1e-5)
    cells = within_cells(canvas, boxed.cells, 0.0)
    assert cells.place.sum() == 2 * 64
    assert np.array_equal(cells.composed(torch.ones(1, 3, 24, 32))[0, 0].numpy(), cells.place)


# Latents


def test_the_rate_goes_up_and_down():
    assert [ramp(x) for x in (0, 0.025, 0.05, 0.5, 0.75)] == pytest.approx([0, 0.5, 1, 1, 1])
    assert ramp(0.875) == pytest.approx(0.5)
    assert ramp(1.0) == pytest.approx(0)


def test_latents_keep_to_where_they_began(shelf):
    """The loss and its gradient against the formula, by autograd, and Adam by torch on the whole of it."""
    model, weight, rate, total = shelf.model(), 3.0, 0.1, 6
    start = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    process = LatentProcess(model, [start.clone()], total, rate, True, weight)
    mine = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([mine], lr=rate)
    for step in range(total):
        optimizer.param_groups[0]["lr"] = rate * ramp(step / total)
        near = l2_to_source(mine, start) / start.square().sum()
        loss = tiny_generators.redness(model.images(mine), step) + weight * near
        optimizer.zero_grad()
        loss.sum().backward()
        advance = process.advance(tiny_generators.redness)
        torch.testing.assert_close(advance.losses, loss.detach(), rtol=1e-4, atol=1e-5)
        optimizer.step()
    torch.testing.assert_close(process.latents, mine.detach(), rtol=1e-3, atol=1e-3)


def test_a_heavier_source_keeps_more(shelf, guide, picture):
    model = shelf.model()
    latents = model.latents(read_picture(picture, model.size).image)
    moved = []
    for weight in (0.0, 1.0, 100.0):
        process = LatentProcess(model, [latents.clone()], 8, 0.1, True, weight)
        for _ in range(8):
            process.advance(tiny_generators.redness)
        moved.append(float((process.latents - latents).square().sum()))
    assert moved[0] > moved[1] > moved[2] > 0


# Bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": "\u200b \n"}, "the prompt is empty"),
        ({"prompt": None}, "the prompt is None; allowed: text"),
        ({"words": ["green"]}, "'green' is not in the prompt; allowed: a, red, boat"),
        ({"words": {"red": float("nan")}}, "the weight of 'red' is nan"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**64}, "seed is"),
        ({"box": (0, 0, 1, 1)}, "the box is of type tuple; allowed: a Box"),
        ({"caption": 3}, "the caption is 3; allowed: text"),
        ({"picture": "scene.png"}, "the picture is 'scene.png'; allowed: a PIL picture"),
        ({"picture": None}, "the picture is None"),
    ],
)
def test_what_is_refused_before_the_first_step(shelf, guide, picture, changes, message):
    given = {"picture": picture, "prompt": PROMPT, "words": WORDS, "settings": DIFFUSION} | changes
    with pytest.raises(ValueError, match=message):
        edit(shelf.model(), guide, **given)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"way": "magic"}, "way is 'magic'; allowed: diffusion, latents"),
        ({"begin": "end"}, "begin is 'end'; allowed: noise, inversion"),
        ({"where": "here"}, "where is 'here'; allowed: everywhere, auto"),
        ({"strength": 0}, "strength is 0; allowed: a number from 0.01 to 1"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"threshold": 2}, "threshold is 2; allowed: a number from 0 to 1"),
        ({"source_weight": -1}, "source_weight is -1"),
        ({"edge": 0.5}, "edge is 0.5; allowed: a number from 0 to 0.25"),
        ({"away": 1}, "away is 1; allowed: True, False"),
        ({"guarded": "no"}, "guarded is 'no'; allowed: True, False"),
        ({"sampling": None}, "sampling is None; allowed: Sampling"),
        ({"objective": {}}, "objective is of type dict; allowed: TextSettings"),
    ],
)
def test_settings_out_of_range(changes, message):
    with pytest.raises(ValueError, match=message):
        EditSettings(**changes)


def test_a_way_that_a_generator_cannot_go(vqgan, guide, picture):
    with pytest.raises(ValueError, match="way is 'diffusion'; allowed: latents"):
        edit(vqgan, guide, picture, PROMPT, WORDS, settings=DIFFUSION)


def test_pictures_of_all_kinds(shelf, guide, tmp_path):
    quick = replace(DIFFUSION, sampling=Sampling(steps=1, mode="off"))
    for kind in (
        Image.new("CMYK", (9, 7)),
        Image.new("LA", (1, 1)),
        Image.new("I;16", (50, 1)),
        Image.new("1", (8, 8)),
    ):
        assert made(shelf.model(), guide, kind, quick)[-1].image.size == (32, 32)
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(PictureError):
        made(shelf.model(), guide, read_image(tmp_path / "cut.png"), quick)


@pytest.mark.parametrize("way", ["diffusion", "latents"])
def test_out_of_memory(shelf, guide, picture, way, monkeypatch):
    def full(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    steps = edit(shelf.model(), guide, picture, PROMPT, WORDS, settings=BY_WAY[way])
    monkeypatch.setattr("guidance.generators.gradients.image_gradients", full)
    with pytest.raises(GenerationOutOfMemory, match=r"a picture of 32 x 32 did not fit.*fewer views"):
        finished(steps)
    monkeypatch.setattr("guidance.generators.diffusion.model.encoded", full)
    with pytest.raises(GenerationOutOfMemory, match="did not fit in memory"):
        edit(shelf.model(), guide, picture, PROMPT, WORDS, settings=BY_WAY[way])


# On the command line


@pytest.fixture
def here(tmp_path, monkeypatch, picture, shelf, directories):
    """A folder with a picture, and the options that name tiny models."""
    monkeypatch.chdir(tmp_path)
    picture.save("scene.png")
    models = ["--generator", str(shelf.folder()), "--clip", str(directories["vit"]), "--device", "cpu"]
    return [*models, "--steps", "3", "--candidates", "1", "--views", "2"]


def test_the_command(here, tmp_path, capsys):
    asked = ["edit", "scene.png", "--prompt", PROMPT, "--words", "red", "boat=0.5"]
    asked += ["--box", "red boat: 0, 0, 0.5, 1", "--lambda", "2", "--strength", "0.9"]
    files = ["--compare", "-o", "out.png", "--json", "run.json", "--gif", "run.gif"]
    assert cli.main([*asked, *here, *files]) == 0
    said = capsys.readouterr()
    assert "similarity" in said.out
    assert "with lambda 0: similarity" in said.out
    assert "note: the picture was resized" in said.err
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["words"] == {"red": 1.0, "boat": 0.5}
    assert record["settings"]["objective"]["weight"] == 2
    assert record["settings"]["strength"] == 0.9
    assert record["box"]["right"] == 0.5
    assert len(record["losses"]) == 2  # of three steps, the share that the strength leaves
    assert {word["word"] for word in record["final"]["words"]} == {"a", "red", "boat"}
    assert record["compared"]["similarity"] != record["final"]["similarity"]
    assert read_record(tmp_path / "out.png") == record
    assert read_image("out-lambda0.png").size == (32, 32)
    with Image.open("run.gif") as run:
        assert run.n_frames > 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--words", "green"], "'green' is not in the prompt"),
        (["--words", "red=nan"], "the weight of 'red' is nan"),
        (["--words", "red=much"], "the weight of 'red' is 'much'"),
        (["--prompt", " "], "the prompt is empty"),
        (["--box", "boat: 2, 2, 3, 3"], "the box of 'boat'"),
        (["--strength", "7"], "strength is 7"),
        (["--lambda", "-1"], "the weight of words is -1"),
        (["--way", "magic"], "way is 'magic'"),
        (["--way", "latents"], "--candidates does nothing where latents are moved"),
        (["--box", "boat: 0, 0, 1, 1", "--where", "auto"], "--where does nothing beside a box"),
        (["-o", "out.txt"], "'out.txt' is no picture"),
        (["-o", "./scene.png"], "is the picture itself; allowed: another file"),
        (["-o", "nowhere/out.png"], "cannot be written"),
    ],
)
def test_a_command_that_is_refused(here, capsys, changes, message):
    assert cli.main(["edit", "scene.png", "--prompt", PROMPT, *here, *changes]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("guidance edit: ")
    assert said.count("\n") == 1


def test_an_edit_is_made_again_from_its_files(here, tmp_path):
    """From the JSON and from the PNG; with something else where that is asked for."""
    asked = ["edit", "scene.png", "--prompt", PROMPT, "--words", "red", "boat=0.5", "--seed", "3"]
    asked += ["--box", "red boat: 0, 0, 0.5, 1", "--caption", "a cat", "--lambda", "2"]
    assert cli.main([*asked, *here, "-o", "out.png", "--json", "run.json"]) == 0
    record = json.loads((tmp_path / "run.json").read_text())
    device = ["--device", "cpu", "-o", "again.png"]
    for source in ("run.json", "out.png"):
        again = ["edit", "scene.png", "--from", source, *device]
        assert cli.main(again) == 0
        assert read_record(tmp_path / "again.png") == record
        assert read_image("again.png").tobytes() == read_image("out.png").tobytes()
    assert cli.main([*again, "--seed", "4", "--lambda", "0"]) == 0
    other = read_record(tmp_path / "again.png")
    weights = other["settings"]["objective"]["weight"], record["settings"]["objective"]["weight"]
    assert (other["seed"], weights, other["words"]) == (4, (0, 2), record["words"])
    assert cli.main([*again, "--prompt", "a blue boat"]) == 0
    assert read_record(tmp_path / "again.png")["words"] == {}
    assert cli.main([*again, "--where", "auto"]) == 2  # it has a box
    assert cli.main([*again, "--way", "latents", "--steps", "2"]) == 0
    assert read_record(tmp_path / "again.png")["settings"]["source_weight"] > 0


def test_what_a_file_does_not_say(here, tmp_path):
    """One from before there was a guard was made without it; another generator has its own guide and settings."""
    record = {"prompt": PROMPT, "words": {"red": 1.0}, "caption": "", "box": None, "seed": 0}
    record |= {"generator": here[1], "clip": here[3], "settings": {"way": "diffusion", "strength": 0.5}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    quick = ["--device", "cpu", "--steps", "4", "--candidates", "1"]
    assert cli.main(["edit", "scene.png", "--from", "run.json", *quick]) == 0
    made = read_record(tmp_path / "out.png")
    assert (made["settings"]["guarded"], made["settings"]["strength"], made["clip"]) == (False, 0.5, here[3])
    (tmp_path / "run.json").write_text(json.dumps(record | {"generator": "toy-sd"}))
    assert cli.main(["edit", "scene.png", "--from", "run.json", *here[:2], *quick]) == 0
    made = read_record(tmp_path / "out.png")
    assert (made["settings"]["guarded"], made["settings"]["strength"], made["clip"]) == (
        True,
        None,
        "toy-vit",
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"caption": 3}, "the caption is 3"),
        ({"words": "red"}, "the words are 'red'"),
        ({"words": [["red"]]}, "a word is of type list"),
        ({"box": [1]}, "box 1: it is of type list"),
        ({"box": {"phrase": "boat"}}, "'left' is missing"),
        ({"seed": "3"}, "seed is '3'"),
        ({"settings": []}, "settings is of type list"),
        ({"settings": {"way": ["diffusion"]}}, "way is of type list"),
        ({"settings": {"depth": 3}}, "settings has 'depth'"),
        ({"settings": {"sampling": 3}}, "sampling is 3; allowed: an object"),
        ({"settings": {"objective": {"weight": "much"}}}, "the weight of words is 'much'"),
        ({"prompt": None}, "prompt is None"),
    ],
)
def test_a_file_that_is_no_edit(here, tmp_path, capsys, changes, message):
    record = {"prompt": PROMPT, "words": ["red"], "caption": "", "box": None, "seed": 0, "settings": {}}
    (tmp_path / "run.json").write_text(json.dumps(record | changes))
    assert cli.main(["edit", "scene.png", "--from", "run.json", *here]) == 2
    assert message in capsys.readouterr().err
    (tmp_path / "bare.json").write_text(json.dumps({"prompt": PROMPT}))
    assert cli.main(["edit", "scene.png", "--from", "bare.json", *here]) == 2
    assert "'bare.json' holds no edit" in capsys.readouterr().err
    assert cli.main(["edit", "scene.png", *here]) == 2
    assert "it is not said what the picture should show" in capsys.readouterr().err


def test_the_comparison_tries_its_noises_once(here, monkeypatch):
    walked = []
    monkeypatch.setattr(
        steering, "walk", lambda *given: walked.append(len(given[2])) or candidates.walk(*given)
    )
    for compare in ([], ["--compare"]):
        walked.clear()
        asked = ["edit", "scene.png", "--prompt", PROMPT, "--words", "red", *here, "--candidates", "3"]
        assert cli.main([*asked, *compare]) == 0
        assert sum(walked) == 3


def test_a_picture_that_is_none(here, tmp_path, capsys):
    (tmp_path / "text.png").write_text("no picture")
    assert cli.main(["edit", "text.png", "--prompt", PROMPT, *here]) == 2
    assert "'text.png' is not a picture" in capsys.readouterr().err
    assert cli.main(["edit", "missing.png", "--prompt", PROMPT, *here]) == 2


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        EDITS["diffusion"].strength = 0.1
