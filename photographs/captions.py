"""Reads from captions what is there: their words and pairs of words, and which photographs have them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import torch
from torch import Tensor

from explain.inputs.content_words import is_content
from photographs.data import Photo
from photographs.names import in_a_sentence

RARE = 15  # photographs that a term needs
SELDOM = 5  # times that a word must be used to count as known
COMMON = 0.5  # of all photographs, from which a term says nothing
# Words for people: where a caption has one, the photograph shows a person, whom captions seldom call so.
_PEOPLE = (
    "man woman boy girl men women boys girls people child children kid kids lady guy player person baby toddler "
    "skateboarder surfer skier snowboarder couple crowd biker cyclist climber adults persons ladies guys players team "
    "female male teenager rider skater batter catcher family friends group toddlers teenagers students swimmer dancer "
    "runner hiker singer soldier soldiers police officer fisherman cowboy chef workers worker pedestrians surfers "
    "skiers"
)
PEOPLE = frozenset(_PEOPLE.split())
PERSON = "person"
_WORD = re.compile(r"[a-z]+")
_TERM = re.compile(r"[a-z]+(?:'[a-z]+)?")


def terms(text: str) -> set[str]:
    """The content words of a caption and its pairs of neighbouring content words; PERSON where it names people."""
    words = _TERM.findall(text.lower())
    found = {word for word in words if is_content(word) and len(word) > 1}
    found |= {f"{a} {b}" for a, b in pairwise(words) if is_content(a) and is_content(b)}
    return found | ({PERSON} if found & PEOPLE else set())


class Vocabulary:
    """The terms that enough photographs have, and of every photograph the numbers of its own."""

    def __init__(self, photos: Sequence[Photo]) -> None:
        each = [set().union(*map(terms, (*photo.captions, *photo.statements))) for photo in photos]
        counts = Counter(term for found in each for term in found)
        most = COMMON * len(photos)
        self.terms = sorted(
            term for term, count in counts.items() if RARE <= count < most or (term == PERSON and count)
        )
        self.person = self.terms.index(PERSON) if PERSON in self.terms else None
        numbers = {term: number for number, term in enumerate(self.terms)}
        self.of = [sorted(numbers[term] for term in found if term in numbers) for found in each]

    @property
    def having(self) -> Tensor:
        """Which photographs have which terms, bool (photographs, terms)."""
        having = torch.zeros(len(self.of), len(self.terms), dtype=torch.bool)
        for row, terms in zip(having, self.of, strict=True):
            row[terms] = True
        return having

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
