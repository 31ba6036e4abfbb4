"""Prompt tuning: the loop is CoOp's with paper A's loss; its views; contexts as files and in words."""

import json
import math
import pickle

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file

from explain import towers
from guidance.seeding import generator_of
from guidance.tuning import crops, losses
from guidance.tuning.crops import AREA, RATIO, ViewBank, encoded, random_view
from guidance.tuning.losses import backward_of_names, explanation_loss, name_relevance, own_relevance
from guidance.tuning.nearest_words import nearest_words, printable_tokens
from guidance.tuning.prompt_learner import ContextSettings, PromptLearner, name_notes
from guidance.tuning.saved import load_context, save_context
from guidance.tuning.settings import TuningSettings
from guidance.tuning.tune import HeldOut, tune_prompt
from tests.conftest import random_images

NAMES = ["cat", "green house", "two boats", "car"]
LABELS = [0, 1, 2, 3, 0, 2]


def noise(seed, size=(40, 30)):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 255, (size[1], size[0], 3), generator=generator, dtype=torch.uint8)
    return Image.fromarray(pixels.numpy())


@pytest.fixture(params=["vit", "resnet", "siglip", "toy"])
def double(request, doubles):
    return doubles[request.param]


@pytest.fixture
def toy(clips):
    return clips["toy"]


def bank_of(clip, count=6, **changes):
    return ViewBank(clip, [noise(number) for number in range(count)], **changes)


def double_bank(clip, count=6):
    """Of one view each, in fp64, as no picture is."""
    bank = ViewBank(clip, ())
    bank.pictures = tuple(range(count))
    bank.features = clip.encode_images(random_images(clip, count=count).double())[:, None]
    return bank


def learner_of(clip, names=NAMES, **changes):
    return PromptLearner(clip, names, ContextSettings(**{"tokens": 4, **changes}), seed=3)


# The loop


def test_lambda_0_is_coop_to_the_bit(toy):
    """Against CoOp as one would write it: no recording, no sampling."""
    bank, learner, other = bank_of(toy), learner_of(toy), learner_of(toy)
    steps = list(tune_prompt(learner, bank, LABELS, TuningSettings(weight=0, epochs=6, batch=4), seed=5))
    optimiser = torch.optim.SGD([other.context], lr=1.0, momentum=0.9, weight_decay=5e-4)
    for epoch in range(6):
        order = torch.randperm(len(LABELS), generator=generator_of(5, epoch, 0x6F_7264)).tolist()
        drawn = torch.randint(2**31, (len(LABELS),), generator=generator_of(5, epoch)).tolist()
        numbers = order[:4]  # six pictures are one batch of four, and two are left out
        images = torch.stack([bank.features[number, drawn[number] % 8] for number in numbers])
        texts = F.normalize(towers.text_features(toy.model, other.texts, other.embeddings()), dim=-1)
        loss = F.cross_entropy(toy.logit_scale * images @ texts.T, torch.tensor(LABELS)[numbers])
        assert steps[epoch].losses == {"total": loss.item(), "cross_entropy": loss.item()}
        assert steps[epoch].relevance is None
        rate = 1e-5 if epoch == 0 else 0.002 * (1 + math.cos(math.pi * epoch / 6)) / 2
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert torch.equal(learner.context, other.context)
    assert not torch.equal(learner.context, learner_of(toy).context)


@pytest.mark.parametrize("second_order", [False, True])
@pytest.mark.parametrize("include_sot", [False, True])
def test_a_step_goes_down_the_papers_loss(double, second_order, include_sot):
    """The first step moves the context by its rate times the gradient of CE + lambda L_expl, as `autograd` has it."""
    bank, learner, other = double_bank(double), learner_of(double), learner_of(double)
    settings = TuningSettings(
        weight=3.0,
        second_order=second_order,
        include_sot=include_sot,
        epochs=2,
        warmup_epochs=0,
        learning_rate=0.5,
        weight_decay=0,
    )
    step = next(tune_prompt(learner, bank, LABELS, settings, seed=1))
    order = torch.randperm(len(LABELS), generator=generator_of(1, 0, 0x6F_7264)).tolist()
    images, labels = bank.features[order, 0], torch.tensor(LABELS)[order]
    recorded = other.record()
    shares = name_relevance(double, recorded, images, other.name_tokens, second_order, include_sot)
    extra = explanation_loss(shares, labels)
    entropy = F.cross_entropy(double.logit_scale * images @ recorded.features.T, labels)
    (gradient,) = torch.autograd.grad(entropy + 3.0 * extra, other.context)
    entropy, extra, shares = entropy.detach(), extra.detach(), shares.detach()
    assert gradient.abs().max() > 1e-6
    torch.testing.assert_close(learner.context, other.context - 0.5 * gradient, atol=1e-10, rtol=1e-7)
    assert step.losses == pytest.approx(
        {"total": float(entropy + 3 * extra), "cross_entropy": float(entropy), "relevance": float(extra)}
    )
    assert step.relevance == pytest.approx(float(shares[range(len(labels)), labels].mean()))


