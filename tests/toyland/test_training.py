"""The tokenizer, the training loop and the evaluation of the built-in CLIPs, on a few steps of the real thing."""

import dataclasses
import json
import math
from itertools import islice

import numpy as np
import open_clip
import pytest
import torch

from explain.clip.catalogue import MODELS
from toyland.__main__ import main
from toyland.clip import evaluation, models
from toyland.clip.data import CaptionedScenes, augmented
from toyland.clip.models import load_what_fits
from toyland.clip.training import ClipRecipe, ClipTraining
from toyland.world.batches import batches_of
from toyland.world.captions import sample_captions
from toyland.world.scene import sample_scene
from training.contrastive import contrastive_loss
from training.options import seconds
from training.run import Progress, learning_rate, share_done
from training.tokenizer import CONTEXT_LENGTH, train_tokenizer

BUILT_IN = {tower: MODELS / models.model_name(tower) for tower in ("vit", "rn")}


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer(sample_captions(1500), folder, models.PIECES)
    return folder


def recipe(**changes) -> ClipRecipe:
    plain = ClipRecipe(tower="vit", budget=1e6, pixels=64, batch=16, workers=0, alone=0)
    return dataclasses.replace(plain, **changes)


def training(tokenizer_folder, folder, **changes) -> ClipTraining:
    models.copy_tokenizer(tokenizer_folder, folder)
    return ClipTraining(recipe(**changes), folder, "cpu")


@pytest.mark.parametrize("tower", BUILT_IN)
def test_shipped_models_are_ordinary_open_clip_checkpoints_that_pool_the_end_token(tower):
    """open_clip's own factory loads them, and the pooled row is the row of `<end>`, whatever follows it."""
    name = f"local-dir:{BUILT_IN[tower]}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    tokenizer = open_clip.get_tokenizer(name)
    texts = tokenizer(["a red cat on the grass", "zebra", ""])
    end = tokenizer.tokenizer.convert_tokens_to_ids("<end>")
    assert texts.shape == (3, CONTEXT_LENGTH)
    assert tokenizer.tokenizer.pad_token_id == 0
    assert end == len(tokenizer.tokenizer) - 1 == model.token_embedding.num_embeddings - 1
    rows = (texts == end).int().argmax(dim=-1)
    assert (texts == end).sum(dim=-1).tolist() == [1, 1, 1]
    assert torch.equal(rows, texts.argmax(dim=-1))
    with torch.no_grad():
        pooled = model.eval().encode_text(texts)
        changed = texts.clone()
        for i, row in enumerate(rows):
            changed[i, row + 1 :] = 5  # causal: what follows the end token must not matter
        assert torch.allclose(model.encode_text(changed), pooled, atol=1e-5)
        features = model.encode_image(preprocess(sampled_picture())[None])
    assert features.shape == (1, models.EMBED_DIM)


def sampled_picture():
    from toyland.world.drawing import draw_scene

    return draw_scene(sample_scene(1), 300)


def test_tokenizer_round_trip_case_and_truncation(tokenizer_folder):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    assert tokenizer("A Red CAT").input_ids == tokenizer("a red cat").input_ids
    assert tokenizer.decode(tokenizer("a red cat").input_ids, skip_special_tokens=True).strip() == "a red cat"
    long = tokenizer("red cat " * 100, truncation=True, max_length=CONTEXT_LENGTH).input_ids
    assert len(long) == CONTEXT_LENGTH
    assert long[-1] == tokenizer.eos_token_id
    assert "cat" in (tokenizer_folder / "words.txt").read_text().split()


def test_data_is_endless_fresh_and_the_same_for_any_number_of_workers(tokenizer_folder):
    models.write_config("vit", tokenizer_folder)
    alone, two = (CaptionedScenes(tokenizer_folder, 32, 4) for _ in range(2))
    here = [texts.tolist() for _, texts in islice(iter(alone), 4)]
    there = [texts.tolist() for _, texts in islice(batches_of(two, 2), 4)]
    assert here == there
    later = next(iter(CaptionedScenes(tokenizer_folder, 32, 4, start=8)))
    assert later[1].tolist() == here[2]
    assert len({str(batch) for batch in here}) == 4


