"""Folders of pictures: read, encoded in batches, averaged; and python -m explain words."""

import gc
import json
import os
import weakref
from dataclasses import fields

import numpy as np
import pytest
import torch
from PIL import Image

import explain
from explain import explain_folder, explain_phrasings, towers
from explain.__main__ import main
from explain.inputs.folders import NamedPicture, read_folder
from explain.relevance.texts import record_texts
from explain.stability import many_pictures
from explain.stability.many_pictures import explain_pictures
from explain.stability.report import as_record, as_text

LABELS = ["red cat", "boat", "sky"]
FORMS = ["{}", "a photo of {}", "a {} on grass"]


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (50, 40, 3), dtype=np.uint8))


@pytest.fixture
def flat(tmp_path):
    """Five pictures in one folder, and a file that is none."""
    for seed in range(5):
        noise(seed).save(tmp_path / f"{seed} né.png")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"")
    return tmp_path


@pytest.fixture
def classes(tmp_path):
    """A folder per class."""
    for n, name in enumerate(("boat", "red_cat")):
        (tmp_path / name).mkdir()
        for seed in range(3):
            noise(10 * n + seed).save(tmp_path / name / f"{seed}.png")
    return tmp_path


def singles(clip, folder, labels=LABELS):
    return [
        explain_phrasings(clip, path, labels, FORMS, leave_out="all") for path, _ in read_folder(folder).files
    ]


# reading


def test_a_folder_per_class(classes):
    found = read_folder(classes)
    assert found.classes == ("boat", "red cat")
    assert [(path.parent.name, path.name, label) for path, label in found.files] == [
        (folder, f"{seed}.png", label)
        for folder, label in (("boat", "boat"), ("red_cat", "red cat"))
        for seed in range(3)
    ]
    (classes / "empty").mkdir()
    assert read_folder(classes).empty == ("empty",)


def test_pictures_in_one_folder(flat):
    found = read_folder(flat)
    assert [path.name for path, _ in found.files] == [f"{seed} né.png" for seed in range(5)]
    assert {label for _, label in found.files} == {None}
    assert found.classes == ()


