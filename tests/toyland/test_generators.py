"""Trainings of the built-in generators and of the detector, on a few steps of the real thing."""

import json
import re
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, VQModel

from toyland.__main__ import main
from toyland.detector.evaluation import evaluate_detector
from toyland.detector.finding import Found, Wanted, f1, find, iou, matches
from toyland.detector.model import corners, load_detector
from toyland.detector.training import BoxedScenes, DetectorRecipe, DetectorTraining, focal_loss, targets
from toyland.generators.autoencoder import (
    CHANNELS,
    AutoencoderRecipe,
    AutoencoderTraining,
    latent_scale,
    new_autoencoder,
    reconstruction_error,
)
from toyland.generators.diffusion_training import (
    POOL,
    DiffusionRecipe,
    DiffusionTraining,
    Pool,
    exported_weights,
)
from toyland.generators.evaluation import evaluate_autoencoder
from toyland.generators.prompts import CONTEXT_LENGTH, caption_tokenizer
from toyland.generators.scenes import FIRST, DrawnScenes, as_images
from toyland.world.drawing import draw_scene, scene_boxes
from toyland.world.scene import plain_caption, sample_scene

BUILT_IN = Path(__file__).resolve().parents[2] / "assets" / "models" / "toy-detector"
BRIEF = {"budget": 1e6, "batch": 4, "workers": 0, "pictures": 40}


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory):
    """A folder with an AutoencoderKL after three steps."""
    folder = tmp_path_factory.mktemp("autoencoder")
    run = AutoencoderTraining(AutoencoderRecipe(**BRIEF), folder, "cpu")
    list(islice(run.run(), 3))
    run.save()
    return folder


@pytest.fixture(scope="module")
def captions():
    scenes = DrawnScenes(64, 1)
    return [scenes.scene(number)[1] for number in range(3000)]


@pytest.fixture(scope="module")
def sd(tmp_path_factory, autoencoder):
    """A folder with a Stable Diffusion pipeline after three steps, and its training."""
    folder = tmp_path_factory.mktemp("sd")
    run = DiffusionTraining(DiffusionRecipe(**BRIEF), folder, "cpu", autoencoder)
    list(islice(run.run(), 3))
    run.save()
    return folder, run


# --- scenes and words -------------------------------------------------------------------------------------


def test_drawn_scenes_count_on_and_workers_share_them():
    """Batches that start later go on with the same scenes; seeds have scenes of their own."""
    first = list(islice(iter(DrawnScenes(64, 4)), 2))
    later = next(iter(DrawnScenes(64, 4, start=4)))
    assert torch.equal(first[1][0], later[0])
    assert first[1][1] == later[1]
    assert next(iter(DrawnScenes(64, 4, seed=1)))[1] != first[0][1]


def test_captions_are_plain_or_as_people_write_them():
    scenes = DrawnScenes(64, 1)
    plain = 0
    for number in range(200):
        scene, caption = scenes.scene(number)
        assert scene == sample_scene(FIRST + number, "train", None, 0.25)
        plain += caption == plain_caption(scene)
    assert 90 < plain < 160


def test_a_crop_of_a_single_thing_holds_all_of_it_or_nothing_else():
    scenes = DrawnScenes(64, 1)
    for number in range(40):
        scene, _ = scenes.scene(number, single=True)
        (thing,) = scene.things
        crop = scenes.picture(scene, 32).astype(int)
        whole = np.asarray(draw_scene(scene, 64)).astype(int)
        empty = np.asarray(draw_scene(replace(scene, things=()), 64)).astype(int)
        drawn = (whole != empty).any(axis=-1).sum()
        places = [
            (top, left)
            for top in range(33)
            for left in range(33)
            if (whole[top : top + 32, left : left + 32] == crop).all()
        ]
        seen = max(
            (whole != empty)[top : top + 32, left : left + 32].any(axis=-1).sum() for top, left in places
        )
        assert seen == drawn if thing.scale <= 0.5 else seen > 0.5 * drawn