def test_every_seed_has_scenes_of_its_own(tokenizer_folder):
    models.write_config("vit", tokenizer_folder)
    batches = [next(iter(CaptionedScenes(tokenizer_folder, 32, 4, seed=seed)))[0] for seed in (0, 1, 1)]
    assert torch.equal(batches[1], batches[2])
    assert not torch.equal(batches[0], batches[1])


def test_grey_pictures_have_captions_without_colours(tokenizer_folder):
    models.write_config("vit", tokenizer_folder)
    images, _ = next(iter(CaptionedScenes(tokenizer_folder, 32, 40, grey=1)))
    assert torch.equal(images[..., 0], images[..., 1])
    assert torch.equal(images[..., 1], images[..., 2])
    some = next(iter(CaptionedScenes(tokenizer_folder, 32, 200, grey=0.5)))[0]
    share = (some[..., 0] == some[..., 2]).flatten(1).all(1).float().mean()
    assert 0.35 < share < 0.65


def test_augmentation_keeps_the_picture(tokenizer_folder):
    images = torch.randint(0, 256, (3, 16, 16, 3), dtype=torch.uint8)
    x = augmented(images, torch.Generator().manual_seed(0))
    assert x.shape == (3, 3, 16, 16)
    assert x.abs().max() <= 1
    plain = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    for a, b in zip(x, plain, strict=True):
        assert np.corrcoef(a.flatten(), b.flatten())[0, 1] > 0.8


def test_contrastive_loss_equals_the_formula():
    image, text = (torch.nn.functional.normalize(torch.randn(4, 8), dim=-1) for _ in range(2))
    loss, accuracy = contrastive_loss(image, text, torch.tensor(10.0))
    expected = 0.0
    for a, b in ((image, text), (text, image)):
        for i in range(4):
            row = [10 * float(a[i] @ b[j]) for j in range(4)]
            expected += (math.log(sum(map(math.exp, row))) - row[i]) / 8
    assert loss.item() == pytest.approx(expected, abs=1e-5)
    assert contrastive_loss(image, image, torch.tensor(10.0))[1] == 1
    assert 0 <= accuracy <= 1


def test_learning_rate_follows_the_time_spent():
    def rate(seconds, **changes):
        spent = Progress(step=1, pictures=30, seconds=seconds, figures={})
        return learning_rate(share_done(recipe(budget=100.0, **changes), spent), warmup=0.1)

    assert rate(5) == pytest.approx(0.5)
    assert rate(10) == pytest.approx(1.0)
    assert rate(55) == pytest.approx(0.5)
    assert rate(100) == rate(1000) == 0
    assert rate(99, pictures=300) == pytest.approx(1.0)  # counts pictures, however long they took


@pytest.mark.parametrize(("tower", "pixels"), [("vit", 64), ("rn", 64)])
def test_training_learns_saves_and_resumes(tokenizer_folder, tmp_path, tower, pixels):
    first = training(tokenizer_folder, tmp_path / "run", tower=tower, pixels=pixels)
    losses = [progress.figures["loss"] for progress in islice(first.run(), 3)]
    assert all(map(math.isfinite, losses))
    first.save()
    second = training(tokenizer_folder, tmp_path / "run", tower=tower, pixels=pixels)
    second.resume()
    assert second.progress == first.progress
    for (name, a), b in zip(
        first.model.state_dict().items(), second.model.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b), name
    after = next(second.run())
    assert after.pictures == first.progress.pictures + 16
    loaded = open_clip.create_model(f"local-dir:{tmp_path / 'run'}")
    for name, value in loaded.state_dict().items():
        if name in first.ema and value.is_floating_point():
            assert torch.allclose(value, first.ema[name], atol=2e-3, rtol=2e-3), name


