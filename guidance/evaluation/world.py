"""A drawn world by the name of its package ("toyland"): what layouts are taken from, and who judges. What is asked of
such a package is here; nothing is known of any.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from explain.inputs.captions import has_module
from guidance.layout.parsing import Box, Layout, targets

Drawn = Any  # a layout of such a package: `prompt`, `phrases`, `boxes` (corners), `picture(pixels, take)`
Judge = Any  # `look(images)` -> what it sees of each, with `found`, `features` and `as_record()`; `digest`


@dataclass(frozen=True)
class World:
    """`layouts` has `sample_layouts(split, count, first)`, `mirrored` and `exchanged`; `judging` has `Judge`, `Seen`,
    `wanted`, `verdict`, and the Fréchet distance.
    """

    name: str
    layouts: ModuleType
    judging: ModuleType


def open_world(name: str) -> World:
    """ValueError for what is no package that draws layouts."""
    if not has_module(name, "layouts") or not has_module(name, "judging"):
        raise ValueError(f"{str(name)[:80]!r} is no package that draws layouts; allowed: toyland")
    return World(name, import_module(f"{name}.layouts"), import_module(f"{name}.judging"))


def open_edits(name: str) -> ModuleType:
    """The edits of a drawn world: `CHANGES`, `sample_edits(split, count, first)` and `verdict`. ValueError for what is
    no package that draws them.
    """
    if not has_module(name, "edits") or not has_module(name, "judging"):
        raise ValueError(f"{str(name)[:80]!r} is no package that draws edits; allowed: toyland")
    return import_module(f"{name}.edits")


def as_layout(drawn: Drawn) -> Layout:
    """A drawn layout as guidance takes it."""
    boxes = (Box(phrase, *corners) for phrase, corners in zip(drawn.phrases, drawn.boxes, strict=True))
    return Layout(drawn.prompt, targets(boxes))
