"""explain_image: a picture and prompts in, explanations out."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
import torch
from PIL import Image

from explain.clip.model import Clip
from explain.clip.prompts import Prompt, read_prompts
from explain.encodings import encode
from explain.inputs.images import opened, picture_notes
from explain.methods import find, find_words
from explain.methods.itsm import depth_maps


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a picture and a prompt match. Holds no tensor.

    `score` is the raw cosine in [-1, 1]; `probability` the softmax among the different prompts given, at
    the model's own temperature. `heatmap` (h, w) float32 is raw, at the size of the model's grid, row 0 at
    the top, and covers the whole picture; `heatmap.resize` and `heatmap.normalise` make it something to
    look at. `tokens` are (word, share of the relevance), shares adding up to 1. `notes` are sentences for
    the reader.
    """

    method: str
    prompt: str
    score: float
    probability: float
    heatmap: np.ndarray
    tokens: tuple[tuple[str, float], ...]
    notes: tuple[str, ...]


def explain_image(
    clip: Clip,
    image: Image.Image | str | PathLike,
    prompts: Sequence[str],
    method: str = "itsm",
    words: str = "relevance",
) -> list[Explanation]:
    """One explanation per prompt, in order; one image forward for all, none where the picture was seen
    before.

    `image` is a PIL image or the path of a picture; `method` and `words` are names from METHODS and
    WORD_METHODS. ValueError, saying what is allowed, for anything out of bounds.
    """
    return explain_methods(clip, image, prompts, [method], words)[method]


def explain_methods(
    clip: Clip,
    image: Image.Image | str | PathLike,
    prompts: Sequence[str],
    names: Sequence[str],
    words: str = "relevance",
) -> dict[str, list[Explanation]]:
    """`explain_image` with several methods: name -> explanations. The picture is read once for all."""
    return {name: found for name, found, _ in each_method(clip, image, prompts, names, words)}


def each_method(
    clip: Clip,
    image: Image.Image | str | PathLike,
    prompts: Sequence[str],
    names: Sequence[str],
    words: str = "relevance",
) -> Iterator[tuple[str, list[Explanation], float]]:
    """`explain_methods`, one method after the other as each is ready: (name, explanations, seconds).

    The seconds are the method's own: what it takes once the towers, which run once for all, have run.
    """
    chosen, rating = [find(name) for name in dict.fromkeys(names)], find_words(words)
    for method in chosen:
        reason = method.supports(clip)
        if reason is not None:
            raise ValueError(f"{method.label} does not work with {clip.name}: {reason}")
    read = read_prompts(clip, prompts)
    picture = opened(image)
    encoding, said = encode(clip, picture), picture_notes(picture)
    if any(method.all_layers for method in chosen):
        _ = encoding.layers  # before anything else, so that the others take their tokens from the same run
    texts = [prompt.text for prompt in read]
    features = torch.stack([text.feature for text in encoding.read(texts)])
    rated = rating.token_scores(encoding, texts)
    scores = (encoding.features[0] @ features.T).tolist()
    probabilities = _probabilities(texts, scores, clip.logit_scale)
    for method in chosen:
        begun = time.perf_counter()
        maps = method.image_map(encoding, features)[0].detach().float().cpu().numpy()
        seconds = time.perf_counter() - begun
        found = [
            _explanation(method.name, prompt, score, probabilities[prompt.text], heatmap, row, said)
            for prompt, score, heatmap, row in zip(read, scores, maps, rated, strict=True)
        ]
        yield method.name, found, seconds


def explain_depth(clip: Clip, image: Image.Image | str | PathLike, prompt: str) -> list[np.ndarray]:
    """How the similarity map comes about: one map (h, w) float32 per block, the last of them ITSM's.

    Costs no image forward where a method that reads all layers was the last to be asked about this picture.
    """
    picture = opened(image)
    encoding, (read,) = encode(clip, picture), read_prompts(clip, [prompt])
    layers = encoding.layers  # before the text is read beside the picture, so that both take the same run
    features = torch.stack([text.feature for text in encoding.read([read.text])])
    return list(depth_maps(clip, layers, features)[:, 0, 0].float().cpu().numpy())


def _explanation(
    method: str,
    prompt: Prompt,
    score: float,
    probability: float,
    heatmap: np.ndarray,
    relevance: Sequence[float],
    notes: tuple[str, ...],
) -> Explanation:
    shares, said = word_shares(prompt, relevance)
    heatmap = np.ascontiguousarray(heatmap, dtype=np.float32)
    return Explanation(
        method, prompt.text, score, probability, heatmap, shares, (*notes, *prompt.notes, *said)
    )


def word_shares(
    prompt: Prompt, relevance: Sequence[float]
) -> tuple[tuple[tuple[str, float], ...], tuple[str, ...]]:
    """(word, share) with shares that add up to 1, and notes: a word's relevance is the sum over its tokens."""
    sums = [float(sum(relevance[word.start : word.stop])) for word in prompt.words]
    total = sum(sums)
    if not sums:
        return (), ()
    if total <= 0:
        equal = tuple((word.text, 1 / len(sums)) for word in prompt.words)
        return equal, ("no word raised the score: equal shares are shown",)
    return tuple((word.text, value / total) for word, value in zip(prompt.words, sums, strict=True)), ()


def _probabilities(texts: list[str], scores: list[float], scale: float) -> dict[str, float]:
    """Softmax over the different prompts: one that is given twice counts once."""
    distinct = dict(zip(texts, scores, strict=True))
    values = torch.tensor(list(distinct.values()), dtype=torch.float64)
    return dict(zip(distinct, (values * scale).softmax(0).tolist(), strict=True))
