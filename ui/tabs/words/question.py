"""One picture, labels and phrasings before one model: what was asked and what came back. Nothing is shared between
visitors."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from explain.stability.phrasebook import PHRASINGS
from toyland.art import KINDS
from toyland.world.vocabulary import plain_noun
from ui.models import clip_jobs
from ui.shared.inputs import MAX_CHARACTERS
from ui.shared.photographs import PHOTOGRAPHS
from ui.shared.pictures import Picture

if TYPE_CHECKING:
    import explain

MAX_LABELS = 12
FIRST_PHRASINGS = "\n".join(PHRASINGS)
_SUGGESTED = 5  # labels for a scene: its things, and others of their kind


@dataclass(frozen=True)
class WordsAsked:
    """Question of a visitor: labels and phrasings as they are typed."""

    picture: Picture
    labels: str
    phrasings: str
    model: str
    automatic: bool = field(default=False, compare=False)  # whether the model was chosen by the picture


@dataclass(frozen=True)
class WordsAnswer:
    """One answered question."""

    asked: WordsAsked
    found: explain.Stability
    seconds: float


def ask(asked: WordsAsked) -> WordsAnswer:
    """Asks the model; ValueError for what cannot be asked."""
    labels, phrasings = parse_labels(asked.labels), parse_phrasings(asked.phrasings)
    begun = time.perf_counter()
    found = clip_jobs.explain_phrasings(asked.model, asked.picture.open(), labels, phrasings)
    return WordsAnswer(asked, found, time.perf_counter() - begun)


def parse_labels(text: str | None) -> tuple[str, ...]:
    """Labels, one per line or between commas, without repetitions; ValueError if none or too many remain."""
    labels = _lines(re.split(r"[\n,]", _checked(text)))
    if not labels:
        raise ValueError("There is no label yet: type what may be in the picture, for example “cat, dog”")
    if len(labels) > MAX_LABELS:
        raise ValueError(f"{len(labels)} labels are too many: at most {MAX_LABELS} at a time")
    return labels


def parse_phrasings(text: str | None) -> tuple[str, ...]:
    """Phrasings, one per line, without repetitions; the library says what they must be like."""
    phrasings = _lines(_checked(text).splitlines())
    if not phrasings:
        raise ValueError("There is no phrasing yet: type one per line, for example “a photo of a {}”")
    return phrasings


def suggested_labels(picture: Picture) -> str:
    """Suggests labels: the kinds of a scene's things and others of their category, or a photograph's own; "" for other
    pictures.
    """
    if picture.photograph:
        return ", ".join(PHOTOGRAPHS[picture.photograph].labels)
    scene = picture.scene
    if scene is None:
        return ""
    kinds = dict.fromkeys(thing.kind for thing in scene.things)
    categories = {KINDS[kind].category for kind in kinds}
    others = [kind for kind in KINDS if kind not in kinds and KINDS[kind].category in categories]
    return ", ".join(plain_noun(kind) for kind in [*kinds, *others][: max(_SUGGESTED, len(kinds))])


def _checked(text: str | None) -> str:
    if text and len(text) > MAX_CHARACTERS:
        raise ValueError(f"{len(text):,} characters are too many: at most {MAX_CHARACTERS:,}")
    return text or ""


def _lines(lines: Iterable[str]) -> tuple[str, ...]:
    """Without white space around them, empty ones, and those that say the same in other letters."""
    found: dict[str, str] = {}
    for line in lines:
        plain = " ".join(line.split())
        if plain:
            found.setdefault(plain.casefold(), plain)
    return tuple(found.values())
