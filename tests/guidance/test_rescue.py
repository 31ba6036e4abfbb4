"""Rescue: which words are neglected, what the second run asks for, weight 0 and lambda 0, and what is refused."""

import json
import math
import threading
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from explain import towers
from explain.inputs.content_words import is_content
from guidance import __main__ as cli
from guidance.generating import generate, pictures
from guidance.generators.run_cache import Ways
from guidance.generators.sampling import Sampling
from guidance.generators.vqgan import open_vqgan
from guidance.layout.parsing import Box, Layout, targets
from guidance.objectives.boxes import BoxObjective
from guidance.objectives.settings import ObjectiveSettings
from guidance.objectives.words import TextObjective, TextSettings
from guidance.records import read_record
from guidance.rescuing import BoxesAndWords, RescueSettings, find_rescue, rescue, rescued
from tests import tiny_generators
from tests.oracles import explain as oracles

PROMPT = "a red boat on the water"
QUICK = Sampling(steps=3, guide_to=1.0, candidates=2)
PLAIN_VIEW = TextSettings("neglected", 0.1, views=1, view_strength=0.0)
EVERY = RescueSettings(PLAIN_VIEW, threshold=1.0)  # all content words but the strongest
LAYOUT = Layout(PROMPT, targets([Box("red boat", 0.1, 0.1, 0.6, 0.6)]))
BOXES = ObjectiveSettings(views=1, view_strength=0.0)


@pytest.fixture(scope="module")
def vqgan(tmp_path_factory):
    folder = tiny_generators.save_vqgan(tmp_path_factory.mktemp("generators") / "vqgan")
    return open_vqgan(folder, size=(32, 32))


@pytest.fixture(params=["diffusion", "vqgan"])
def generator(request, shelf, vqgan):
    return shelf.model() if request.param == "diffusion" else vqgan


@pytest.fixture
def clip(clips):
    return clips["vit"]


def ends(steps):
    return [step for step in steps if step.finished]


def pixels(step):
    return np.asarray(step.image)


def heights(clip, prompt, image):
    """Of every word, its largest token's relevance over the largest of all, layer by layer: paper A's equations."""
    ids = clip.tokenize([prompt])
    row = int(towers.pooled_rows(clip.model, ids)[0])
    small = F.interpolate(image[None], clip.size, mode="bilinear", antialias=True, align_corners=False)
    feature = clip.encode_images((small - 0.5) / 0.25)[0]
    text, probs = oracles.text_tower(clip.model, ids[0], row)
    grads = torch.autograd.grad(text @ feature, probs)
    relevance = torch.eye(probs[0].shape[-1], dtype=text.dtype)
    for a, g in zip(probs, grads, strict=True):
        relevance = relevance + torch.relu(a * g).detach().mean(0) @ relevance
    found = [
        (word.text, max(float(relevance[row, p]) for p in range(word.start, word.stop)))
        for word in clip.words([prompt])[0]
    ]
    most = max(value for _, value in found)
    return [(name, value / most) for name, value in found]


def slow_neglected(words, threshold):
    best = {}
    for name, height in words:
        best[name] = max(height, best.get(name, 0))
    strongest = max(height for name, height in best.items() if is_content(name))
    return tuple(name for name, height in best.items() if is_content(name) and height / strongest < threshold)


# What is neglected, and what is asked for then


def test_the_words_that_are_named_are_the_papers(shelf, doubles):
    clip = doubles["vit"]
    for threshold in (0.7, 1.0):
        settings = RescueSettings(PLAIN_VIEW, threshold)
        first, *_ = ends(rescue(shelf.model(), clip, PROMPT, 3, QUICK, settings))
        image = pictures(shelf.model(), None, [LAYOUT], [3], QUICK.alone)[0].double()
        words = heights(clip, PROMPT, image)
        for read, (name, height) in zip(first.reading.words, words, strict=True):
            assert read.text == name
            assert read.height == pytest.approx(height, rel=1e-4)
        assert first.neglected == slow_neglected(words, threshold)
    assert first.neglected  # at 1.0 all but one are