def test_a_share_of_the_batches_are_crops():
    batches = islice(iter(DrawnScenes(64, 4, crop=32, crops=0.25, single=True)), 60)
    sides = [pictures.shape[1] for pictures, _ in batches]
    assert set(sides) == {32, 64}
    assert 5 < sides.count(32) < 26
    assert {pictures.shape[1] for pictures, _ in islice(iter(DrawnScenes(64, 4)), 5)} == {64}


def test_every_word_of_the_world_is_one_token_and_the_end_has_the_largest_id(captions, tmp_path):
    tokenizer = caption_tokenizer(captions)
    words = {word for caption in captions for word in re.findall("[a-z]+", caption)}
    frequent = [word for word in words if sum(word in caption.split() for caption in captions) > 2]
    assert len(frequent) > 100
    assert [word for word in frequent if len(tokenizer.tokenize(word)) != 1] == []
    assert tokenizer.eos_token_id == len(tokenizer) - 1 != 2
    tokenizer.save_pretrained(tmp_path)
    again = type(tokenizer).from_pretrained(tmp_path)
    odd = "Zebra 😀 \u202b on the GRASS"
    ids = again(odd, padding="max_length", truncation=True).input_ids
    assert ids == tokenizer(odd, padding="max_length", truncation=True).input_ids
    assert len(ids) == CONTEXT_LENGTH
    assert ids[0] == tokenizer.bos_token_id
    assert "z e b r a" in " ".join(tokenizer.tokenize("z e b r a")).replace("</w>", "")


# --- autoencoders -----------------------------------------------------------------------------------------


def test_reconstruction_error_counts_edges():
    """A constant error is counted once; the same error with edges costs more."""
    originals = torch.zeros(1, 3, 8, 8)
    stripes = torch.full_like(originals, 0.5)
    stripes[..., ::2] = -0.5
    assert reconstruction_error(originals + 0.5, originals) == pytest.approx(0.25 + 0.1)
    assert reconstruction_error(stripes, originals) == pytest.approx(0.25 + 0.1 + 0.2)


def test_the_autoencoder_is_a_diffusers_checkpoint_of_unit_variance(autoencoder):
    model = AutoencoderKL.from_pretrained(autoencoder).float().eval()
    pictures, _ = next(iter(DrawnScenes(64, 32, seed=5)))
    with torch.no_grad():
        latents = model.encode(as_images(pictures, torch.device("cpu"))).latent_dist.mean
    assert latents.shape == (32, CHANNELS, 16, 16)
    assert (latents * model.config.scaling_factor).std().item() == pytest.approx(1, abs=0.1)
    assert latent_scale(model) == pytest.approx(model.config.scaling_factor, rel=1e-2)  # fp16 weights


@pytest.mark.parametrize("family", ["kl", "vq"])
def test_an_autoencoder_learns_saves_and_resumes(family, tmp_path):
    recipe = AutoencoderRecipe(family=family, crop=32, warmup=0.0, **BRIEF)
    run = AutoencoderTraining(recipe, tmp_path, "cpu")
    batch = next(run.batches())
    assert batch.shape == (4, 32, 32, 3)
    losses = [run._step(batch)["loss"] for _ in range(8)]
    assert losses[-1] < 0.9 * losses[0]
    next(run.run())
    run.save()
    again = AutoencoderTraining(recipe, tmp_path, "cpu")
    again.resume()
    assert again.progress == run.progress
    for name, value in run.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name
    with pytest.raises(ValueError, match="holds a run of"):
        AutoencoderTraining(
            AutoencoderRecipe(family={"kl": "vq", "vq": "kl"}[family], **BRIEF), tmp_path, "cpu"
        )


def test_a_vqgan_starts_as_the_autoencoder_it_was_given(autoencoder):
    """Same latents as the other's means, and codes among them: k-means leaves a smaller distance than chance."""
    source = AutoencoderKL.from_pretrained(autoencoder).float().eval()
    model = new_autoencoder("vq", autoencoder).eval()
    assert isinstance(model, VQModel)
    pictures, _ = next(iter(DrawnScenes(64, 4, seed=3)))
    images = as_images(pictures, torch.device("cpu"))
    with torch.no_grad():
        latents = model.encode(images).latents
        assert torch.allclose(latents, source.encode(images).latent_dist.mean, atol=1e-5)
        points = latents.permute(0, 2, 3, 1).reshape(-1, CHANNELS)
        codes = model.quantize.embedding.weight
        near = torch.cdist(points, codes).amin(dim=1).mean()
        chance = torch.cdist(points, codes[torch.randperm(len(codes))[:16]]).amin(dim=1).mean()
    assert near < 0.6 * chance


