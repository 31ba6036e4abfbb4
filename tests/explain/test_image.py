"""explain_image and its cache: what comes out, what is paid once, and that visitors do not meet."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin

import explain
from explain import METHODS, encodings, explain_image, explain_methods, towers
from explain.clip.prompts import Prompt
from explain.explanation import word_shares
from explain.inputs.words import Word

PROMPTS = ["a red cat on the grass", "the sky", "two boats"]


def forget(clips) -> None:
    for clip in clips.values():
        clip.pictures.clear()


@pytest.fixture(autouse=True)
def _nothing_kept(clips):
    forget(clips)
    yield
    forget(clips)


@pytest.fixture
def counted(clip, monkeypatch):
    """Runs of the image trunk and of the text tower, counted."""
    counts = {"image": 0, "texts": 0}
    trunk, layers, text_features = towers.trunk, towers.layers, towers.text_features

    def count_image(visual, images):
        counts["image"] += len(images)
        return trunk(visual, images)

    def count_layers(visual, images):
        counts["image"] += len(images)
        return layers(visual, images)

    def count_texts(model, texts, embeddings=None):
        counts["texts"] += len(texts)
        return text_features(model, texts, embeddings)

    monkeypatch.setattr(towers, "trunk", count_image)
    monkeypatch.setattr(towers, "layers", count_layers)
    monkeypatch.setattr(towers, "text_features", count_texts)
    return counts


def noise(seed: int, size: tuple[int, int] = (50, 40)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8))


@pytest.mark.parametrize("method", explain.METHODS)
def test_an_explanation_is_complete(clip, picture, method):
    if explain.METHODS[method].supports(clip) is not None:
        with pytest.raises(ValueError, match=explain.METHODS[method].supports(clip)):
            explain_image(clip, picture, PROMPTS, method)
        return
    found = explain_image(clip, picture, PROMPTS, method)
    assert [e.prompt for e in found] == PROMPTS
    assert sum(e.probability for e in found) == pytest.approx(1)
    for e in found:
        assert e.method == method
        assert -1 <= e.score <= 1
        assert isinstance(e.score, float)
        assert isinstance(e.heatmap, np.ndarray)
        assert e.heatmap.dtype == np.float32
        assert e.heatmap.shape == ((2, 2) if clip.name == "resnet" else (4, 4))
        assert sum(share for _, share in e.tokens) == pytest.approx(1)
        assert [word for word, _ in e.tokens] == e.prompt.split()
        assert not any(isinstance(value, torch.Tensor) for value in vars(e).values())
        assert e.notes == ()  # nothing is said of words that were rated
    with pytest.raises(AttributeError):
        found[0].score = 1.0


def test_scores_and_probabilities_are_clips(clip, picture):
    found = explain_image(clip, picture, PROMPTS)
    image = clip.encode_images(clip.prepare([picture]))
    cosines = (image @ clip.encode_texts(clip.tokenize(PROMPTS)).T)[0]
    np.testing.assert_allclose([e.score for e in found], cosines.numpy(), atol=1e-5)
    expected = (cosines.double() * clip.logit_scale).softmax(0)
    np.testing.assert_allclose([e.probability for e in found], expected.numpy(), atol=1e-4)


def test_prompts_together_are_prompts_alone(clip, picture):
    together = explain_image(clip, picture, PROMPTS, "relevance")
    for prompt, expected in zip(PROMPTS, together, strict=True):
        clip.pictures.clear()
        alone = explain_image(clip, picture, [prompt], "relevance")[0]
        assert alone.probability == 1
        assert alone.score == pytest.approx(expected.score, abs=1e-5)
        np.testing.assert_allclose(alone.heatmap, expected.heatmap, atol=1e-6, rtol=1e-3)
        np.testing.assert_allclose([s for _, s in alone.tokens], [s for _, s in expected.tokens], atol=1e-4)


def test_what_is_paid_once(clip, picture, counted):
    """The picture once; each prompt once, whatever the method; once more for those that read every layer."""
    works = [m for m in explain.METHODS.values() if m.supports(clip) is None and not m.own_forwards]
    _ = clip.empty_text
    counted["texts"] = 0
    for method in (m for m in works if not m.all_layers):
        explain_image(clip, picture, PROMPTS, method.name)
    assert counted == {"image": 1, "texts": 3}
    every_layer = [m for m in works if m.all_layers]
    for method in every_layer:
        explain_image(clip, picture, PROMPTS, method.name)
    assert counted == {"image": 1 + bool(every_layer), "texts": 3}
    counted["image"] = 1
    explain_image(clip, picture.copy(), ["something new", PROMPTS[0]])
    assert counted == {"image": 1, "texts": 4}
    explain_image(clip, noise(0), PROMPTS)
    assert counted == {"image": 2, "texts": 7}


def test_other_content_is_another_picture(clip, counted):
    """The size counts: the same bytes can be a wide or a tall picture."""
    pixels = np.zeros((20, 40, 3), dtype=np.uint8)
    explain_image(clip, Image.fromarray(pixels), ["a"])
    explain_image(clip, Image.fromarray(pixels.reshape(40, 20, 3)), ["a"])
    pixels[3, 4, 0] = 1
    explain_image(clip, Image.fromarray(pixels), ["a"])
    assert counted["image"] == 3


def test_the_cache_is_bounded(clips, picture, monkeypatch):
    clip = clips["vit"]
    monkeypatch.setattr(encodings, "PICTURES", 3)
    monkeypatch.setattr(encodings, "TEXTS", 4)
    first = weakref.ref(encodings.encode(clip, noise(0)))
    for seed in range(1, 4):
        encodings.encode(clip, noise(seed))
    gc.collect()
    assert first() is None
    assert len(clip.pictures) == 3
    for index in range(4):
        explain_image(clip, picture, [f"a {index} cat", f"the {index} sky"])
    assert len(encodings.encode(clip, picture)._texts) == 4
    assert len(explain_image(clip, picture, [f"number {i}" for i in range(10)])) == 10


def test_the_cache_keeps_no_model_alive(directories):
    clip = explain.clip.loading._load_directory("gone", directories["vit"])
    encodings.encode(clip, noise(0))
    gone = weakref.ref(clip)
    del clip
    gc.collect()
    assert gone() is None


def test_visitors_do_not_meet(clips):
    """Eight threads, pictures and prompts of their own and shared: each gets what it would get alone."""
    clip = clips["toy"]
    jobs = [(noise(i % 5), [PROMPTS[i % 3], f"a {'red' if i % 2 else 'green'} cat"]) for i in range(60)]
    expected = []
    for image, prompts in jobs:
        clip.pictures.clear()
        expected.append(explain_image(clip, image, prompts, "relevance"))
    clip.pictures.clear()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda job: explain_image(clip, *job, "relevance"), jobs))
    for mine, theirs in zip(found, expected, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            assert a.prompt == b.prompt
            assert a.score == pytest.approx(b.score, abs=1e-5)
            np.testing.assert_allclose(a.heatmap, b.heatmap, atol=1e-6, rtol=1e-3)


def test_one_picture_asked_for_at_once_is_encoded_once(clips, monkeypatch):
    clip, calls, trunk = clips["vit"], [], towers.trunk
    barrier = threading.Barrier(6)
    monkeypatch.setattr(towers, "trunk", lambda visual, images: calls.append(1) or trunk(visual, images))

    def ask(_):
        barrier.wait()
        return explain_image(clip, noise(1), PROMPTS)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(ask, range(6)))
    assert len(calls) == 1


def test_the_map_covers_the_whole_picture(clips):
    """Squashed, not cropped: what is at the edge of a wide picture is at the edge of the map."""
    clip = clips["vit"]
    wide = np.full((40, 400, 3), 128, dtype=np.uint8)
    base = explain_image(clip, Image.fromarray(wide), ["sky"], "itsm")[0].heatmap
    assert base.shape == (4, 4)
    wide[:, :20] = (255, 0, 0)
    tokens = [clip.prepare([Image.fromarray(pixels)]) for pixels in (np.full_like(wide, 128), wide)]
    changed = (tokens[0] - tokens[1]).abs().sum(1)[0] > 0.1
    assert changed[:, 0].all()
    assert not changed[:, 4:].any()


def test_duplicates_share_one_probability(clips, picture):
    found = explain_image(clips["vit"], picture, ["the sky", "a cat", "the sky"])
    assert found[0].probability == found[2].probability
    assert found[0].probability + found[1].probability == pytest.approx(1)


def test_notes_reach_the_reader(clips, tmp_path):
    frames = [noise(i) for i in range(3)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    found = explain_image(clips["toy"], tmp_path / "film.gif", ["a unicorn"])[0]
    assert found.notes == (
        "only the first frame of this animation is explained",
        "never seen in training: 'unicorn'",
    )


def test_shares_add_up_over_the_tokens_of_a_word():
    prompt = Prompt("red strawberry", (Word("red", 1, 2), Word("strawberry", 2, 5)), ())
    shares, notes = word_shares(prompt, (9.0, 1.0, 1.0, 2.0, 4.0, 9.0))
    assert shares == (("red", 0.125), ("strawberry", 0.875))
    assert notes == ()
    shares, notes = word_shares(prompt, (0.0,) * 6)
    assert shares == (("red", 0.5), ("strawberry", 0.5))
    assert notes == ("no word raised the score: equal shares are shown",)
    assert word_shares(Prompt("?", (), ()), (1.0,)) == ((), ())


@pytest.mark.parametrize(
    "mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "I;16", "F", "YCbCr"], ids=lambda mode: f"mode {mode}"
)
def test_pictures_of_any_mode(clips, mode):
    image = Image.new("I;16", (30, 20), 9000) if mode == "I;16" else noise(0).convert(mode)
    assert explain_image(clips["vit"], image, ["sky"])[0].heatmap.shape == (4, 4)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_pictures_of_any_shape(clip, size):
    for method in (name for name, m in explain.METHODS.items() if m.supports(clip) is None):
        assert np.isfinite(explain_image(clip, Image.new("RGB", size), ["sky"], method)[0].heatmap).all()


def test_bad_input_is_refused_in_words(clips, picture):
    clip = clips["vit"]
    with pytest.raises(ValueError, match="unknown method 'cam'; allowed: itsm"):
        explain_image(clip, picture, ["sky"], "cam")
    with pytest.raises(ValueError, match="unknown method 'None'"):
        explain_image(clip, picture, ["sky"], None)
    with pytest.raises(ValueError, match="prompt 1 is empty"):
        explain_image(clip, picture, [" "])
    with pytest.raises(ValueError, match="there is no file"):
        explain_image(clip, "nothing.png", ["sky"])
    with pytest.raises(ValueError, match="must be a path or a file"):
        explain_image(clip, np.zeros((4, 4, 3)), ["sky"])
    with pytest.raises(ValueError, match="megapixels"):
        explain_image(clip, Image.new("1", (10_000, 6_000)), ["sky"])


HOSTILE = [
    "${x}",
    "{{ y }}",
    "<script>alert(1)</script>",
    "<img onerror=alert(1)>",
    "😀",
    "قطة",
    "a\u0310\u0311",
    "?",
]


@pytest.mark.parametrize("name", ["vit", "toy", "siglip"])
def test_hostile_prompts_are_only_text(clips, picture, name):
    for e in explain_image(clips[name], picture, HOSTILE):
        assert np.isfinite(e.heatmap).all()
        assert e.tokens == () or sum(share for _, share in e.tokens) == pytest.approx(1)


def test_several_methods_read_the_picture_once(clips, monkeypatch):
    clip, picture, read = clips["vit"], noise(7), []
    encode = encodings.encode
    monkeypatch.setattr("explain.explanation.encode", lambda *given: read.append(given) or encode(*given))
    together = explain_methods(clip, picture, PROMPTS, [*METHODS, "itsm"])
    assert len(read) == 1
    assert list(together) == list(METHODS)
    for name, explanations in together.items():
        for a, b in zip(explanations, explain_image(clip, picture, PROMPTS, name), strict=True):
            assert (a.method, a.prompt, a.tokens) == (name, b.prompt, b.tokens)
            assert a.score == pytest.approx(b.score, abs=1e-6)
            np.testing.assert_allclose(a.heatmap, b.heatmap, atol=1e-6, rtol=1e-4)
    with pytest.raises(ValueError, match="unknown method"):
        explain_methods(clip, picture, PROMPTS, ["itsm", "cam"])


def test_notes_come_from_us_and_never_from_the_file(clips, tmp_path):
    """An animation is noted whoever opens it; a text chunk named "notes" is not."""
    frames = [noise(0), noise(1)]
    frames[0].save(tmp_path / "moves.gif", save_all=True, append_images=frames[1:])
    expected = ("only the first frame of this animation is explained",)
    for image in (tmp_path / "moves.gif", explain.read_image(tmp_path / "moves.gif")):
        assert explain_image(clips["vit"], image, ["sky"])[0].notes == expected
    written = PngImagePlugin.PngInfo()
    written.add_text("notes", "x" * 10_000, zip=True)
    frames[0].save(tmp_path / "still.png", pnginfo=written)
    with Image.open(tmp_path / "still.png") as opened:
        for image in (tmp_path / "still.png", explain.read_image(tmp_path / "still.png"), opened):
            assert explain_image(clips["vit"], image, ["sky"])[0].notes == ()
