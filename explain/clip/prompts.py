"""Prompts at the edge of the library: what is allowed, what is removed, and what is said about it."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from explain.clip.model import Clip
from explain.inputs.words import find_words

MAX_PROMPTS = 32
MAX_CHARACTERS = 1000
_LONGEST_SHOWN = 40  # characters of a word that a note repeats
# Characters that format text for a screen and could disguise what a page shows; joiners of emoji and
# scripts stay.
_UNSEEN = frozenset(
    "\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)


@dataclass(frozen=True)
class Prompt:
    """A prompt as the model reads it, its words' texts and token spans, and what has to be said about it."""

    text: str
    words: tuple
    notes: tuple[str, ...]


def read_prompts(clip: Clip, prompts: Sequence[str]) -> list[Prompt]:
    """Checked prompts in the order given; ValueError naming what is allowed."""
    if isinstance(prompts, str) or not isinstance(prompts, Sequence):
        raise ValueError(f"prompts must be a list of texts, not {type(prompts).__name__}")
    if not 1 <= len(prompts) <= MAX_PROMPTS:
        raise ValueError(f"{len(prompts)} prompts given; allowed: 1 to {MAX_PROMPTS}")
    return [_read(clip, prompt, number) for number, prompt in enumerate(prompts, start=1)]


def clean(prompt: str) -> str:
    """The prompt without control characters, lone surrogates and invisible direction marks, white space
    made single.
    """
    kept = []
    for character in prompt:
        kind = unicodedata.category(character)
        if character.isspace() or kind == "Cc":
            kept.append(" ")
        elif kind != "Cs" and character not in _UNSEEN:
            kept.append(character)
    return " ".join("".join(kept).split())


def _read(clip: Clip, prompt: str, number: int) -> Prompt:
    if not isinstance(prompt, str):
        raise ValueError(f"prompt {number} is a {type(prompt).__name__}; allowed: text")
    text = clean(prompt)
    if not text:
        raise ValueError(f"prompt {number} is empty; allowed: 1 to {MAX_CHARACTERS} characters")
    notes = []
    shortened = len(text) > MAX_CHARACTERS
    text = text[:MAX_CHARACTERS]
    found = find_words(clip.tokenizer, text)
    if found.cut and found.words:
        notes.append(f"cut after '{shorten(found.words[-1].text)}': {found.limit} tokens are allowed")
    elif shortened:
        notes.append(f"cut after {MAX_CHARACTERS} characters")
    if not found.words:
        notes.append("the tokenizer of this model drops everything in this prompt")
    unseen = unseen_words(clip, found.words)
    if unseen:
        notes.append("never seen in training: " + ", ".join(f"'{shorten(word)}'" for word in unseen))
    return Prompt(text, tuple(found.words), tuple(notes))


def unseen_words(clip: Clip, words: Sequence) -> list[str]:
    """The words, each once, that are not in the model's list of training words; none where no list is
    known.
    """
    if clip.vocabulary is None:
        return []
    texts = dict.fromkeys(word.text.lower() for word in words if any(c.isalpha() for c in word.text))
    return [text for text in texts if not {text, re.split("['’]", text)[0]} & clip.vocabulary]


def shorten(word: str) -> str:
    """A word as a message repeats it: a visitor may type one of a thousand letters."""
    return word if len(word) <= _LONGEST_SHOWN else word[: _LONGEST_SHOWN - 1] + "…"