def test_memory_does_not_change_the_gradient(double, monkeypatch):
    """A few pictures at a time, and all at once."""
    learner, labels = learner_of(double), torch.tensor([3, 1, 0, 0, 2])
    images = double.encode_images(random_images(double, count=5).double())
    recorded = learner.record()
    expected = backward_of_names(double, recorded, images, learner.name_tokens, labels)
    monkeypatch.setattr(losses, "NUMBERS", 2 * sum(probs.numel() for probs in recorded.probs))
    found = backward_of_names(double, recorded, images, learner.name_tokens, labels)
    for mine, other in zip(found[:2], expected[:2], strict=True):
        torch.testing.assert_close(mine, other)
    for mine, other in zip(found[2], expected[2], strict=True):
        torch.testing.assert_close(mine, other, atol=1e-12, rtol=1e-7)


def test_the_rate_warms_up_and_falls_as_a_cosine():
    settings = TuningSettings(epochs=50)
    assert settings.rate(0) == 1e-5
    assert settings.rate(1) == pytest.approx(0.002 * (1 + math.cos(math.pi / 50)) / 2)
    assert settings.rate(25) == pytest.approx(0.001)
    assert 0 < settings.rate(49) < 1e-5


def test_steps_say_how_it_goes(toy):
    bank, learner = bank_of(toy), learner_of(toy)
    held_out = {
        "rest": HeldOut(encoded(toy, [noise(50 + n) for n in range(5)]), torch.tensor([0, 1, 2, 3, 0]))
    }
    steps = list(tune_prompt(learner, bank, LABELS, TuningSettings(epochs=3, batch=2), 0, held_out))
    assert [step.index for step in steps] == list(range(10))
    assert [step.epoch for step in steps] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert {step.total for step in steps} == {9}
    assert [step.finished for step in steps] == [False] * 9 + [True]
    assert steps[-1].losses == {}
    assert steps[-1].accuracy == {"rest": held_out["rest"].accuracy(learner.features())}
    assert all(set(step.losses) == {"total", "cross_entropy", "relevance"} for step in steps[:-1])
    assert math.isnan(
        HeldOut(torch.zeros(0, 24), torch.zeros(0, dtype=torch.long)).accuracy(torch.zeros(4, 24))
    )
    again = learner_of(toy)
    list(tune_prompt(again, bank, LABELS, TuningSettings(epochs=3, batch=2)))
    assert torch.equal(learner.context, again.context)


def test_pictures_are_encoded_once(toy, monkeypatch):
    """8 views of each, before the first step; none in any step, unless fresh ones are asked for."""
    calls = []
    pooled = towers.pool
    monkeypatch.setattr(
        towers, "pool", lambda visual, tokens: calls.append(len(tokens.values)) or pooled(visual, tokens)
    )
    bank = bank_of(toy)
    assert sum(calls) == 48
    list(tune_prompt(learner_of(toy), bank, LABELS, TuningSettings(epochs=3)))
    assert sum(calls) == 48
    list(tune_prompt(learner_of(toy), bank, LABELS, TuningSettings(epochs=3, fresh_views=True)))
    assert calls[1:] == [6, 6, 6]


def test_stopping_keeps_what_was_learnt(toy):
    learner, start = learner_of(toy), learner_of(toy).context
    run = tune_prompt(learner, bank_of(toy), LABELS, TuningSettings(epochs=9))
    next(run)
    next(run)
    run.close()
    assert learner.context.isfinite().all()
    assert not torch.equal(learner.context, start)


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2, 3, 0, 4], [0, 1, 2, 3, 0, -1], [0, 1, 2, 3, 0, 1.5]])
def test_labels_that_do_not_go_with_the_pictures(toy, labels):
    with pytest.raises(ValueError, match="allowed"):
        tune_prompt(learner_of(toy), bank_of(toy), labels)