@pytest.mark.parametrize("words", [("red",), ("red", "water")])
def test_the_loss_is_the_papers_score(doubles, words):
    """1 - cos - lambda E; the words' part against relevance layer by layer."""
    clip = doubles["vit"]
    image = torch.rand(3, 40, 48, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    settings = replace(PLAIN_VIEW, weight=0.7)
    found = TextObjective(clip, [PROMPT], [words], [0], settings)(image[None], 0)
    by_name = dict(heights(clip, PROMPT, image))
    expected = sum(by_name[name] for name in words) / len(words)
    assert float(found.terms["words"]) == pytest.approx(-0.7 * expected, rel=1e-10)
    assert float(found.total) == pytest.approx(float(found.terms["similarity"]) - 0.7 * expected, rel=1e-10)


def test_the_second_run_takes_the_noise_of_the_best_score(shelf, clip):
    """Each candidate alone, judged by the objective: the one of the least loss is the one that is gone on with."""
    model, sampling = shelf.model(), replace(QUICK, candidates=3, judged_at=1.0, guide_to=0.01)
    words = [("red", "water")]
    for weight in (0.0, 50.0):
        objective = replace(PLAIN_VIEW, weight=weight)
        judge = TextObjective(clip, [PROMPT], words, [3], objective)
        ways, asked = Ways(), []

        def guide(images, number, judge=judge, asked=asked):
            asked.append(float(judge(images, number).total))
            return judge(images, number).total

        process = model.begin([PROMPT], [3], sampling, (), ways)
        process.advance(guide)
        process.advance(guide)
        walked = ways.of(range(3), None)
        best = min(range(3), key=lambda k: asked[k])
        assert torch.equal(process.latents, walked[best][0])
        for _ in range(process.total - 2):
            process.advance(guide)
        made = rescued(model, clip, [PROMPT], words, [3], sampling, objective)
        assert torch.equal(process.finish(), made)


# Both runs


def test_every_step_is_for_people(generator, clip):
    steps = list(rescue(generator, clip, PROMPT, 3, QUICK, EVERY))
    first, second = ends(steps)
    assert [step.rescued for step in (first, second)] == [False, True]
    assert [step.index for step in steps if not step.rescued] == [0, 1, 2, 3]
    assert first.neglected
    assert [word.text for word in second.reading.words] == PROMPT.split()
    for step in steps:
        assert step.image.size == (32, 32)
        assert (step.reading is None) == (not step.finished)
        assert not any(torch.is_tensor(value) for value in vars(step).values())
    with pytest.raises(FrozenInstanceError):
        first.index = 7
    losses = [step.losses for step in steps if step.rescued and step.losses]
    assert losses
    for said in losses:
        assert said["total"] == pytest.approx(said["similarity"] + said["words"], abs=1e-6)


def test_the_first_picture_is_the_generator_alone(shelf, clip):
    first, _ = ends(rescue(shelf.model(), clip, PROMPT, 3, QUICK, EVERY))
    alone = pictures(shelf.model(), None, [LAYOUT], [3], QUICK.alone)
    assert np.array_equal(pixels(first), (alone[0].permute(1, 2, 0) * 255).round().byte().numpy())


def test_the_same_seed_makes_the_same_pictures(generator, clip):
    def made(seed):
        return [pixels(step) for step in ends(rescue(generator, clip, PROMPT, seed, QUICK, EVERY))]

    one, again, other = made(3), made(3), made(4)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[1], other[1])


def test_many_at_once_are_each_alone(shelf, clip):
    prompts, words, seeds = [PROMPT, "the sky"], [("red",), ("sky",)], [3, 5]
    given = (QUICK, PLAIN_VIEW)
    together = rescued(shelf.model(), clip, prompts, words, seeds, *given)
    for b in range(2):
        alone = rescued(shelf.model(), clip, prompts[b : b + 1], words[b : b + 1], seeds[b : b + 1], *given)
        torch.testing.assert_close(together[b], alone[0], atol=1e-4, rtol=0)


def test_weight_zero_makes_the_first_picture_again(shelf, clip):
    first, second = ends(rescue(shelf.model(), clip, PROMPT, 3, replace(QUICK, weight=0.0), EVERY))
    assert np.array_equal(pixels(first), pixels(second))


def test_lambda_zero_leaves_the_words_out(generator, clip):
    """The words that are named do not matter then, and they do at another lambda."""
    for weight, alike in ((0.0, True), (100.0, False)):
        settings = replace(PLAIN_VIEW, weight=weight)
        sampling = replace(QUICK, candidates=1)
        one, other = (
            rescued(generator, clip, [PROMPT], [words], [3], sampling, settings)
            for words in (("red",), ("water",))
        )
        assert torch.equal(one, other) == alike


@pytest.mark.parametrize(
    ("prompt", "threshold", "message"),
    [
        ("the of and", 1.0, "The prompt has no content word, so none is neglected."),
        ("...", 1.0, "The prompt has no content word, so none is neglected."),
        ("a boat", 0.7, "No word of the prompt is neglected."),  # the strongest is itself
        (PROMPT, 0.0, "No word of the prompt is neglected."),
    ],
)
def test_where_nothing_is_neglected_there_is_no_second_run(shelf, clip, prompt, threshold, message):
    steps = list(rescue(shelf.model(), clip, prompt, 3, QUICK, RescueSettings(PLAIN_VIEW, threshold)))
    assert not any(step.rescued for step in steps)
    assert steps[-1].neglected == ()
    assert steps[-1].notes[-1] == message