# --- Stable Diffusion -------------------------------------------------------------------------------------


def test_an_untrained_autoencoder_gives_nothing_back(autoencoder):
    figures = evaluate_autoencoder(autoencoder, "validation", 10)
    assert figures["f1_50"] < 0.2
    assert figures["pixel_error"] > 30


def test_toy_sd_is_a_folder_that_diffusers_loads_unchanged(sd):
    folder, _ = sd
    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    picture = pipe(
        "a red cat on the grass", height=64, width=64, num_inference_steps=2, generator=torch.manual_seed(0)
    ).images[0]
    assert picture.size == (64, 64)
    assert np.asarray(picture).std() > 0
    assert all(file.stat().st_size < 10e6 for file in folder.rglob("*") if file.name != "training.pt")


def test_what_is_exported_says_nothing_of_the_machine(sd, tmp_path_factory):
    folder, _ = sd
    for config in folder.rglob("*.json"):
        assert str(tmp_path_factory.getbasetemp()) not in config.read_text(encoding="utf-8"), config


def test_toy_sd_goes_on_from_its_folder(sd, autoencoder, tmp_path):
    """`--resume` restores the state; `--start-from` takes the exported weights."""
    folder, run = sd
    again = DiffusionTraining(DiffusionRecipe(**BRIEF), folder, "cpu", autoencoder)
    again.resume()
    assert again.progress == run.progress
    fresh = DiffusionTraining(DiffusionRecipe(**BRIEF), tmp_path, "cpu", autoencoder, start_from=folder)
    for name, value in exported_weights(folder).items():
        assert torch.equal(fresh.model.state_dict()[name], value), name
    assert len(fresh.tokenizer) == len(run.tokenizer)


def test_toy_sd_learns_v(sd):
    """On one batch the error falls, and a tenth of the prompts is empty."""
    _, run = sd
    batch = next(iter(DrawnScenes(64, 8, seed=7)))
    run.generator.manual_seed(0)
    losses = []
    for _ in range(12):
        run.generator.manual_seed(1)
        losses.append(run._step(batch)["loss"])
    assert losses[-1] < losses[0]
    empty = run.ids([""])[0]
    rows = run.ids(["a red cat"] * 400)
    assert 15 < (rows == empty).all(dim=1).sum() < 70


def test_a_pool_keeps_the_latest_scenes_with_their_captions():
    pool, generator = Pool(), torch.Generator().manual_seed(0)
    for first in range(0, POOL + 64, 32):
        numbers = range(first, first + 32)
        latents = torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
        pool.add(latents, [str(number) for number in numbers])
        if first == 0:
            assert sorted(pool.some(64, generator)[1]) == sorted([str(number) for number in numbers] * 2)
    latents, captions = pool.some(POOL, generator)
    assert [str(int(one[0, 0, 0])) for one in latents] == captions
    assert {int(caption) for caption in captions} == set(range(64, POOL + 64))


def test_a_batch_that_scenes_cannot_share_is_refused(tmp_path, autoencoder):
    with pytest.raises(ValueError, match="batch 6 is no multiple of reuse 4"):
        DiffusionTraining(DiffusionRecipe(**{**BRIEF, "batch": 6}), tmp_path, "cpu", autoencoder)


def test_timesteps_are_all_drawn_and_most_of_all_those_in_the_middle(sd):
    _, run = sd
    t = run.timesteps(20_000)
    assert (t.min(), t.max()) == (0, 999)
    counts = torch.histc(t.float(), 10, 0, 1000)
    assert counts.argmax() in (3, 4)
    assert counts.min() > 300


