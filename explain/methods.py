"""The registry of methods. The page, the command line, the benchmark and the tests iterate METHODS: a new
entry is shown and tested by existing.

    @method("name", "Label", "Authors, venue, arXiv number", "One sentence for people.")
    def name(encoding, text_features):
        return maps  # (B, T, h, w), raw: neither resized nor normalised
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from explain import gradcam, rawattention, relevance, similarity, towers
from explain.clip import Clip
from explain.encodings import ImageEncoding

ImageMap = Callable[
    [ImageEncoding, Tensor], Tensor
]  # encoding of B images, text features (T, D) -> (B, T, h, w)
TokenScores = Callable[[ImageEncoding, list[str]], list[tuple[float, ...]]]  # T prompts -> T rows of L scores


@dataclass(frozen=True)
class Method:
    """A way to explain a similarity. `image_map` draws patches; `token_scores` rates the tokens of the
    texts beside the first image, None where the paper rates no words (the words shown are then rated by
    `relevance`).
    """

    name: str
    label: str
    paper: str
    sentence: str
    image_map: ImageMap
    token_scores: TokenScores | None = None

    def supports(self, clip: Clip) -> str | None:
        """Why this method cannot be used with this model, or None if it can."""
        return towers.refusal(clip.model.visual)


METHODS: dict[str, Method] = {}


def method(name: str, label: str, paper: str, sentence: str, token_scores: TokenScores | None = None):
    """Registers the decorated function as the image map of a method."""

    def register(image_map: ImageMap) -> ImageMap:
        METHODS[name] = Method(name, label, paper, sentence, image_map, token_scores)
        return image_map

    return register


def find(name: str) -> Method:
    """The method of this name; ValueError naming the choices for any other."""
    if not isinstance(name, str) or name not in METHODS:
        raise ValueError(f"unknown method {str(name)[:80]!r}; allowed: {', '.join(METHODS)}")
    return METHODS[name]


def token_relevance(encoding: ImageEncoding, prompts: list[str]) -> list[tuple[float, ...]]:
    """Relevance of every token of the prompts to the first image: all layers, not normalised."""
    return [text.relevance for text in encoding.read(prompts)]


@method(
    "itsm",
    "Image-Text Similarity Map",
    "Li et al. 2022, arXiv 2209.07046",
    "How similar each patch is to the text, in the space where CLIP compares pictures with texts.",
)
def itsm(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return similarity.similarity_map(encoding.dense, text_features)


@method(
    "itsm_reversed",
    "ITSM, reversed",
    "Li et al. 2022, arXiv 2209.07046",
    "The similarity map turned round: CLIP often scores the background higher than the thing.",
)
def itsm_reversed(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return similarity.reversed_similarity_map(encoding.dense, text_features)


@method(
    "relevance",
    "Relevance",
    "Chefer et al. 2021, arXiv 2103.15679; Paiss et al. 2022, arXiv 2204.04908",
    "Which patches raise the score: attention times its gradient, in the last layer.",
    token_scores=token_relevance,
)
def relevance_map(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return relevance.last_relevance(encoding.clip, encoding.tokens, text_features)


@method(
    "attention",
    "Raw attention",
    "Caron et al. 2021, arXiv 2104.14294",
    "Where the last layer looks, whatever the text: the same map for every prompt.",
)
def attention(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return rawattention.attention_map(encoding.clip, encoding.tokens, len(text_features))


@method(
    "gradcam",
    "Grad-CAM",
    "Selvaraju et al. 2017, arXiv 1610.02391",
    "Activations before the last attention, weighted by how they would raise the score.",
)
def grad_cam(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return gradcam.gradcam_map(encoding.clip, encoding.tokens, text_features)
