"""Labels in phrasings: which texts they make, what CLIP decides, how stable that is, and which words are neglected."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from PIL import Image

import explain
from explain import PHRASINGS, explain_image, explain_phrasings, towers
from explain.inputs.content_words import FUNCTION_WORDS, is_content, neglected, shares_of_strongest
from explain.methods.leave_one_out import losses_of_all, word_losses
from explain.stability.one_picture import PhrasedText, Stability, instability
from explain.stability.phrasings import MAX_LABELS, fill, read_labels, read_phrasings, read_texts
from explain.stability.report import as_record, as_text, verdict
from tests.oracles import explain as oracles

LABELS = ["red cat", "boat", "sky"]
FORMS = ["{}", "a photo of a {}", "a {label}!", "a {} on grass"]


@pytest.fixture(autouse=True)
def _nothing_kept(clips):
    for clip in clips.values():
        clip.pictures.clear()
    yield
    for clip in clips.values():
        clip.pictures.clear()


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (50, 40, 3), dtype=np.uint8))


def decided_on(decisions, labels=("cat", "boat", "tree"), ensemble=(0.6, 0.3, 0.1)) -> Stability:
    """A result whose phrasings decide so."""
    rows = tuple(
        tuple(PhrasedText("", float(n == one), float(n == one), ()) for n in range(len(labels)))
        for one in decisions
    )
    forms = tuple(f"{n} {{}}" for n in range(len(decisions)))
    return Stability("toy", tuple(labels), forms, 0.7, rows, tuple(ensemble), ())


# words


def test_content_words():
    assert all(map(is_content, ["see", "photo", "two", "cats", "sea"]))
    assert not any(
        map(is_content, [",", "!?", "...", "😀", "I", "The", "near", "It’s", "isn't", *FUNCTION_WORDS])
    )
    assert all(map(is_content, ["Cat", "2024", "été", "猫", "cat's"]))


@pytest.mark.parametrize("seed", range(20))
def test_neglected_words_against_the_slow_definition(seed):
    rng = np.random.default_rng(seed)
    words = rng.choice(["a", "photo", "of", "cat", ",", "blue", "sky"], 6).tolist()
    spans, start = [], 1
    for length in rng.integers(1, 4, len(words)):
        spans.append((start, start + int(length)))
        start += int(length)
    tokens = rng.random(start + 2).tolist()
    peaks = [max(tokens[first:stop]) for first, stop in spans]
    for threshold in (0.3, 0.7, 1.0):
        expected = oracles.neglected(tokens, spans, list(map(is_content, words)), threshold)
        assert neglected(words, peaks, threshold) == expected


def test_the_strongest_content_word_is_the_measure():
    assert shares_of_strongest(["a", "photo", "cat"], [4.0, 1.0, 2.0]) == [2.0, 0.5, 1.0]
    assert neglected(["a", "photo", "cat"], [4.0, 1.0, 2.0]) == [False, True, False]
    assert neglected(["photo", "cat"], [1.4, 2.0]) == [False, False]  # exactly at the threshold
    assert neglected(["of", "cat"], [1.0, 0.0]) == [False, False]  # nothing to fall behind
    assert shares_of_strongest(["of", "a"], [1.0, 2.0]) == [0.0, 0.0]


def test_the_strawberry_muffin_of_the_design():
    words = ["a", "photo", "of", "a", "strawberry", "muffin"]
    weak = neglected(words, [0.1, 0.1, 0.1, 0.1, 0.4, 0.2])
    assert [word for word, one in zip(words, weak, strict=True) if one] == ["photo", "muffin"]


# texts


def test_the_ready_phrasings_are_different_and_short(clips):
    assert len(PHRASINGS) == 20
    assert read_phrasings(PHRASINGS) == PHRASINGS
    for clip in (clips["vit"], explain.load("toy-vit", device="cpu")):
        for phrasing in PHRASINGS:
            words = clip.words([fill(phrasing, "")])[0]
            assert sum(word.stop - word.start for word in words) <= 16, phrasing


@pytest.mark.parametrize(
    ("phrasing", "label", "named"),
    [
        ("{}", "red cat", ["red", "cat"]),
        ("a photo of a {}", "cat", ["cat"]),
        ("a {label}'s house", "cat", ["cat's"]),
        ("some {}s here", "cat", ["cats"]),
        ("a {}, and a boat", "red cat", ["red", "cat"]),
        ("re{} it", "do", ["redo"]),
    ],
)
def test_the_words_of_the_label_are_known(clips, phrasing, label, named):
    for name in ("vit", "toy"):
        ((one,),) = read_texts(clips[name], [label], [phrasing]).table
        assert one.text == fill(phrasing, label)
        first, stop = one.named
        assert [word.text for word in one.words[first:stop]] == named


def test_a_label_is_never_read_as_a_phrasing(clips):
    hostile = "<b>{}{label}%s"
    ((one,),) = read_texts(explain.load("toy-vit", device="cpu"), [hostile], ["a {}!"]).table
    assert one.text == f"a {hostile}!"


def test_words_never_seen_are_named_once(clips):
    found = read_texts(clips["toy"], ["cat", "unicorn"], ["a {}", "wild {}"])
    assert found.notes == ("never seen in training: 'unicorn', 'wild'",)
    assert read_texts(clips["toy"], ["cat"], ["a {}"]).notes == ()


@pytest.mark.parametrize(
    ("labels", "phrasings", "message"),
    [
        ("cat", FORMS, "labels must be a list of texts, not str"),
        ([], FORMS, "0 labels given; allowed: 1 to 32"),
        (["cat"] * (MAX_LABELS + 1), FORMS, "33 labels given; allowed: 1 to 32"),
        (["cat", " \x00\u200b "], FORMS, "label 2 is empty; allowed: 1 to 300 characters"),
        (["cat", 3], FORMS, "label 2 is a int; allowed: text"),
        (["cat", "Cat "], FORMS, "two labels are 'Cat'; allowed: different ones"),
        (["x" * 301], FORMS, "label 1 has 301 characters; allowed: 1 to 300"),
        (["cat"], [], "0 phrasings given; allowed: 1 to 32"),
        (["cat"], ["a photo"], "the phrasing 'a photo' has no place for the label; allowed: one {}"),
        (["cat"], ["a {} and a {label}"], "has 2 places for the label; allowed: one {}"),
        (["cat"], ["a {}", "A  {}"], "two phrasings are 'A {}'"),
        (["cat"], ["a {}", None], "phrasing 2 is a NoneType"),
        (["cat " * 60], ["a {}"], "is too long for"),
    ],
)
def test_bad_texts(clips, labels, phrasings, message):
    with pytest.raises(ValueError, match=message.replace("{", r"\{").replace("(", r"\(")):
        read_texts(clips["vit"], labels, phrasings)


def test_a_label_that_the_tokenizer_drops(clips):
    with pytest.raises(ValueError, match="drops everything in the label"):
        read_texts(clips["siglip"], ["cat", "!!!"], ["a {}"])


def test_lists_are_cleaned():
    assert read_labels(("  red \n cat ", "boat\u202e")) == ("red cat", "boat")


# decisions


@pytest.mark.parametrize("seed", range(20))
def test_instability_and_flips_against_the_slow_definitions(seed):
    rng = np.random.default_rng(seed)
    decisions = rng.integers(0, 3, rng.integers(1, 12)).tolist()
    assert instability(decisions) == pytest.approx(oracles.disagreement(decisions), abs=1e-12)
    found = decided_on(decisions, ensemble=rng.dirichlet([1, 1, 1]).tolist())
    assert list(found.decisions) == decisions
    together = max(range(3), key=lambda n: found.ensemble[n])
    assert found.flips == tuple(n for n, one in enumerate(decisions) if one != together)
    assert found.instability == instability(decisions)


def test_limits_of_instability():
    assert instability([]) == instability([4]) == instability([1, 1, 1]) == 0
    assert instability([0, 1, 2]) == 1
    assert instability([0, 0, 1]) == pytest.approx(2 / 3)


def test_scores_are_those_of_explain_image(clip, picture):
    found = explain_phrasings(clip, picture, LABELS, FORMS)
    for row, form in zip(found.texts, FORMS, strict=True):
        clip.pictures.clear()
        for text, single in zip(
            row, explain_image(clip, picture, [fill(form, n) for n in LABELS]), strict=True
        ):
            assert text.prompt == single.prompt
            assert text.score == pytest.approx(single.score, abs=1e-5)
            assert text.probability == pytest.approx(single.probability, abs=1e-4)
            assert [word.text for word in text.words] == [word for word, _ in single.tokens]
        assert sum(text.probability for text in row) == pytest.approx(1)


def test_all_together_is_the_mean_of_the_texts(clip, picture):
    found = explain_phrasings(clip, picture, LABELS, FORMS)
    image = clip.model.encode_image(clip.prepare([picture]))[0].detach()
    rows = [
        [clip.model.encode_text(clip.tokenize([fill(form, label)]))[0].detach() for label in LABELS]
        for form in FORMS
    ]
    expected = oracles.ensemble(image, rows, clip.logit_scale)
    np.testing.assert_allclose(found.ensemble, expected, atol=1e-5)
    assert found.decided == int(np.argmax(expected))


def test_words_are_those_of_relevance_and_of_leaving_out(clip, picture):
    found = explain_phrasings(clip, picture, LABELS, FORMS, threshold=0.9, leave_out="all")
    encoding = clip.pictures[next(iter(clip.pictures))]
    for row in found.texts:
        for text in row:
            (read,) = encoding.read([text.prompt])
            words = clip.words([text.prompt])[0]
            content = [is_content(word.text) for word in words]
            spans = [(word.start, word.stop) for word in words]
            expected = oracles.neglected(read.relevance, spans, content, 0.9)
            assert [word.neglected for word in text.words] == expected
            assert [word.content for word in text.words] == content
            drops = word_losses(clip, encoding.features[0], text.prompt)
            np.testing.assert_allclose([word.drop for word in text.words], drops, atol=1e-5)


def test_words_that_are_left_out(clip, picture):
    found = explain_phrasings(clip, picture, LABELS, FORMS)
    for row, decision in zip(found.texts, found.decisions, strict=True):
        for label, text in enumerate(row):
            asked = label in (decision, found.decided)
            assert all((word.drop is None) != asked for word in text.words)
    none = explain_phrasings(clip, picture, LABELS, FORMS, leave_out="none")
    assert all(word.drop is None for row in none.texts for text in row for word in text.words)


def test_losses_of_many_pictures_are_those_of_each(clip, images):
    with torch.no_grad():
        features = clip.encode_images(images)
    prompts = ["a red cat", "the sky", "boats"]
    for prompt, losses in zip(prompts, losses_of_all(clip, features, prompts), strict=True):
        assert losses.shape == (2, len(clip.words([prompt])[0]))
        for feature, row in zip(features, losses, strict=True):
            np.testing.assert_allclose(row, word_losses(clip, feature, prompt), atol=1e-5)


def test_one_image_forward_and_one_run_of_the_text_tower(clip, picture, monkeypatch):
    runs = {"image": [], "texts": []}
    trunk, text_features = towers.trunk, towers.text_features
    monkeypatch.setattr(
        towers, "trunk", lambda visual, images: runs["image"].append(len(images)) or trunk(visual, images)
    )
    monkeypatch.setattr(
        towers,
        "text_features",
        lambda model, texts, *rest: runs["texts"].append(len(texts)) or text_features(model, texts, *rest),
    )
    explain_phrasings(clip, picture, LABELS, FORMS, leave_out="none")
    assert runs == {"image": [1], "texts": [len(LABELS) * len(FORMS)]}
    explain_phrasings(clip, picture, LABELS, FORMS, leave_out="none")  # seen before
    assert runs == {"image": [1], "texts": [len(LABELS) * len(FORMS)]}
    explain_phrasings(clip, picture, LABELS, FORMS)  # words are left out in a batch of their own
    assert (runs["image"], len(runs["texts"])) == ([1], 2)


def test_more_texts_than_a_picture_keeps(clips, picture):
    clip = clips["toy"]
    labels = [f"cat {n}" for n in range(20)]
    forms = [f"{{}} {n}" for n in range(15)]
    found = explain_phrasings(clip, picture, labels, forms, leave_out="none")
    assert len(found.texts) == 15
    one = explain_phrasings(clip, picture, labels, forms[-1:], leave_out="none")
    assert [t.score for t in found.texts[-1]] == pytest.approx([t.score for t in one.texts[0]], abs=1e-5)


@pytest.mark.parametrize("threshold", [0, -0.1, 1.1, float("nan"), "0.7", True, None])
def test_bad_thresholds(clips, picture, threshold):
    with pytest.raises(ValueError, match=r"threshold is .*; allowed: a number above 0, at most 1"):
        explain_phrasings(clips["vit"], picture, LABELS, FORMS, threshold)


def test_bad_ways_to_leave_out(clips, picture):
    with pytest.raises(ValueError, match="leave_out"):
        explain_phrasings(clips["vit"], picture, LABELS, FORMS, leave_out="some")


def test_results_hold_no_tensor_and_are_json(clip, picture):
    found = explain_phrasings(clip, picture, LABELS, FORMS)
    assert not any(isinstance(getattr(found, field.name), torch.Tensor) for field in fields(found))
    record = json.loads(json.dumps(as_record(found), allow_nan=False))
    assert record["labels"] == LABELS
    assert record["decided"] == LABELS[found.decided]
    assert record["decisions"] == [LABELS[one] for one in found.decisions]
    assert record["texts"][1][0]["words"][0]["text"] == "a"
    assert len(as_text(found).splitlines()) > 2 * len(FORMS)


def test_verdicts():
    assert verdict(decided_on([0])) == "The one phrasing says “cat”."
    assert verdict(decided_on([0, 0])) == "Both phrasings say “cat”."
    assert verdict(decided_on([0, 0, 0])) == "All 3 phrasings say “cat”."
    assert verdict(decided_on([0, 0, 1, 0, 2])) == (
        "3 of 5 phrasings say “cat”, as all together do; 1 says “boat”, 1 says “tree”. "
        "Two phrasings picked at random disagree 70 % of the time."
    )
    assert verdict(decided_on([1, 1])).startswith("No phrasing says “cat”, which all together do; 2 say")


def test_a_label_with_a_per_cent_sign_stays_as_it_is():
    assert "“5%”" in verdict(replace(decided_on([0, 1]), labels=("5%", "boat", "tree")))