def test_the_schedule_ends_in_pure_noise(sd):
    _, run = sd
    assert run.alphas[-1] == 0
    assert run.alphas[0] > 0.99


# --- the detector -----------------------------------------------------------------------------------------


def test_targets_mark_centres_and_owners():
    boxes = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.1, 0.1, 0.3, 0.3], [0.5, 0.5, 1.0, 1.0]])
    labels = torch.tensor([[0, 2, 1], [0, 3, 1], [1, 2, 0]])
    heat, owner = targets(boxes, labels, 2)
    assert heat.shape == (2, 24, 16, 16)
    assert heat[0, 2, 4, 4] == heat[0, 3, 3, 3] == heat[1, 2, 12, 12] == 1
    assert heat[0, 2, 4, 6] > heat[0, 3, 3, 5]  # a larger thing's centre is less exact
    assert owner[0, 3, 3] == 1  # the smaller thing in front of the larger
    assert owner[0, 4, 4] == 0
    assert owner[1, 0, 0] == -1
    sure = torch.where(heat == 1, 9.0, -9.0)
    assert focal_loss(sure, heat) < 0.01 * focal_loss(-sure, heat)


def test_the_detector_learns_saves_and_resumes(tmp_path):
    recipe = DetectorRecipe(**{**BRIEF, "batch": 8, "pictures": 800}, width=16, warmup=0.0)
    run = DetectorTraining(recipe, tmp_path, "cpu")
    batch = next(iter(BoxedScenes(8)))
    losses = [run._step(batch)["loss"] for _ in range(20)]
    assert losses[-1] < 0.8 * losses[0]
    run.save()
    again = DetectorTraining(recipe, tmp_path, "cpu")
    again.resume()
    assert again.progress == run.progress
    detector = load_detector(tmp_path)
    assert not any(p.requires_grad for p in detector.parameters())
    with pytest.raises(ValueError, match="holds no detector"):
        load_detector(tmp_path / "nothing")


class Planted(torch.nn.Module):
    """A detector that says what it was told."""

    def __init__(self, things):
        super().__init__()
        self.kinds = torch.full((1, 24, 16, 16), -9.0)
        self.colours = torch.zeros(1, 8, 16, 16)
        self.sides = torch.full((1, 4, 16, 16), 0.1)
        for kind, colour, (y, x), logit, side in things:
            self.kinds[0, kind, y, x] = logit
            self.colours[0, colour, y, x] = 5.0
            self.sides[0, :, y, x] = side

    def forward(self, images):
        return self.kinds, self.colours, self.sides


def test_find_reads_peaks_and_drops_doubles():
    planted = Planted(
        [
            (2, 1, (4, 4), 4.0, 0.2),
            (2, 1, (4, 5), 2.0, 0.2),
            (5, 0, (12, 12), 3.0, 0.1),
            (7, 3, (4, 4), 1.0, 0.2),
        ]
    )
    found = find(planted, torch.zeros(1, 3, 128, 128))[0]
    assert [(thing.kind, thing.colour) for thing in found] == [("fish", "orange"), ("castle", "red")]
    centre = 4.5 / 16
    assert found[0].box == pytest.approx((centre - 0.2, centre - 0.2, centre + 0.2, centre + 0.2), abs=1e-3)
    assert find(planted, torch.zeros(1, 3, 64, 64), threshold=0.97)[0] == found[:1]
    assert find(Planted([]), torch.zeros(1, 3, 64, 64)) == [[]]


def test_matches_need_kind_colour_and_overlap_and_use_each_once():
    cat = Found("cat", "red", 0.9, (0.0, 0.0, 0.5, 0.5))
    wanted = [Wanted("cat", "red", (0.0, 0.0, 0.5, 0.4)), Wanted("cat", "blue", (0.0, 0.0, 0.5, 0.5))]
    assert matches([cat], wanted) == [0, None]
    assert matches([cat], wanted, overlap=0.9) == [None, None]
    assert matches([cat, cat], wanted[:1]) == [0]
    assert iou(cat.box, wanted[0].box) == pytest.approx(0.8)
    assert f1(1, 1, 2) == pytest.approx(2 / 3)
    assert f1(0, 0, 0) == 1


