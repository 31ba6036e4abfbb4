"""Pictures told apart by a learnt prompt: the function, and python -m guidance classify."""

import json

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import explain
from explain.inputs.folders import NamedPicture, read_folder
from guidance import __main__ as guidance
from guidance.commands.classify import accuracy, classify
from guidance.tuning.crops import encoded
from guidance.tuning.prompt_learner import ContextSettings, PromptLearner
from guidance.tuning.saved import KEY, load_context, save_context
from guidance.tuning.tune import HeldOut

NAMES = ("red cat", "boat à mer", "car")


@pytest.fixture
def toy(clips):
    return clips["toy"]


@pytest.fixture
def folder(tmp_path):
    """Four, three and two pictures of three classes."""
    for number, (name, count) in enumerate(zip(("red_cat", *NAMES[1:]), (4, 3, 2), strict=True)):
        for picture in range(count):
            saved(tmp_path / "pictures" / name / f"{picture}.png", (60 * number, 40 * picture, 90))
    return tmp_path / "pictures"


def saved(path, colour=(90, 0, 0)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (24, 20), colour).save(path)


@pytest.fixture
def context(toy, tmp_path_factory):
    """A prompt for the classes of `folder`, at the start of its learning."""
    learner = PromptLearner(toy, NAMES, ContextSettings(tokens=2), seed=1)
    path = tmp_path_factory.mktemp("context") / "c.safetensors"
    save_context(path, learner)
    return path


def test_pictures_find_their_class(toy, context, folder):
    learner = load_context(context, toy)
    files = read_folder(folder)
    found = classify(learner, files.readable([]))
    assert [one.name for one in found] == [path.relative_to(folder).as_posix() for path, _ in files.files]
    assert [learner.names[one.own] for one in found] == ["boat à mer"] * 3 + ["car"] * 2 + ["red cat"] * 4
    images = encoded(toy, [Image.open(path).convert("RGB") for path, _ in files.files])
    expected = (toy.logit_scale * images.double() @ learner.features().double().T).softmax(-1)
    probabilities = torch.tensor([one.probabilities for one in found], dtype=torch.float64)
    torch.testing.assert_close(probabilities, expected)
    held = HeldOut(images, torch.tensor([one.own for one in found]))
    assert accuracy(found) == pytest.approx(held.accuracy(learner.features()))
    assert [one.best for one in found] == expected.argmax(-1).tolist()
    unknown = [NamedPicture("a", None, Image.new("RGB", (9, 9)))]
    assert accuracy(classify(learner, unknown)) is None


def test_classify_reads_what_tune_and_the_page_saved(context, folder, directories, capsys, tmp_path):
    command = ["classify", str(folder), "--context", str(context), "--model", str(directories["toy"])]
    (folder / "car" / "broken.png").write_bytes(b"no picture")
    (folder / "nothing").mkdir()
    written = tmp_path / "found.json"
    assert guidance.main([*command, "--json-file", str(written)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "left out: nothing: the folder has no pictures"
    assert said[1].startswith("left out: car/broken.png: ")
    assert said[-1].endswith("of 9 pictures")
    assert len(said) == 12
    report = json.loads(written.read_text())
    right = [one["own"] == one["class"] for one in report["pictures"]]
    assert report["accuracy"] == sum(right) / 9
    assert sum(", but it is " in line for line in said) == 9 - sum(right)
    command[1] = str(folder / "car" / "0.png")
    assert guidance.main([*command, "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["pictures"]
    assert one["own"] is None
    assert one["class"] == max(one["probabilities"], key=one["probabilities"].get)


def test_classify_takes_the_model_that_the_prompt_was_learnt_for(folder, tmp_path, capsys):
    path = tmp_path / "c.safetensors"
    save_context(path, PromptLearner(explain.load("toy-vit", "cpu"), NAMES, ContextSettings(tokens=2)))
    assert guidance.main(["classify", str(folder), "--context", str(path), "--json", "--device", "cpu"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "toy-vit"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pictures": "nowhere.png"}, "guidance classify: nowhere.png: there is no file"),
        ({"pictures": "empty"}, "there is no picture in"),
        ({"pictures": "broken"}, "there is no picture that can be used; the first: a.png"),
        ({"pictures": "others"}, "is in the folder 'dog'; allowed: red cat, boat à mer, car"),
        ({"--context": "nowhere.safetensors"}, "allowed: a context that `tune` saved"),
        ({"--context": "broken/a.png"}, "allowed: a context that `tune` saved"),
        ({"--model": None}, "was learnt for 'toy'; allowed: --model with its directory"),
        ({"--model": "toy-vit"}, "learnt for 'toy', not for toy-vit"),
        ({"--json-file": "no/such/folder/a.json"}, "cannot be written"),
    ],
)
def test_what_classify_refuses(context, directories, tmp_path, capsys, changes, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"no picture")
    for name in ("dog", "car"):
        saved(tmp_path / "others" / name / "a.png")
    given = {
        "pictures": "others/car",
        "--context": str(context),
        "--model": str(directories["toy"]),
    } | changes
    command = ["classify", str(tmp_path / given.pop("pictures"))]
    for option, value in given.items():
        command += [option, str(value) if option == "--model" else str(tmp_path / value)] if value else []
    assert guidance.main(command) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err.strip().splitlines()[-1]


def test_a_context_that_does_not_say_for_which_model(toy, context, folder, capsys, tmp_path):
    learnt, path = load_context(context, toy).context.detach(), tmp_path / "c.safetensors"
    for record, message in (
        ({"model": 3}, "for which model"),
        ({}, "for which model"),
        ([1], "says nothing"),
    ):
        save_file({"context": learnt}, path, {KEY: json.dumps(record)})
        assert guidance.main(["classify", str(folder), "--context", str(path)]) == 2
        assert message in capsys.readouterr().err
