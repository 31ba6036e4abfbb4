"""Reads what a page or a link sends: prompts, numbers, boxes. ValueErrors say what is allowed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

EDGES = ("left", "top", "right", "bottom")


SEEDS = 100_000  # a new one is below this: short enough to be read out

LONGEST_BOXES = 8000  # characters

LARGEST = 2**53  # beyond it a page does not tell whole numbers apart
N = TypeVar("N", int, float)

MAX_PROMPTS = 12
MAX_CHARACTERS = 100_000


def parse_prompts(text: str | None) -> tuple[str, ...]:
    """One prompt per line, without empty lines and repetitions; ValueError if none or too many remain."""
    text = text or ""
    if len(text) > MAX_CHARACTERS:
        raise ValueError(
            f"{len(text):,} characters are too many: at most {MAX_CHARACTERS:,} for all prompts together"
        )
    prompts = tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    if not prompts:
        raise ValueError("There is no prompt yet: type one per line, for example “a red car”")
    if len(prompts) > MAX_PROMPTS:
        raise ValueError(
            f"{len(prompts)} prompts are too many: at most {MAX_PROMPTS} at a time, one per line"
        )
    return prompts


def read_number(kind: type[N], given: Any) -> N:
    """A number of a link. ValueError for what is none, and for one that a page cannot be sent: an answer that holds it
    would end all that the visitor waits for.
    """
    try:
        number = kind(given)
    except OverflowError as error:
        raise ValueError("too large") from error
    if not -LARGEST <= number <= LARGEST:  # which NaN is not either
        raise ValueError(f"{number} is no number of a page")
    return number


def whole(name: str, value: object) -> int:
    """A number box's value, which may come as 3.0, or not at all. ValueError for what is no whole number."""
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} is {str(value)[:40]}; allowed: a whole number")
    return value


def write_boxes(boxes: Iterable[Mapping[str, Any]]) -> str:
    """Boxes as short JSON: [["red cat", 0.05, 0.3, 0.45, 0.8]]."""
    rows = [[box["phrase"], *(round(float(box[edge]), 3) for edge in EDGES)] for box in boxes]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def read_boxes(text: str) -> list[dict[str, object]]:
    """Boxes that the canvas can show. ValueError or TypeError for anything else."""
    found = []
    for phrase, *edges in read_json(text):
        left, top, right, bottom = (min(max(read_number(float, edge), 0.0), 1.0) for edge in edges)
        found.append(dict(zip(("phrase", *EDGES), (str(phrase), left, top, right, bottom), strict=True)))
    return found


def read_json(text: str) -> Any:
    """ValueError for what is too long, no JSON, or holds half of a character, which no page can be sent."""
    if len(text) > LONGEST_BOXES:
        raise ValueError
    found = json.loads(text)
    json.dumps(found, ensure_ascii=False).encode()
    return found


def new_seed() -> int:
    """Another one."""
    return secrets.randbelow(SEEDS)