def test_the_built_in_detector_finds_real_things_and_misses_what_is_not_there():
    """On validation scenes; against other scenes' things the same findings are worth nothing."""
    figures = evaluate_detector(BUILT_IN, "validation", 60)
    assert figures["f1_50"] > 0.95
    assert {"precision_75", "recall_75", "f1_75_of_4"} <= figures.keys()
    detector = load_detector(BUILT_IN)
    scenes = [sample_scene(number, "validation", things=2) for number in range(20)]
    pictures = [np.asarray(draw_scene(scene, 64), np.float32) / 255 for scene in scenes]
    found = find(detector, torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2))
    others = [
        [Wanted(t.kind, t.colour, b) for t, b in zip(s.things, scene_boxes(s), strict=True)] for s in scenes
    ]
    wrong = [matches(f, w) for f, w in zip(found, others[1:] + others[:1], strict=True)]
    assert sum(match is not None for each in wrong for match in each) <= 2
    with pytest.raises(ValueError, match="5 scenes say nothing"):
        evaluate_detector(detector, "validation", 5)


def test_the_built_in_vqgan_gives_things_back_that_the_detector_finds(capsys):
    """From the command line; and a fresh autoencoder gives back nothing that anybody would find."""
    assert (
        main(["evaluate", "--model", "toy-vqgan", "--split", "validation", "--scenes", "40", "--json"]) == 0
    )
    figures = json.loads(capsys.readouterr().out)
    assert figures["model"] == "toy-vqgan"
    assert figures["f1_50"] >= 0.75
    assert figures["pixel_error"] < 12


def test_a_stable_diffusion_is_evaluated_from_the_command_line(sd, capsys):
    """After three steps there is nothing in its pictures that anybody wanted."""
    folder, _ = sd
    assert main(["evaluate", "--model", str(folder), "--split", "validation", "--scenes", "6", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["model"], figures["split"], figures["layouts"]) == (folder.name, "validation", 6)
    assert [figures[f"all_right_of_{count}"] for count in (1, 2, 3)] == [0, 0, 0]


def test_the_built_in_diffusion_draws_what_a_prompt_says(capsys):
    assert main(["evaluate", "--model", "toy-sd", "--split", "validation", "--scenes", "60", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["model"] == "toy-sd"
    assert figures["right_of_1"] >= 0.4
    assert figures["right_of_1"] >= figures["right_of_3"]


def test_the_built_in_diffusion_is_an_ordinary_pipeline():
    """As anybody loads it, and with an end of text that transformers has no rule of its own for."""
    folder = BUILT_IN.parent / "toy-sd"
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    assert pipe.tokenizer.eos_token_id == pipe.text_encoder.config.eos_token_id != 2
    pipe.set_progress_bar_config(disable=True)
    made = pipe("a red car", num_inference_steps=2, output_type="np").images
    assert made.shape == (1, 64, 64, 3)
    assert np.isfinite(made).all()


def test_a_detector_is_evaluated_from_the_command_line(capsys):
    assert (
        main(["evaluate", "--model", "toy-detector", "--split", "validation", "--scenes", "12", "--json"])
        == 0
    )
    figures = json.loads(capsys.readouterr().out)
    assert (figures["model"], figures["scenes"]) == ("toy-detector", 12)


def test_corners_are_the_cells_centres_and_their_sides():
    boxes = corners(torch.full((1, 4, 16, 16), 0.25))
    assert boxes[0, :, 0, 15].tolist() == pytest.approx(
        [31 / 32 - 0.25, 1 / 32 - 0.25, 31 / 32 + 0.25, 1 / 32 + 0.25]
    )


def test_boxed_scenes_fit_the_pictures():
    pictures, boxes, labels = next(iter(BoxedScenes(6)))
    assert pictures.shape == (6, 64, 64, 3)
    assert len(boxes) == len(labels)
    assert labels[:, 0].unique().tolist() == list(range(6))
    assert ((boxes[:, :2] < boxes[:, 2:]).all() and boxes.min() >= 0 and boxes.max() <= 1).item()