def test_pictures_that_cannot_be_used_are_named(classes, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    noise(1).save(outside)
    os.symlink(outside, classes / "boat" / "link.png")
    (classes / "boat" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (classes / "boat" / "empty.png").write_bytes(b"")
    skipped: list[str] = []
    names = [picture.name for picture in read_folder(classes).readable(skipped)]
    assert len(names) == 6
    assert [reason.split(":")[0] for reason in skipped] == [
        "boat/broken.jpg",
        "boat/empty.png",
        "boat/link.png",
    ]
    assert "leads outside" in skipped[2]


def test_bad_folders(tmp_path, classes):
    with pytest.raises(ValueError, match="there is no folder"):
        read_folder(tmp_path / "nothing")
    (tmp_path / "bare").mkdir()
    with pytest.raises(ValueError, match="there is no picture in"):
        read_folder(tmp_path / "bare")
    noise(1).save(classes / "loose.png")
    with pytest.raises(ValueError, match="holds pictures and folders of pictures"):
        read_folder(classes)


# averages


def test_averages_are_those_of_the_pictures(clip, flat):
    found = explain_folder(clip, flat, LABELS, FORMS)
    each = singles(clip, flat)
    for p in range(len(FORMS)):
        for n in range(len(LABELS)):
            scores = [one.texts[p][n].score for one in each]
            shares = [one.texts[p][n].probability for one in each]
            assert found.scores[p][n] == pytest.approx(np.mean(scores), abs=1e-5)
            assert found.probabilities[p][n] == pytest.approx(np.mean(shares), abs=1e-4)
    np.testing.assert_allclose(found.ensemble, np.mean([one.ensemble for one in each], axis=0), atol=1e-4)
    assert [one.decisions for one in found.pictures] == [one.decisions for one in each]
    assert [one.together for one in found.pictures] == [one.decided for one in each]
    assert found.instability == pytest.approx(np.mean([one.instability for one in each]))
    flips = [[p in one.flips for one in each] for p in range(len(FORMS))]
    np.testing.assert_allclose(found.flips, np.mean(flips, axis=1))
    assert found.accuracy is None
    assert (found.accuracy_together, found.accuracy_where_agreed, found.accuracy_elsewhere) == (None,) * 3


def test_words_are_averaged_over_a_labels_own_pictures(clip, classes):
    labels = ["boat", "red cat", "sky"]
    found = explain_folder(clip, classes, labels, FORMS)
    each = singles(clip, classes, labels)
    own = {0: each[:3], 1: each[3:]}
    for p in range(len(FORMS)):
        for n, mine in own.items():
            for number, word in enumerate(found.words[p][n]):
                ratings = [one.texts[p][n].words[number] for one in mine]
                assert (word.text, word.content, word.named) == (
                    ratings[0].text,
                    ratings[0].content,
                    ratings[0].named,
                )
                assert word.relevance == pytest.approx(np.mean([r.relevance for r in ratings]), rel=1e-3)
                assert word.neglected == np.mean([r.neglected for r in ratings])
                assert word.drop == pytest.approx(np.mean([r.drop for r in ratings]), abs=1e-5)
        assert found.words[p][2] == ()
        named = [[w for w in found.words[p][n] if w.named] for n in own]
        assert found.label_drop[p] == pytest.approx(np.mean([np.mean([w.drop for w in ws]) for ws in named]))


def test_accuracy_where_the_labels_are_known(clip, classes):
    found = explain_folder(clip, classes, ["sky", "red cat", "boat"], FORMS)
    true = [2] * 3 + [1] * 3
    assert [one.true for one in found.pictures] == true
    for p in range(len(FORMS)):
        right = [one.decisions[p] == label for one, label in zip(found.pictures, true, strict=True)]
        assert found.accuracy[p] == np.mean(right)
    right = [one.together == label for one, label in zip(found.pictures, true, strict=True)]
    assert found.accuracy_together == np.mean(right)
    stable = [len(set(one.decisions)) == 1 for one in found.pictures]
    assert found.agreed == np.mean(stable)
    for wanted, share in ((True, found.accuracy_where_agreed), (False, found.accuracy_elsewhere)):
        of_them = [hit for hit, one in zip(right, stable, strict=True) if one == wanted]
        assert share == (np.mean(of_them) if of_them else None)
    assert explain_folder(clip, classes, phrasings=FORMS).labels == ("boat", "red cat")


def test_texts_keep_a_graph_for_one_label_at_a_time(clips, classes, monkeypatch):
    """That of a label without pictures is never made."""
    recorded = []

    def record(clip, ids):
        gc.collect()
        assert not any(one() is not None for one in recorded)
        found = record_texts(clip, ids)
        recorded.append(weakref.ref(found))
        return found

    monkeypatch.setattr(many_pictures, "record_texts", record)
    explain_folder(clips["vit"], classes, ["sky", "red cat", "boat"], FORMS)
    assert len(recorded) == 2


def test_batches_are_singles(clip, flat, monkeypatch):
    whole = explain_folder(clip, flat, LABELS, FORMS)
    monkeypatch.setattr("explain.stability.many_pictures.BATCH", 2)
    parts = explain_folder(clip, flat, LABELS, FORMS)
    np.testing.assert_allclose(whole.scores, parts.scores, atol=1e-5)
    assert [one.decisions for one in whole.pictures] == [one.decisions for one in parts.pictures]


def test_pictures_are_read_in_batches_and_texts_once(clip, flat, monkeypatch):
    runs = {"image": [], "texts": 0}
    trunk, text_features = towers.trunk, towers.text_features

    def count_texts(model, texts, *rest):
        runs["texts"] += len(texts)
        return text_features(model, texts, *rest)

    monkeypatch.setattr(
        towers, "trunk", lambda visual, images: runs["image"].append(len(images)) or trunk(visual, images)
    )
    monkeypatch.setattr(towers, "text_features", count_texts)
    monkeypatch.setattr("explain.stability.many_pictures.BATCH", 3)
    found = explain_folder(clip, flat, LABELS, FORMS)
    assert runs["image"] == [3, 2]
    # Every text once; those of a label that some picture has, once more for their graph, and without each word.
    own = {one.own for one in found.pictures}
    left_out = sum(2 + len(found.words[p][n]) for n in own for p in range(len(FORMS)))
    assert runs["texts"] == len(LABELS) * len(FORMS) + left_out


def test_what_is_done_is_reported(clips, classes):
    (classes / "boat" / "broken.jpg").write_bytes(b"x")
    calls = []
    explain_folder(clips["vit"], classes, phrasings=FORMS, report=lambda *said: calls.append(said))
    for what, total in (("pictures", 7), ("their words", 6)):
        done = [number for name, number, of in calls if name == what and of == total]
        assert done == sorted(done)
        assert (done[0], done[-1]) == (0, total)


def test_one_corrupt_picture_among_good_ones(clips, classes):
    (classes / "boat" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (classes / "sky").mkdir()
    found = explain_folder(clips["vit"], classes, phrasings=FORMS)
    assert len(found.pictures) == 6
    assert found.skipped[0] == "sky: the folder has no pictures"
    assert found.skipped[1].startswith("boat/broken.jpg: 'broken.jpg' is")
    assert "2 left out:" in as_text(found)


def test_bad_questions_about_folders(clips, flat, tmp_path_factory):
    clip = clips["vit"]
    with pytest.raises(ValueError, match="no labels given; allowed: labels, or a folder"):
        explain_folder(clip, flat)
    broken = tmp_path_factory.mktemp("broken")
    (broken / "1.png").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"there is no picture that can be used; the first: 1\.png"):
        explain_folder(clip, broken, LABELS)
    with pytest.raises(ValueError, match=r"mine is 'dog'; allowed: red cat, boat, sky"):
        explain_pictures(clip, [NamedPicture("mine", "dog", noise(1))], LABELS, FORMS)


def test_folders_must_be_labels(clips, classes):
    with pytest.raises(ValueError, match="the folder 'red cat' is none of the labels; allowed: boat, sky"):
        explain_folder(clips["vit"], classes, ["boat", "sky"])


def test_results_hold_no_tensor_and_are_json(clip, classes):
    found = explain_folder(clip, classes, ["boat", "red cat", "sky"], FORMS)
    assert not any(isinstance(getattr(found, field.name), torch.Tensor) for field in fields(found))
    record = json.loads(json.dumps(as_record(found), allow_nan=False))
    assert record["pictures"][0]["true"] == "boat"
    assert record["pictures"][0]["decisions"][0] in record["labels"]
    assert len(record["flips"]) == len(record["accuracy"]) == len(record["label_drop"]) == len(FORMS)


# the command


def words(directories, *arguments: str) -> list[str]:
    return ["words", *arguments, "--model", str(directories["toy"]), "--device", "cpu"]


def test_the_command_about_a_picture(directories, tmp_path, capsys):
    noise(3).save(tmp_path / "one.png")
    asked = [str(tmp_path / "one.png"), "--labels", *LABELS, "--phrasings", *FORMS]
    assert main(words(directories, *asked)) == 0
    text = capsys.readouterr().out
    assert "3 labels in 3 phrasings" in text
    assert "all together" in text
    assert main(words(directories, *asked, "--json")) == 0
    record = json.loads(capsys.readouterr().out)
    expected = explain_phrasings(explain.load(directories["toy"], "cpu"), tmp_path / "one.png", LABELS, FORMS)
    assert record["instability"] == expected.instability
    assert record["texts"][2][1]["score"] == pytest.approx(expected.texts[2][1].score, abs=1e-6)


def test_the_command_about_folders(directories, classes, capsys):
    assert main(words(directories, str(classes), "--phrasings", *FORMS)) == 0
    assert "6 pictures, 2 labels in 3 phrasings" in capsys.readouterr().out
    assert main(words(directories, str(classes), "--phrasings", *FORMS, "--json")) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == ["boat", "red cat"]


def test_the_command_about_toyland(capsys):
    assert main(["words", "toyland", "--count", "6", "--device", "cpu", "--phrasings", "a {}", "{}"]) == 0
    assert "6 pictures, 24 labels in 2 phrasings" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.png", "--labels", "cat", "--phrasings", "{}"], "there is no file 'missing.png'"),
        (["missing.png"], "no labels given; allowed: --labels cat dog"),
        (["missing.png", "--labels", "cat", "Cat"], "two labels are 'Cat'"),
        (["missing.png", "--labels", "cat", "--phrasings", "a photo"], "has no place for the label"),
        (["missing.png", "--labels", "cat", "--threshold", "2"], "threshold is 2.0; allowed"),
        (["toyland", "--count", "0"], "count is 0; allowed: 1 picture or more"),
        (["toyland", "--leave-out", "all"], "--leave-out does nothing with several pictures"),
        (["toyland", "--split", "mars", "--phrasings", "{}"], "unknown split 'mars'"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    directories, arguments, message, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(words(directories, *arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("explain words: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
