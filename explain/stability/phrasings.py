"""Labels and phrasings at the edge of the library: what is allowed, and the texts they make."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from explain.clip.model import Clip
from explain.clip.prompts import clean, shorten, unseen_words
from explain.inputs.words import Word, find_words
from explain.stability.phrasebook import PHRASINGS

MAX_LABELS = MAX_PHRASINGS = 32
MAX_TEXTS = 1024  # labels times phrasings
MAX_CHARACTERS = 300  # of a label or a phrasing
_SLOT = re.compile(r"\{(?:label)?\}")


@dataclass(frozen=True)
class PhrasedLabel:
    """A label in a phrasing, as the model reads it. `named`: the words [first, stop) that are the label's."""

    text: str
    words: tuple[Word, ...]
    named: tuple[int, int]


@dataclass(frozen=True)
class Texts:
    """All labels in all phrasings: `table` has a row per phrasing. `notes` are sentences for the reader."""

    labels: tuple[str, ...]
    phrasings: tuple[str, ...]
    table: tuple[tuple[PhrasedLabel, ...], ...]
    notes: tuple[str, ...]

    @property
    def prompts(self) -> list[str]:
        """The texts, row by row."""
        return [one.text for row in self.table for one in row]


def read_texts(clip: Clip, labels: Sequence[str], phrasings: Sequence[str] = PHRASINGS) -> Texts:
    """Checked labels and phrasings, and the texts they make; ValueError naming what is allowed.

    Labels stand in the phrasings as they are given: "a {}" and "apple" make "a apple".
    """
    read, forms = read_labels(labels), read_phrasings(phrasings)
    if len(read) * len(forms) > MAX_TEXTS:
        raise ValueError(
            f"{len(read)} labels in {len(forms)} phrasings are {len(read) * len(forms)} texts; "
            f"allowed: at most {MAX_TEXTS}"
        )
    table = tuple(tuple(_phrased(clip, form, label) for label in read) for form in forms)
    unseen = unseen_words(clip, [word for row in table for one in row for word in one.words])
    shown = ", ".join(f"'{shorten(word)}'" for word in unseen)
    return Texts(read, forms, table, (f"never seen in training: {shown}",) if unseen else ())


def read_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Labels without control characters and needless white space; ValueError for none, too many, or two alike."""
    return _read_list("label", labels, MAX_LABELS)


def read_phrasings(phrasings: Sequence[str]) -> tuple[str, ...]:
    """Reads phrasings as `read_labels` reads labels; each has one place for the label: {} or {label}."""
    found = _read_list("phrasing", phrasings, MAX_PHRASINGS)
    for phrasing in found:
        slots = len(_SLOT.findall(phrasing))
        if slots != 1:
            many = "no place" if slots == 0 else f"{slots} places"
            raise ValueError(f"the phrasing {_quoted(phrasing)} has {many} for the label; allowed: one {{}}")
    return found


def fill(phrasing: str, label: str) -> str:
    """The phrasing with the label in its place."""
    before, after = _SLOT.split(phrasing, maxsplit=1)
    return f"{before}{label}{after}"


def _read_list(name: str, values: Sequence[str], most: int) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise ValueError(f"{name}s must be a list of texts, not {type(values).__name__}")
    if not 1 <= len(values) <= most:
        raise ValueError(f"{len(values)} {name}s given; allowed: 1 to {most}")
    read: dict[str, str] = {}
    for number, value in enumerate(values, start=1):
        if not isinstance(value, str):
            raise ValueError(f"{name} {number} is a {type(value).__name__}; allowed: text")
        text = clean(value[: 10 * MAX_CHARACTERS])
        if not 1 <= len(text) <= MAX_CHARACTERS:
            length = f"has {len(text)} characters" if text else "is empty"
            raise ValueError(f"{name} {number} {length}; allowed: 1 to {MAX_CHARACTERS} characters")
        if text.casefold() in read:
            raise ValueError(f"two {name}s are {_quoted(text)}; allowed: different ones")
        read[text.casefold()] = text
    return tuple(read.values())


def _phrased(clip: Clip, phrasing: str, label: str) -> PhrasedLabel:
    text = fill(phrasing, label)
    found = find_words(clip.tokenizer, text)
    if found.cut:
        raise ValueError(
            f"{_quoted(text)} is too long for {clip.name}, which reads {found.limit} tokens; allowed: a shorter "
            "label or phrasing"
        )
    stop = len(find_words(clip.tokenizer, _SLOT.split(phrasing)[0] + label).words)
    first = stop - len(find_words(clip.tokenizer, label).words)
    if stop <= first:
        raise ValueError(
            f"the tokenizer of {clip.name} drops everything in the label {_quoted(label)}; allowed: words"
        )
    return PhrasedLabel(text, tuple(found.words), (first, stop))


def _quoted(text: str) -> str:
    return f"'{shorten(text)}'"
