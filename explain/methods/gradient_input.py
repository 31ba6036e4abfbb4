"""Gradient times input, on the embeddings of tokens.

Shrikumar, Greenside, Shcherbina, Kundaje, "Not Just a Black Box: Learning Important Features Through Propagating
Activation Differences", 2016 (arXiv 1605.01713). With e_t the embedding of token t and S the cosine,

    score of token t = dS/de_t . e_t
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from explain.methods.registry import word_method

if TYPE_CHECKING:
    from explain.encodings import ImageEncoding


@word_method(
    "gradient_input",
    "Gradient x input",
    "Shrikumar et al. 2016, arXiv 1605.01713",
    "How the score would change if the word grew a little stronger.",
    "What the score would be without the word: a slope is not a step.",
)
def gradient_input(encoding: ImageEncoding, prompts: list[str]) -> list[tuple[float, ...]]:
    """Scores (L,) per prompt; words that lower the score get 0."""
    return [tuple(max(slope, 0.0) for slope in text.slopes) for text in encoding.read(prompts)]
