"""The words of a prompt as chips to tap: those that are on must count."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from explain.inputs.content_words import is_content
from ui.components.base import DrawnHTML

MOST = 80  # chips; no model reads more words
LONGEST = 10_000  # characters of a prompt that is looked at
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


class WordPicker(DrawnHTML):
    """Shows what picker_value() returns; a visitor's taps are kept in its `taps`. Sends no events."""

    ROOT, CLASSES = "tl-picker", "word-picker"
    SCRIPTS = ("word_picker.js",)
    EXAMPLE: ClassVar = {"words": [], "taps": {}}


def words_of(prompt: str) -> tuple[str, ...]:
    """The words of a prompt, each once, in order."""
    found: dict[str, str] = {}
    for word in _WORD.findall(prompt[:LONGEST]):
        found.setdefault(word.lower(), word)
    return tuple(found.values())[:MOST]


def chosen_words(prompt: str, caption: str, taps: Mapping[str, bool]) -> tuple[str, ...]:
    """The words that count: as a visitor tapped them, and else all content words that the caption does not have; none
    where there is no caption to compare with. `taps`: word in small letters -> on or off.
    """
    there = {word.lower() for word in words_of(caption)}
    words = words_of(prompt)
    fresh = {word for word in words if there and word.lower() not in there and is_content(word)}
    return tuple(word for word in words if taps.get(word.lower(), word in fresh))


def picker_value(
    prompt: str, caption: str, taps: Mapping[str, bool] | None = None, seen: int | None = None
) -> dict[str, Any]:
    """The JSON that WordPicker shows: every word, whether it is on, and what was tapped. `seen`: the number of the last
    tap that is in it; without, all that was tapped before is forgotten.
    """
    taps = taps or {}
    chosen = set(chosen_words(prompt, caption, taps))
    value: dict[str, Any] = {
        "words": [{"text": word, "on": word in chosen} for word in words_of(prompt)],
        "taps": dict(taps),
    }
    return value if seen is None else {**value, "seen": seen}


def as_tapped(prompt: str, chosen: tuple[str, ...]) -> dict[str, bool]:
    """Taps with which these words count, and no others."""
    wanted = {word.lower() for word in chosen}
    return {word.lower(): word.lower() in wanted for word in words_of(prompt)}


def taps_of(value: object) -> dict[str, bool]:
    """The taps in what WordPicker holds. ValueError for what no page writes."""
    taps = value.get("taps") if isinstance(value, Mapping) else value
    if taps is None:
        return {}
    if not isinstance(taps, Mapping) or not all(isinstance(on, bool) for on in taps.values()):
        raise ValueError(
            "the words that count are not as the page writes them; allowed: an object of words, on or off"
        )
    return {str(word).lower(): on for word, on in taps.items()}


def seen_of(value: object) -> int:
    """The number of the last tap in what WordPicker holds, 0 where there is none."""
    seen = value.get("seen") if isinstance(value, Mapping) else None
    return seen if isinstance(seen, int) and not isinstance(seen, bool) else 0
