"""Pictures of classes: folders, lists and drawn tasks; rivals of tuning; the commands."""

import io
import json
import math
import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import explain
from explain.commands.console import Progress
from guidance import __main__ as guidance
from guidance.evaluation.tuning import rivals
from guidance.evaluation.tuning import run as comparison
from guidance.evaluation.tuning.measure import measured, tuned, tuned_alike
from guidance.evaluation.tuning.rivals import linear_probe, tip_adapter, zero_shot
from guidance.evaluation.tuning.run import BASE, OTHERS, STARTS, Plan, coop_of, run
from guidance.evaluation.tuning.text import as_text
from guidance.tuning import examples as of_examples
from guidance.tuning.examples import REST, GivenExamples, open_examples
from guidance.tuning.lesson import lesson
from guidance.tuning.prompt_learner import ContextSettings, PromptLearner
from guidance.tuning.saved import load_context
from guidance.tuning.settings import TuningSettings, Variant
from tests.conftest import config, save_byte_bpe, save_model
from toyland.tasks import PIXELS, SETS, TASKS, TESTS, find_task, largest
from toyland.world.scene import UNSEEN_PAIRS, USUAL_PLACES


@pytest.fixture
def toy(clips):
    return clips["toy"]


def colour(*rgb, size=(24, 20)):
    return Image.new("RGB", size, rgb)


@pytest.fixture
def folder(tmp_path):
    """Three classes with four, three and two pictures."""
    for number, (name, count) in enumerate((("red_cat", 4), ("boat à mer", 3), ("car", 2))):
        (tmp_path / name).mkdir()
        for picture in range(count):
            colour(60 * number, 40 * picture, 90).save(tmp_path / name / f"picture {picture}.png")
    return tmp_path


# Folders


def test_a_folder_per_class(folder, toy):
    (folder / "car" / "notes.txt").write_text("no picture")
    (folder / ".hidden").mkdir()
    (folder / "car" / ".thumb.png").write_bytes(b"")
    examples = open_examples(str(folder))
    assert examples.names == ("boat à mer", "car", "red cat")
    draw = examples.draw(toy, 2, seed=0)
    assert draw.labels == (0, 0, 1, 1, 2, 2)
    held = draw.held_out[REST]
    assert held.labels.tolist() == [0, 2, 2]
    again, other = examples.draw(toy, 2, seed=0), examples.draw(toy, 2, seed=3)
    assert [p.tobytes() for p in again.pictures] == [p.tobytes() for p in draw.pictures]
    assert [p.tobytes() for p in other.pictures] != [p.tobytes() for p in draw.pictures]
    whole = open_examples(str(folder)).draw(toy, 1, seed=0)
    shown = {picture.tobytes() for picture in whole.pictures}
    rest = [
        picture
        for name in ("boat à mer", "car", "red_cat")
        for picture in _pictures(folder / name)
        if picture.tobytes() not in shown
    ]
    expected = toy.encode_images(toy.prepare(rest))
    torch.testing.assert_close(whole.held_out[REST].features, expected, atol=1e-5, rtol=0)


def _pictures(folder):
    return [Image.open(path).convert("RGB") for path in sorted(folder.glob("picture*.png"))]


def test_all_pictures_learnt_from_leave_none_to_try(folder, toy):
    for name in ("red_cat", "boat à mer"):
        for path in sorted((folder / name).iterdir())[2:]:
            path.unlink()
    assert open_examples(str(folder)).draw(toy, 2, seed=0).held_out == {}