def test_all_words_may_be_named(shelf, clip):
    """Chosen by hand, all count."""
    settings = replace(PLAIN_VIEW, weight=1.0)
    made = rescued(shelf.model(), clip, [PROMPT], [PROMPT.split()], [3], QUICK, settings)
    assert torch.isfinite(made).all()


def test_steps_may_come_on_other_threads(shelf, clip):
    steps, found = rescue(shelf.model(), clip, PROMPT, 3, QUICK, EVERY), []
    while True:
        worker = threading.Thread(target=lambda: found.append(next(steps, None)))
        worker.start()
        worker.join()
        assert torch.is_grad_enabled()
        if found[-1] is None:
            break
    assert len(ends(found[:-1])) == 2


# With boxes


def test_a_run_with_boxes_has_the_words_loss_added(clip):
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    words = replace(PLAIN_VIEW, weight=0.7)
    boxes = BoxObjective(clip, [LAYOUT], [3], BOXES)
    text = TextObjective(clip, [PROMPT], [("red",)], [3], words)
    both = BoxesAndWords(clip, LAYOUT, ("red",), 3, BOXES, words)
    found, alone, added = both(images, 2), boxes(images, 2), text(images, 2)
    torch.testing.assert_close(found.total, alone.total + added.total)
    assert found.terms.keys() == {*alone.terms, "similarity", "words"}
    torch.testing.assert_close(found.total, sum(found.terms.values()))
    targets_alone, targets_both = boxes.of_targets(images), both.of_targets(images)
    torch.testing.assert_close(targets_both[:, :-1], targets_alone[:, :-1])
    torch.testing.assert_close(targets_both[:, -1], targets_alone[:, -1] + added.total)


def test_boxes_are_made_again_with_words(shelf, clip):
    sampling = replace(QUICK, candidates=1)
    words = replace(PLAIN_VIEW, weight=100.0)
    both = BoxesAndWords(clip, LAYOUT, ("red",), 3, BOXES, words)
    made = list(generate(shelf.model(), clip, LAYOUT, 3, sampling, both))
    before = list(generate(shelf.model(), clip, LAYOUT, 3, sampling, BOXES))
    assert {"whole", "similarity", "words"} <= made[0].losses.keys()
    assert not np.array_equal(pixels(made[-1]), pixels(before[-1]))
    with pytest.raises(ValueError, match="'green' is not in the prompt"):
        BoxesAndWords(clip, LAYOUT, ("green",), 3, BOXES)