def test_a_sample_is_said():
    assert TuningSettings().notes(101) == ()
    assert TuningSettings(weight=0).notes(1000) == ()
    (said,) = TuningSettings(negatives=50).notes(1000)
    assert "at most 50 classes" in said
    assert "all 1000" in said


def test_settings_that_are_not_allowed():
    for changes in ({"weight": -1}, {"epochs": 0}, {"batch": 0}, {"momentum": 2}, {"weight": math.nan}):
        with pytest.raises(ValueError, match="allowed"):
            TuningSettings(**changes)


# Many classes


def test_a_sample_of_the_negatives_stands_for_all(doubles):
    """The mean of L_expl over samples is that of all classes."""
    shares = torch.rand(3, 40, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    labels, found = torch.tensor([5, 5, 17]), []
    clip = doubles["toy"]
    names = [f"cat {number}" for number in range(40)]
    learner, bank = learner_of(clip, names), double_bank(clip, 3)
    run = tune_prompt(learner, bank, [5, 5, 17], TuningSettings(negatives=10)).gi_frame.f_locals["self"]
    for index in range(400):
        chosen, places, counts = run._sample(labels, index)
        assert len(chosen) == len(chosen.unique()) == 12
        assert torch.equal(chosen[places], labels)
        assert float(counts.sum()) == pytest.approx(40)
        found.append(float(explanation_loss(shares[:, chosen], places, counts)))
    exact = float(explanation_loss(shares, labels))
    assert sum(found) / 400 == pytest.approx(exact, abs=4 * torch.tensor(found).std().item() / 20)
    assert torch.tensor(found).std() > 0.001


def test_a_thousand_classes(toy):
    """The cross entropy is of all of them, and of no more than 128 prompts at once the graph is in memory."""
    names = [f"cat {number}" for number in range(1000)]
    learner, bank = learner_of(toy, names), bank_of(toy, 3)
    steps = list(tune_prompt(learner, bank, [0, 500, 999], TuningSettings(epochs=2, warmup_epochs=0)))
    assert steps[-1].finished
    assert steps[0].losses["cross_entropy"] > math.log(1000) / 2
    assert not torch.equal(learner.context, learner_of(toy, names).context)
    alone = learner_of(toy, names)
    texts = F.normalize(towers.text_features(toy.model, alone.texts, alone.embeddings()), dim=-1).detach()
    drawn = torch.randint(2**31, (3,), generator=generator_of(0, 0)).tolist()
    images = torch.stack([bank.features[number, drawn[number] % 8] for number in range(3)])
    entropy = F.cross_entropy(toy.logit_scale * images @ texts.T, torch.tensor([0, 500, 999]))
    assert steps[0].losses["cross_entropy"] == pytest.approx(float(entropy), rel=1e-4)


# Relevance on other pictures


def test_own_relevance_is_that_of_the_own_class(double, monkeypatch):
    learner, labels = learner_of(double), torch.tensor([3, 1, 0])
    images = double.encode_images(random_images(double, count=3).double())
    expected = name_relevance(double, learner.record(), images, learner.name_tokens)[range(3), labels]
    monkeypatch.setattr(losses, "AT_ONCE", 2)
    torch.testing.assert_close(
        own_relevance(learner, images, labels), expected.detach(), atol=1e-10, rtol=1e-7
    )


# Views


def test_views_are_crops_within_their_bounds():
    picture, mirrored, shapes = noise(1, (200, 120)), 0, set()
    for number in range(200):
        view = random_view(picture, generator_of(number))
        area = view.width * view.height / (200 * 120)
        assert AREA[0] * 0.95 <= area <= AREA[1]
        assert RATIO[0] * 0.95 <= view.width / view.height <= 200 / 120
        shapes.add(view.size)
        left, top, width, height = crops._crop(picture.size, generator_of(number))
        crop = picture.crop((left, top, left + width, top + height))
        mirrored += view.tobytes() != crop.tobytes()
        if view.tobytes() != crop.tobytes():
            assert view.transpose(Image.Transpose.FLIP_LEFT_RIGHT).tobytes() == crop.tobytes()
    assert 60 < mirrored < 140
    assert len(shapes) > 150


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_pictures_in_which_no_crop_fits(toy, size):
    bank = ViewBank(toy, [Image.new("RGB", size, "red")], views=2)
    assert bank.features.isfinite().all()


def test_a_bank_is_its_pictures_one_by_one(toy, monkeypatch):
    bank = bank_of(toy)
    assert bank.features.shape == (6, 8, 24)
    assert torch.equal(bank.features, bank_of(toy).features)
    assert not torch.equal(bank.features, bank_of(toy, seed=1).features)
    first = [random_view(noise(2), generator_of(0, 2, view)) for view in range(8)]
    torch.testing.assert_close(bank.features[2], encoded(toy, first), atol=1e-5, rtol=0)
    assert torch.equal(bank.take([2, 0], [9, 3]), bank.features[[2, 0], [1, 3]])
    monkeypatch.setattr(crops, "BATCH", 5)
    torch.testing.assert_close(bank_of(toy).features, bank.features, atol=1e-5, rtol=0)
    assert encoded(toy, []).shape == (0, 24)


# Files


@pytest.mark.parametrize(
    "changes",
    [{}, {"class_specific": True}, {"position": "front"}, {"phrasing": "a photo of a {} on the grass"}],
)
def test_contexts_come_back_bit_for_bit(toy, tmp_path, changes):
    learner = learner_of(toy, **changes)
    list(tune_prompt(learner, bank_of(toy), LABELS, TuningSettings(epochs=2)))
    save_context(tmp_path / "c.safetensors", learner, {"shots": 1})
    found = load_context(tmp_path / "c.safetensors", toy)
    assert torch.equal(found.context, learner.context)
    assert torch.equal(found.features(), learner.features())
    assert (found.names, found.settings) == (learner.names, learner.settings)
    assert [path.name for path in tmp_path.iterdir()] == ["c.safetensors"]


def test_files_that_hold_no_context(toy, clips, tmp_path):
    learner, path = learner_of(toy), tmp_path / "c.safetensors"
    save_context(path, learner)
    with pytest.raises(ValueError, match="learnt for 'toy', not for vit"):
        load_context(path, clips["vit"])
    good = path.read_bytes()
    bad = {
        "cut.safetensors": good[: len(good) // 2],
        "empty.safetensors": b"",
        "pickle.safetensors": pickle.dumps({"context": [1]}),
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    save_file({"context": learner.context.detach()}, tmp_path / "bare.safetensors")
    header = json.loads(_header(path))
    for name, changes, context in (
        ("few.safetensors", {"names": ["cat"]}, learner.context),
        ("names.safetensors", {"names": "cats"}, learner.context),
        ("settings.safetensors", {"settings": {"depth": 3}}, learner.context),
        ("phrasing.safetensors", {"settings": {"phrasing": 3}}, learner.context),
        ("specific.safetensors", {"settings": {"class_specific": "yes"}}, learner.context),
        ("shape.safetensors", {}, learner.context[:2]),
        ("nan.safetensors", {}, learner.context * math.nan),
    ):
        text = json.dumps(header | changes)
        save_file({"context": context.detach().contiguous()}, tmp_path / name, {"tokenlight": text})
        bad[name] = b""
    save_file(
        {"context": learner.context.detach()}, tmp_path / "deep.safetensors", {"tokenlight": "[" * 10**5}
    )
    for name in [*bad, "bare.safetensors", "deep.safetensors", "none.safetensors"]:
        with pytest.raises(ValueError, match=rf"'{name}'.*allowed: a context that"):
            load_context(tmp_path / name, toy)
    assert torch.equal(load_file(path)["context"], learner.context)


def _header(path):
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return file.metadata()["tokenlight"]


# Words


def test_words_nearest_to_a_phrasing_are_its_own(clips):
    for name in ("vit", "toy"):
        found = nearest_words(
            PromptLearner(clips[name], ["cat", "car"], ContextSettings(phrasing="a photo of a"))
        )
        texts = [near[0].text for near in found]
        assert "".join(texts) == "aphotoofa"
        assert all(near[0].distance == pytest.approx(0, abs=1e-3) for near in found)
        for near in found:
            assert len({word.text.lower() for word in near}) == 3
            assert [word.distance for word in near] == sorted(word.distance for word in near)


def test_every_printable_token_prints(clips):
    for clip in clips.values():
        tokens = printable_tokens(clip)
        assert len(tokens) > 30
        assert all(text.isprintable() and text.strip() == text != "" for _, text in tokens)
        assert not {"<end>", "<start_of_text>", "</s>", "<pad>"} & {text for _, text in tokens}


def test_names_of_words_that_were_never_seen(toy, clips):
    assert name_notes(toy, ["cat", "zorblax", "red zorblax"]) == ("never seen in training: 'zorblax'",)
    assert name_notes(toy, ["cat", "boats"]) == ()
    assert name_notes(clips["vit"], ["zorblax"]) == ()