def test_a_corrupt_picture_is_named_skipped_and_counted(folder, toy):
    good = (folder / "car" / "picture 0.png").read_bytes()
    (folder / "car" / "cut.png").write_bytes(good[: len(good) // 2])
    (folder / "red_cat" / "empty.jpg").write_bytes(b"")
    examples = open_examples(str(folder))
    draw = examples.draw(toy, 1, seed=0)
    assert len(draw.held_out[REST].labels) == 6
    assert examples.notes[0] == "2 of 11 pictures could not be read"
    assert "'cut.png'" in examples.notes[1]
    assert "'empty.jpg'" in examples.notes[2]


def test_folders_that_cannot_be_learnt_from(folder, toy, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(ValueError, match="there is no picture in"):
        open_examples(str(empty))
    with pytest.raises(ValueError, match="holds no folders; allowed: one for each class"):
        open_examples(str(folder / "car"))
    with pytest.raises(ValueError, match="there is no folder"):
        open_examples(str(empty / "nothing"))
    (empty / "cat").mkdir()
    colour(1, 2, 3).save(empty / "cat" / "a.png")
    with pytest.raises(ValueError, match="1 classes with pictures; allowed: 2 or more"):
        open_examples(str(empty))
    (empty / "dog").mkdir()
    with pytest.raises(ValueError, match="the class 'dog' has no pictures"):
        open_examples(str(empty))
    (empty / "dog" / "b.png").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=r"no picture of the class 'dog' can be read.*'b.png'"):
        open_examples(str(empty)).draw(toy, 1, 0)
    colour(1, 2, 3).save(empty / "dog" / "same.bmp")
    with pytest.raises(ValueError, match="same picture is in the classes 'cat' and 'dog'"):
        open_examples(str(empty)).draw(toy, 1, 0)
    with pytest.raises(ValueError, match=r"'car' has 2 pictures and 3 shots were asked for; allowed: 1 to 2"):
        open_examples(str(folder)).draw(toy, 3, 0)
    with pytest.raises(ValueError, match="shots is 17"):
        open_examples(str(folder)).draw(toy, 17, 0)


def test_links_that_lead_outside_are_left_out(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    colour(9, 9, 9).save(outside / "secret.png")
    os.symlink(outside / "secret.png", folder / "car" / "secret.png")
    os.symlink(outside, folder / "dog")
    os.symlink(folder / "car" / "loop.png", folder / "car" / "loop.png")
    with pytest.raises(ValueError, match="the class 'dog' has no pictures"):
        open_examples(str(folder))
    (folder / "dog").unlink()
    examples = open_examples(str(folder))
    assert set(examples.classes) == {"boat à mer", "car", "red cat"}
    assert [path.name for path in examples.classes["car"]] == ["picture 0.png", "picture 1.png"]
    assert ["secret.png" in note or "loop.png" in note for note in examples.skipped] == [True, True]


def test_folders_whose_names_are_the_same_to_people(folder):
    (folder / "red cat").mkdir()
    colour(3, 2, 1).save(folder / "red cat" / "c.png")
    with pytest.raises(ValueError, match="two folders are called 'red cat'"):
        open_examples(str(folder))


def test_pictures_are_encoded_once_for_all_seeds(folder, toy, monkeypatch):
    calls = []
    monkeypatch.setattr(of_examples, "encoded", lambda clip, p: calls.append(1) or rivals_encoded(clip, p))
    examples = open_examples(str(folder))
    for seed in range(3):
        examples.draw(toy, 1, seed)
    assert len(calls) == 1


def rivals_encoded(clip, pictures):
    return clip.encode_images(clip.prepare(list(pictures)))


def test_pictures_from_memory(toy):
    given = {"cat": [colour(200, 0, 0), colour(180, 0, 0)], "boat": [colour(0, 0, 200)]}
    draw = GivenExamples(given).draw(toy, 1, 0)
    assert draw.held_out[REST].labels.tolist() == [0]


def test_a_picture_that_a_class_has_twice_is_learnt_from_or_tried_on(folder, toy):
    """Not both."""
    again = folder / "car" / "again.png"
    again.write_bytes((folder / "car" / "picture 0.png").read_bytes())
    examples = open_examples(str(folder))
    before = len(open_examples(str(folder)).classes["car"])
    draw = examples.draw(toy, 1, 0)
    assert draw.held_out[REST].labels.tolist().count(examples.names.index("car")) == before - 2
    assert "left out: 1 of the class 'car', because the same picture is there already" in examples.notes
    assert not any("could not be read" in note and "car" in note for note in examples.notes)


@pytest.mark.parametrize("work", [tuned, lambda *given: list(lesson(*given))])
def test_names_are_refused_before_any_picture_is_read(toy, work, monkeypatch):
    monkeypatch.setattr(of_examples, "opened", lambda source: pytest.fail("a picture was read"))
    given = {"cat": [colour(200, 0, 0)], "car " * 40: [colour(0, 0, 200)]}
    with pytest.raises(ValueError, match="the class name"):
        work(toy, GivenExamples(given), Variant("long"), 0)


def test_large_pictures_are_made_smaller_to_be_kept(toy):
    """Encoded as they are; kept only as large as their smallest crops need."""
    height, width = toy.size
    small, large = colour(200, 0, 0), Image.new("RGB", (40 * width, 20 * height), (0, 0, 200))
    draw = GivenExamples({"cat": [small], "car": [large]}).draw(toy, 1, 0)
    assert [picture.size for picture in draw.pictures] == [small.size, (8 * width, 4 * height)]


def test_both_lambdas_learn_from_the_same_views(folder, toy):
    variant = Variant("both", 1, ContextSettings(tokens=2), TuningSettings(weight=3.0, epochs=2))
    learners, draw = tuned_alike(toy, open_examples(str(folder)), variant, (3.0, 0.0), 5)
    for learner, weight in zip(learners, (3.0, 0.0), strict=True):
        alone, theirs = tuned(toy, open_examples(str(folder)), variant.with_weight(weight), 5)
        assert torch.equal(learner.context, alone.context)
        assert draw.labels == theirs.labels
    assert not torch.equal(learners[0].context, learners[1].context)


# Drawn tasks


def test_tasks_are_drawn_from_numbers_alone():
    for task in TASKS.values():
        assert len(set(task.names)) == len(task.classes) >= 16
        for name in SETS:
            first, again = task.picture(name, 3, 7), task.picture(name, 3, 7)
            assert first.tobytes() == again.tobytes()
            assert first.size == (PIXELS, PIXELS)
            assert first.tobytes() != task.picture(name, 3, 8).tobytes()
    everything = {TASKS["fine"].scene(name, 2, number) for name in SETS for number in range(30)}
    assert len({(scene.place, scene.variant, scene.things) for scene in everything}) == 30 * len(SETS)


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_labels_are_of_the_largest_thing(task):
    for name in SETS:
        for label, wanted in enumerate(task.classes):
            for number in range(8):
                scene = task.scene(name, label, number)
                found = largest(scene)
                assert found is scene.things[0]
                assert found.kind == wanted.kind
                assert found.colour == (wanted.colour or found.colour)
                assert found.size == wanted.size
                assert all(other.scale < found.scale for other in scene.things[1:])
                assert (found.kind, found.colour) not in UNSEEN_PAIRS
                if name in ("shots", "validation", "usual"):
                    assert scene.place in USUAL_PLACES[wanted.kind]
    places = {task.scene("balanced", 0, number).place for number in range(60)}
    assert not places <= set(USUAL_PLACES[task.classes[0].kind])


def test_tasks_that_are_not_there(toy):
    with pytest.raises(ValueError, match="allowed: fine, synonyms, company"):
        find_task("coarse")
    with pytest.raises(ValueError, match="allowed: shots, validation"):
        TASKS["fine"].scene("train", 0, 0)
    for data in ("toyland:coarse", "nothing:fine", "toyland", "os:path"):
        with pytest.raises(ValueError, match="allowed"):
            open_examples(data)


def test_a_drawn_task_as_examples(toy):
    examples = open_examples("toyland:company", ("balanced", "drawings"), per_class=2)
    draw = examples.draw(toy, 2, seed=1)
    assert draw.labels == tuple(label for label in range(16) for _ in range(2))
    assert set(draw.held_out) == {"balanced", "drawings"}
    assert draw.held_out["balanced"].features.shape == (32, 24)
    assert examples.draw(toy, 1, seed=2).held_out["drawings"] is draw.held_out["drawings"]
    other = examples.draw(toy, 2, seed=2)
    assert {p.tobytes() for p in other.pictures}.isdisjoint({p.tobytes() for p in draw.pictures})


# Rivals


def test_zero_shot_is_the_normalised_mean_of_templates(toy):
    names, templates = ["cat", "two boats"], ["a photo of a {}.", "the {} on the grass."]
    slow = []
    for name in names:
        each = toy.encode_texts(toy.tokenize([template.replace("{}", name) for template in templates]))
        slow.append(F.normalize(each.sum(0), dim=-1))
    torch.testing.assert_close(zero_shot(toy, names, templates), torch.stack(slow))
    assert len(rivals.imagenet_templates()) == 80
    assert all(template.count("{}") == 1 for template in rivals.imagenet_templates())


def test_tip_adapter_is_the_papers(doubles):
    clip, generator = doubles["toy"], torch.Generator().manual_seed(0)
    images, keys, classes = (
        F.normalize(torch.randn(n, 6, generator=generator, dtype=torch.double), dim=-1) for n in (4, 5, 3)
    )
    labels = torch.tensor([0, 2, 2, 1, 0])
    found = tip_adapter(clip, classes, keys, labels, alpha=1.5, beta=4.0)(images)
    for i in range(4):
        for c in range(3):
            cached = sum(
                math.exp(-4.0 * (1 - float(images[i] @ keys[k]))) for k in range(5) if labels[k] == c
            )
            expected = clip.logit_scale * float(images[i] @ classes[c]) + 1.5 * cached
            assert float(found[i, c]) == pytest.approx(expected)


def test_a_linear_probe_is_logistic_regression():
    generator = torch.Generator().manual_seed(0)
    centres = torch.eye(3, 5)
    labels = torch.arange(60) % 3
    features = centres[labels] + 0.1 * torch.randn(60, 5, generator=generator)
    scores = linear_probe(features, labels, 3, 1e-2)
    assert rivals.accuracy(scores, features, labels) == 1
    # At the minimum the gradient is that of the penalty: checked by hand.
    weight = scores(torch.eye(5)) - scores(torch.zeros(1, 5))
    residual = scores(features).softmax(-1) - F.one_hot(labels, 3)
    torch.testing.assert_close(features.T @ residual / 60, -1e-2 * weight, atol=2e-4, rtol=0)


def test_the_best_is_chosen_by_validation():
    features, labels = torch.eye(2), torch.tensor([0, 1])
    bad, good = (lambda x: x.flip(-1)), (lambda x: x)
    assert rivals.best([lambda: bad, lambda: good, lambda: good], features, labels) is good


# The whole comparison


@pytest.fixture(scope="module")
def roomy(tmp_path_factory):
    """A tiny model whose context has room for names of Toyland, byte by byte."""
    folder = tmp_path_factory.mktemp("models") / "roomy"
    folder.mkdir()
    size = save_byte_bpe(folder)
    save_model(folder, config("vit", context_length=64, vocab_size=size, hf_tokenizer_name="roomy"))
    return explain.load(folder, device="cpu")


def test_coop_is_tuned_once_for_variants_of_relevance_alone():
    found = {variant.name: coop_of(variant) for variant in OTHERS}
    assert found["second_order"] == found["without_sot"] == BASE.with_weight(0)
    assert found["tokens_4"] == OTHERS[2].with_weight(0)
    assert found["shots_4"] == OTHERS[1].with_weight(0)


def test_the_comparison_says_what_it_measured(roomy, tmp_path, monkeypatch):
    """Two seeds of a picture a class: the report is whole, the lambda one of those that were tried."""
    short = TuningSettings(epochs=2)
    monkeypatch.setattr(comparison, "BASE", Variant("paper", tuning=short))
    monkeypatch.setattr(
        comparison, "OTHERS", (Variant("at_the_end", 1, ContextSettings(position="end"), short),)
    )
    monkeypatch.setattr(comparison, "STARTS", ("a {}", "{} here"))
    plan = Plan(tasks=("company",), seeds=2, map_seeds=1, phrasing_seeds=1, weights=(0.5, 3.0), pictures=1)
    quiet = Progress(io.StringIO())
    found = run(roomy, plan, tmp_path / "work", quiet)
    task = found["tasks"]["company"]
    assert task["lambda"] in (0.5, 3.0)
    assert set(task["rivals"]) == {"zero_shot", "templates_80", "linear_probe", "tip_adapter"}
    gains = [task["by_lambda"][name]["accuracy"]["ours"]["validation"]["mean"] for name in ("0.5", "3")]
    chosen = task["paper_a"]["accuracy"]["ours"]["validation"]["mean"]
    assert chosen == max(gains)
    for what in ("accuracy", "relevance"):
        part = task["paper_a"][what]
        for name in ("validation", *TESTS):
            difference = part["paired"][name]["difference"]
            assert difference == pytest.approx(
                part["ours"][name]["mean"] - part["coop"][name]["mean"], abs=2e-4
            )
    assert set(task["others"]) == {"at_the_end"}
    spread = task["phrasings"]["spread"]
    assert set(spread) == {"zero_shot", "coop", "paper_a"}
    assert all(each["least"] <= each["mean"] <= each["most"] for each in spread["coop"].values())
    text = as_text(found)
    for word in (
        "at_the_end, paired",
        "phrasings, zero_shot",
        "company: 16 classes",
        "Tip-Adapter",
        "paper A, accuracy",
        "drawings",
    ):
        assert word in text
    files = sorted((tmp_path / "work").glob("company-*.json"))
    stamps = [path.stat().st_mtime_ns for path in files]
    assert json.dumps(run(roomy, plan, tmp_path / "work", quiet)) == json.dumps(found)
    assert [path.stat().st_mtime_ns for path in files] == stamps


def test_starts_are_contexts(toy, clips):
    assert len(set(STARTS)) == 20
    for start in STARTS:
        learner = PromptLearner(clips["vit"], ["cat", "car"], ContextSettings(phrasing=start))
        written = clips["vit"].tokenize([start.replace("{}", "cat") + "."])
        features = clips["vit"].encode_texts(written)
        torch.testing.assert_close(learner.features()[:1], features, atol=1e-5, rtol=0)
    assert len({variant.name for variant in OTHERS}) == len(OTHERS)


# The commands


def test_tune_from_the_command_line(folder, directories, tmp_path, capsys, toy):
    saved, written = tmp_path / "learnt.safetensors", tmp_path / "report.json"
    command = [
        "tune",
        "--data",
        str(folder),
        "--model",
        str(directories["toy"]),
        "--epochs",
        "3",
        "--seeds",
        "2",
    ]
    command += ["--tokens", "3", "--save", str(saved), "--json-file", str(written), "--lambda", "2"]
    assert guidance.main(command) == 0
    text = capsys.readouterr().out
    for word in ("3 classes, 1 shots, 2 seeds", "rest: zero-shot", "paired", "nearest words"):
        assert word in text
    report = json.loads(written.read_text())
    assert report["tuning"]["weight"] == 2
    assert len(report["records"]["ours"]) == len(report["records"]["coop"]) == 2
    assert "never seen in training" in report["notes"][0]
    learner = load_context(saved, toy)
    assert learner.names == ("boat à mer", "car", "red cat")
    assert learner.context.shape[0] == 3
    assert guidance.main([*command, "--lambda", "0", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["records"]["ours"] == report["records"]["coop"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--data", "nowhere"], "there is no folder"),
        (["--shots", "0"], "shots is 0"),
        (["--shots", "4"], "allowed: 1 to 3"),
        (["--seeds", "0"], "seeds is 0"),
        (["--lambda", "nan"], "weight is nan"),
        (["--tokens", "99"], "tokens is 99"),
        (["--tokens", "16"], "takes 8 tokens; toy reads 14, and 16 of context leave room for 0"),
        (["--position", "top"], "allowed: end, middle, front"),
        (["--model", "nothing"], "nothing"),
        (["--save", "no/such/folder/c.safetensors"], "cannot be written"),
        (["--phrasing", "{} or {}"], "one {} for the name"),
    ],
)
def test_what_tune_refuses(folder, directories, capsys, changes, message):
    model = ["--model", str(directories["toy"]), "--tokens", "2"]
    assert guidance.main(["tune", "--data", str(folder), *model, *changes]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err.strip().splitlines()[-1]


def test_what_evaluate_tuning_refuses(directories, capsys):
    model = ["--model", str(directories["toy"])]
    for changes, message in (
        (["--tasks", "coarse"], "allowed: fine"),
        (["--data", "nothing"], "no package that has tasks"),
        (["--seeds", "1"], "seeds is 1"),
        (["--weights", "0"], "a lambda is 0"),
        (["--weights"], "no lambda"),
        (["--work", str(Path(__file__))], "is a file"),
    ):
        assert guidance.main(["evaluate-tuning", *model, *changes]) == 2
        assert message in capsys.readouterr().err.strip().splitlines()[-1]


# A lesson


def test_a_lesson_is_the_ways_one_after_another(toy, tmp_path):
    given = {
        name: [colour(60 * label + 5 * n, 90, 20 * n) for n in range(3)]
        for label, name in enumerate(("cat", "car"))
    }
    variant = Variant("page", 1, ContextSettings(tokens=3), TuningSettings(weight=2, epochs=3))
    steps = list(lesson(toy, GivenExamples(given), variant, seed=4))
    assert [step.way for step in steps] == ["plain"] + ["coop"] * 5 + ["names"] * 5
    readings = {step.way: step.reading for step in steps if step.reading}
    assert set(readings) == {"plain", "coop", "names"}
    learner, draw = tuned(toy, GivenExamples(given), variant, 4)
    expected = measured(learner, draw)
    assert readings["names"].accuracy == expected["accuracy"]["rest"]
    assert readings["names"].name_share == pytest.approx(expected["relevance"]["rest"])
    assert [each.pictures for each in readings["names"].classes] == [2, 2]
    right = sum(each.right * each.pictures for each in readings["coop"].classes) / 4
    assert right == pytest.approx(readings["coop"].accuracy)
    assert readings["plain"].words[0] == "a"
    (tmp_path / "c.safetensors").write_bytes(readings["names"].context)
    assert torch.equal(load_context(tmp_path / "c.safetensors", toy).context, learner.context)
    alone = list(lesson(toy, GivenExamples(given), variant.with_weight(0), seed=4))
    assert [step.way for step in alone] == [step.way for step in steps[:6]]
    assert alone[5].reading == steps[5].reading


def test_of_a_class_without_pictures_to_try_nothing_is_known(toy):
    given = {"cat": [colour(200, 0, 0), colour(190, 0, 0)], "car": [colour(0, 0, 200)]}
    variant = Variant("page", 1, ContextSettings(tokens=2), TuningSettings(weight=0, epochs=1))
    reading = list(lesson(toy, GivenExamples(given), variant))[-1].reading
    cat, car = reading.classes
    assert (cat.pictures, car.pictures, car.right, car.name_share) == (1, 0, None, None)
    assert reading.name_share == pytest.approx(cat.name_share)


def test_a_lesson_without_other_pictures_tries_those_learnt_from(toy):
    given = {"cat": [colour(200, 0, 0)], "car": [colour(0, 0, 200)]}
    variant = Variant("page", 1, ContextSettings(tokens=2), TuningSettings(weight=0, epochs=1))
    steps = list(lesson(toy, GivenExamples(given), variant))
    assert {step.tried_on for step in steps} == {"learnt"}
    assert [each.pictures for each in steps[0].reading.classes] == [1, 1]
