"""What captions say is there: their words and pairs of words, and which photographs have them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from random import Random

from explain.contentwords import is_content
from photographs.data import Photo
from photographs.names import in_a_sentence

RARE = 15  # photographs that a term needs
SELDOM = 5  # times that a word must be used to count as known
COMMON = 0.5  # of all photographs, from which a term says nothing
# True of many photographs whose captions say something narrower: as terms they would be learnt from what stands around.
VAGUE = frozenset(["person", "persons", "people"])
_WORD = re.compile(r"[a-z]+")
_TERM = re.compile(r"[a-z]+(?:'[a-z]+)?")


def terms(text: str) -> set[str]:
    """The content words of a caption and its pairs of neighbouring content words, but for vague ones."""
    words = _TERM.findall(text.lower())
    found = {word for word in words if _says_much(word) and len(word) > 1}
    return found | {f"{a} {b}" for a, b in pairwise(words) if _says_much(a) and _says_much(b)}


def _says_much(word: str) -> bool:
    return is_content(word) and word not in VAGUE


class Vocabulary:
    """The terms that enough photographs have, and of every photograph the numbers of its own."""

    def __init__(self, photos: Sequence[Photo]) -> None:
        each = [set().union(*map(terms, (*photo.captions, *photo.statements))) for photo in photos]
        counts = Counter(term for found in each for term in found)
        most = COMMON * len(photos)
        self.terms = sorted(term for term, count in counts.items() if RARE <= count < most)
        numbers = {term: number for number, term in enumerate(self.terms)}
        self.of = [sorted(numbers[term] for term in found if term in numbers) for found in each]

    def text(self, number: int, rng: Random) -> str:
        """A term as a prompt."""
        term = self.terms[number]
        return rng.choice((term, f"the {term}")) if term.endswith("s") else in_a_sentence(term, rng)


def known_words(photos: Sequence[Photo]) -> set[str]:
    """The words that captions and statements use so often that a model can have learnt them."""
    counts = Counter(
        word
        for photo in photos
        for text in (*photo.captions, *photo.statements)
        for word in _WORD.findall(text.lower())
    )
    return {word for word, count in counts.items() if count >= SELDOM}


def caption_of(photo: Photo, rng: Random) -> str:
    """One of a photograph's captions, or now and then, or where it has none, one or two of its statements."""
    if photo.statements and (not photo.captions or rng.random() < 0.3):
        return " , ".join(rng.sample(photo.statements, min(len(photo.statements), rng.choice((1, 2)))))
    return rng.choice(photo.captions)