def test_a_folder_of_another_run_is_left_alone(tokenizer_folder, tmp_path, capsys):
    training(tokenizer_folder, tmp_path).save()
    config = (tmp_path / "open_clip_config.json").read_text()
    with pytest.raises(ValueError, match="choose another folder"):
        training(tokenizer_folder, tmp_path, tower="rn")
    assert (tmp_path / "open_clip_config.json").read_text() == config
    assert main(["train", "clip", "--budget", "1s", "-o", str(tmp_path)]) == 2
    assert "--resume" in capsys.readouterr().err


def test_a_few_steps_on_one_batch_lower_the_loss(tokenizer_folder, tmp_path):
    run = training(tokenizer_folder, tmp_path, warmup=0.0)
    images, texts = next(iter(CaptionedScenes(tmp_path, 64, 16)))
    losses = [run._step((images, texts))["loss"] for _ in range(25)]
    assert losses[-1] < 0.6 * losses[0]


def test_the_pictures_stop_a_run(tokenizer_folder, tmp_path):
    run = training(tokenizer_folder, tmp_path, pictures=40)
    assert [progress.pictures for progress in run.run()] == [16, 32, 48]


def test_the_budget_stops_a_run(tokenizer_folder, tmp_path):
    run = training(tokenizer_folder, tmp_path, budget=0.01)
    assert len(list(run.run())) == 1


def test_resnet_positions_are_interpolated_when_finished_larger(tokenizer_folder, tmp_path):
    small = training(tokenizer_folder, tmp_path, tower="rn", pixels=64)
    small.save()
    large = models.new_model("rn", tmp_path, 128)
    assert load_what_fits(large, tmp_path) == []
    source = small.ema["visual.attnpool.positional_embedding"]
    target = large.state_dict()["visual.attnpool.positional_embedding"]
    assert (len(source), len(target)) == (5, 17)
    assert torch.allclose(source[0], target[0], atol=1e-2)
    with torch.no_grad():
        assert large.eval().encode_image(torch.zeros(1, 3, 128, 128)).isfinite().all()


def test_questions_have_one_right_answer():
    """The right caption comes first and no other is the same; negatives differ from it in one word."""
    scene = next(s for s in (sample_scene(i, "validation", 2) for i in range(50)) if evaluation._two_kinds(s))
    single = sample_scene(0, "validation", 1)
    sizes = {"kind": 24, "colour": 8, "place": 8, "pair": 192}
    for name, size in sizes.items():
        choices = getattr(evaluation, f"{name}_question")(single)
        assert len(set(choices)) == len(choices) == size
        assert single.things[0].kind in choices[0]
    captions = evaluation.hard_negatives(scene)
    assert len(set(captions)) == 10
    assert captions == evaluation.hard_negatives(scene)
    right = captions[0].replace(" an ", " a ").split()
    for wrong in captions[1:]:
        words = wrong.replace(" an ", " a ").split()
        assert sum(a != b for a, b in zip(right, words, strict=True)) - (right[0] != words[0]) == 1


def test_seconds_reads_budgets():
    assert [seconds(text) for text in ("90s", "60m", "1.5h")] == [90, 3600, 5400]
    for text in ("", "60", "m", "-1m", "0s", "1d"):
        with pytest.raises(ValueError, match="90s, 60m or 2h"):
            seconds(text)


def test_command_line_draws_and_refuses(tmp_path, capsys):
    picture, description = tmp_path / "a b.png", tmp_path / "scene.json"
    assert main(["draw", "--seed", "7", "--size", "96", "-o", str(picture), "--json", str(description)]) == 0
    assert json.loads(description.read_text())["caption"] == capsys.readouterr().out.strip()
    assert main(["draw", "--seed", "-3", "-o", str(picture)]) == 2
    assert main(["draw", "--size", "0", "-o", str(picture)]) == 2
    assert main(["draw", "-o", str(tmp_path / "missing" / "x.png")]) == 2
    assert main(["train", "clip", "--budget", "soon"]) == 2
    assert main(["evaluate", "--model", "no-such-model"]) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 5
    assert all(line.startswith("toyland: ") for line in errors)