# What is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": " \n"}, "the prompt is empty"),
        ({"prompt": 7}, "the prompt is 7; allowed: text"),
        ({"seed": -1}, "seed is -1"),
        ({"sampling": replace(QUICK, size=(33, 32))}, "the height is 33; allowed: multiples of"),
    ],
)
def test_bad_input_is_refused_before_the_first_step(shelf, clip, changes, message):
    given = {"prompt": PROMPT, "seed": 3, "sampling": QUICK, "settings": EVERY} | changes
    with pytest.raises(ValueError, match=message):
        rescue(shelf.model(), clip, **given)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (lambda: TextSettings("neglected", math.nan), "the weight of words is nan"),
        (lambda: TextSettings("neglected", -1), "the weight of words is -1"),
        (lambda: RescueSettings(threshold=math.nan), "threshold is nan"),
        (lambda: RescueSettings(threshold=1.5), "threshold is 1.5; allowed: a number from 0 to 1"),
        (lambda: RescueSettings("neglected"), "objective is 'neglected'; allowed: TextSettings"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        settings()


def test_every_kind_of_generator_has_its_own(generator):
    sampling, settings = find_rescue(generator)
    assert settings.threshold == 0.7
    assert settings.objective.form == "neglected"
    assert (sampling.candidates > 1) == (generator.kind == "diffusion")


# On the command line


@pytest.fixture
def here(tmp_path, monkeypatch, shelf, directories):
    monkeypatch.chdir(tmp_path)
    models = ["--generator", str(shelf.folder()), "--clip", str(directories["vit"]), "--device", "cpu"]
    return [*models, "--steps", "3", "--candidates", "2"]


def test_the_command(here, tmp_path, capsys):
    asked = ["rescue", "--prompt", PROMPT, "--seed", "3", "--threshold", "1", "--lambda", "2"]
    assert cli.main([*asked, *here, "-o", "one.png", "--rescued", "two.png", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["settings"]["objective"]["weight"] == 2
    assert record["seed"] == 3
    assert record["before"]["neglected"]
    assert [word["word"] for word in record["rescued"]["words"]] == PROMPT.split()
    assert (tmp_path / "one.png").is_file()
    assert (tmp_path / "two.png").is_file()
    assert cli.main([*asked, *here, "--json-file", "run.json"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("before: similarity")
    assert "\nrescued: similarity" in said
    assert json.loads((tmp_path / "run.json").read_text()) == record


def test_the_command_where_nothing_is_neglected(here, tmp_path, capsys):
    assert cli.main(["rescue", "--prompt", "a boat", *here]) == 0
    said = capsys.readouterr()
    assert "neglected: none" in said.out
    assert "note: No word of the prompt is neglected." in said.err
    assert (tmp_path / "before.png").is_file()
    assert not (tmp_path / "after.png").exists()


def test_both_pictures_say_how_they_were_made(here, tmp_path):
    assert cli.main(["rescue", "--prompt", PROMPT, *here, "--threshold", "1", "--json-file", "run.json"]) == 0
    record = json.loads((tmp_path / "run.json").read_text())
    for name in ("before.png", "after.png"):
        assert read_record(tmp_path / name) == record


@pytest.mark.parametrize("source", ["run.json", "first/after.png"])
def test_a_rescue_is_made_again_from_what_it_wrote(here, tmp_path, source):
    (tmp_path / "first").mkdir()
    asked = ["rescue", "--prompt", PROMPT, "--seed", "3", "--threshold", "1", "--lambda", "2", *here]
    first = ["-o", "first/before.png", "--rescued", "first/after.png", "--json-file", "run.json"]
    assert cli.main([*asked, *first]) == 0
    assert cli.main(["rescue", "--from", source, "--device", "cpu", "--json-file", "again.json"]) == 0
    assert (tmp_path / "again.json").read_text() == (tmp_path / "run.json").read_text()
    for name in ("before.png", "after.png"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "first" / name).read_bytes()


def test_what_is_given_beside_a_run_counts(here, tmp_path, directories):
    assert cli.main(["rescue", "--prompt", PROMPT, *here, "--threshold", "1", "--json-file", "run.json"]) == 0
    again = ["rescue", "--from", "run.json", "--device", "cpu", "--json-file", "again.json"]
    assert cli.main([*again, "--seed", "5", "--lambda", "3"]) == 0
    first, found = (json.loads((tmp_path / name).read_text()) for name in ("run.json", "again.json"))
    first["settings"]["objective"]["weight"] = 3
    for name in ("prompt", "generator", "clip", "sampling", "settings"):
        assert found[name] == first[name]
    assert found["seed"] == 5
    # Another generator is rescued as it is rescued, and read by its own guide.
    assert cli.main([*again, "--generator", "toy-vqgan", "--steps", "2"]) == 0
    found = json.loads((tmp_path / "again.json").read_text())
    assert (found["prompt"], found["clip"]) == (PROMPT, "toy-vit")
    assert found["settings"]["threshold"] == RescueSettings().threshold


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"rescued": None}, "it is not said what is to be seen; allowed: --prompt, or --from a run"),
        ({"prompt": "a boat"}, "'run.json' holds no rescue; allowed: what `rescue` wrote"),
        ({"rescued": None, "prompt": 3}, "prompt is 3; allowed: text"),
        ({"rescued": None, "prompt": "a boat", "seed": "x"}, "seed is 'x'"),
        ({"rescued": None, "prompt": "a boat", "settings": []}, "settings is of type list"),
        ({"rescued": None, "prompt": "a boat", "settings": {"threshold": 7}}, "threshold is 7"),
        (
            {"rescued": None, "prompt": "a boat", "settings": {"objective": {"depth": 1}}},
            "objective has 'depth'",
        ),
        ({"rescued": None, "prompt": "a boat", "sampling": {"steps": 0}}, "steps is 0"),
    ],
)
def test_runs_that_cannot_be_made_again(tmp_path, monkeypatch, capsys, record, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert cli.main(["rescue", "--from", "run.json"]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--prompt", " "], "the prompt is empty"),
        (["--lambda", "nan"], "the weight of words is nan"),
        (["--threshold", "7"], "threshold is 7"),
        (["--generator", "nobody"], "nobody"),
        (["--candidates", "0"], "candidates is 0"),
        (["-o", "out.txt"], "'out.txt' is no picture"),
        (["--rescued", "before.png"], "both pictures are 'before.png'; allowed: two files"),
        (["-o", "nowhere/out.png"], "cannot be written"),
    ],
)
def test_a_command_that_is_refused(here, capsys, changes, message):
    assert cli.main(["rescue", "--prompt", PROMPT, *here, *changes]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("guidance rescue: ")
    assert said.count("\n") == 1
