"""Definition of a method. One paper, one file, which ends in

    @method("name", "Label", "Authors, venue, arXiv number", "What it is.", "What it cannot tell.")
    def name(encoding, text_features):
        return maps  # (B, T, h, w), raw: neither resized nor normalised

after which `name` is a Method; `methods/__init__.py` lists them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from explain import towers
from explain.towers import Shape

if TYPE_CHECKING:
    from explain.clip.model import Clip
    from explain.encodings import ImageEncoding

    # encoding of B images, text features (T, D) -> (B, T, h, w)
    ImageMap = Callable[[ImageEncoding, Tensor], Tensor]
    # encoding, T prompts -> T rows of L scores of tokens beside the first image
    TokenScores = Callable[[ImageEncoding, list[str]], list[tuple[float, ...]]]


@dataclass(frozen=True)
class Need:
    """Requirement of a method on an image tower, and the reason to give where a tower lacks it."""

    reason: str
    met: Callable[[Shape], bool]


ATTENTION = Need("it pools by a plain mean: no attention weighs its patches", lambda shape: shape.attends)
SELF_ATTENTION = Need(
    "patches do not look at each other in its last layer: one query, or a mean, reads them all",
    lambda shape: shape.prefix > 0,
)
SEVERAL_ATTENTIONS = Need(
    "it has one attention or none, so there is nothing to roll up", lambda shape: shape.layers > 1
)
UNTRAINED = "nobody has trained ECLIP for it here: python -m explain train-eclip does"
CLASS_TOKEN = Need("it is no transformer with a class token", lambda shape: shape.skips)


@dataclass(frozen=True)
class Method:
    """A way to draw on a picture why it matches a text. `sentence` says what it is, `limit` what it cannot tell.

    `all_layers`: it reads every attention, so that the picture's one forward must keep them all open.
    `own_forwards`: it runs the model on altered pictures, many times. `needs`: what not every tower has.
    `trained`: it needs a projection trained for the model. `title`: in plain words, what its map shows.
    """

    name: str
    label: str
    paper: str
    sentence: str
    limit: str
    image_map: ImageMap
    all_layers: bool = False
    own_forwards: bool = False
    needs: Need | None = None
    trained: bool = False
    title: str = ""

    def supports(self, clip: Clip) -> str | None:
        """Why this method cannot be used with this model, or None if it can."""
        visual = clip.model.visual
        return towers.refusal(visual) or self.lacking(towers.shape(visual), clip.eclip is not None)

    def lacking(self, shape: Shape, trained: bool) -> str | None:
        """Why this method cannot be used with towers of this shape, or None if it can. `trained`: ECLIP was."""
        if self.trained and not trained:
            return UNTRAINED
        return None if self.needs is None or self.needs.met(shape) else self.needs.reason


@dataclass(frozen=True)
class WordMethod:
    """A way to rate the words of a text beside a picture."""

    name: str
    label: str
    paper: str
    sentence: str
    limit: str
    token_scores: TokenScores


def method(
    name: str,
    label: str,
    paper: str,
    sentence: str,
    limit: str,
    *,
    all_layers: bool = False,
    own_forwards: bool = False,
    needs: Need | None = None,
    trained: bool = False,
    title: str = "",
) -> Callable[[ImageMap], Method]:
    """Makes the decorated function the image map of a method."""

    def made(image_map: ImageMap) -> Method:
        return Method(
            name, label, paper, sentence, limit, image_map, all_layers, own_forwards, needs, trained, title
        )

    return made


def word_method(
    name: str, label: str, paper: str, sentence: str, limit: str
) -> Callable[[TokenScores], WordMethod]:
    """Makes the decorated function a method that rates words."""

    def made(token_scores: TokenScores) -> WordMethod:
        return WordMethod(name, label, paper, sentence, limit, token_scores)

    return made
