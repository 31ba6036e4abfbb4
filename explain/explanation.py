"""explain_image: a picture and prompts in, explanations out."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
import torch
from PIL import Image

from explain.clip import Clip
from explain.encodings import ImageEncoding, encode
from explain.images import as_rgb, picture_notes, read_image
from explain.methods import Method, WordMethod, find, find_words
from explain.prompts import Prompt, read_prompts


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
    chosen, rating = [find(name) for name in dict.fromkeys(names)], find_words(words)
    for method in chosen:
        reason = method.supports(clip)
        if reason is not None:
            raise ValueError(f"{method.label} does not work with {clip.name}: {reason}")
    read = read_prompts(clip, prompts)
    picture = as_rgb(image) if isinstance(image, Image.Image) else read_image(image)
    encoding, said = encode(clip, picture), picture_notes(picture)
    if any(method.all_layers for method in chosen):
        _ = encoding.layers  # before anything else, so that the others take their tokens from the same run
    return {method.name: _explain(method, rating, clip, encoding, read, said) for method in chosen}


def _explain(
    method: Method,
    words: WordMethod,
    clip: Clip,
    encoding: ImageEncoding,
    read: list[Prompt],
    notes: tuple[str, ...],
) -> list[Explanation]:
    texts = [prompt.text for prompt in read]
    features = torch.stack([text.feature for text in encoding.read(texts)])
    maps = method.image_map(encoding, features)[0].detach().float().cpu().numpy()
    rated = words.token_scores(encoding, texts)
    scores = (encoding.features[0] @ features.T).tolist()
    probabilities = _probabilities(texts, scores, clip.logit_scale)
    return [
        _explanation(method.name, prompt, score, probabilities[prompt.text], heatmap, row, notes)
        for prompt, score, heatmap, row in zip(read, scores, maps, rated, strict=True)
    ]


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
