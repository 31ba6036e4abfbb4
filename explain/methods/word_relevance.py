"""Rates words by relevance, through every layer of the text tower (`relevance/texts.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explain.methods.registry import word_method

if TYPE_CHECKING:
    from explain.encodings import ImageEncoding


@word_method(
    "relevance",
    "Relevance",
    "Chefer et al. 2021, arXiv 2103.15679; Paiss et al. 2022, arXiv 2204.04908",
    "How much attention from each word raises the score, followed through every layer.",
    "Which words lower the score: they get nothing.",
)
def token_relevance(encoding: ImageEncoding, prompts: list[str]) -> list[tuple[float, ...]]:
    """Relevance of every token of the prompts to the first image: all layers, not normalised."""
    return [text.relevance for text in encoding.read(prompts)]
