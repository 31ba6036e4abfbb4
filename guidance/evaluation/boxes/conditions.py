"""Conditions compared: how pictures of the same layouts and seeds are made, and which boxes they are held against.

Two have no guide: the generator alone, and with things drawn from their own phrases. The others are paper A's objective
(Paiss et al. 2022, arXiv 2204.04908) with one thing changed, and the preset's own. Sampling and the number and strength
of views are the preset's in all of them: they differ in the objective alone, which also chooses among candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from explain.clip.model import Clip
from guidance.generators.sampling import Sampling
from guidance.objectives.heatmaps import refusal
from guidance.objectives.settings import ObjectiveSettings
from guidance.presets import PRESETS, Preset

OWN, MIRRORED, OTHERS = "own", "mirrored", "others"


@dataclass(frozen=True)
class Condition:
    """`objective` None: no guide. `boxes`: a picture is scored against its layout's OWN boxes; against those,
    MIRRORED, that guided it too; or against those of OTHERS, that did not.
    """

    name: str
    sentence: str
    sampling: Sampling
    objective: ObjectiveSettings | None
    boxes: str = OWN

    @property
    def made(self) -> dict[str, Any]:
        """All that its pictures depend on, layouts and seeds apart. Equal ones are the same pictures."""
        return {
            "sampling": asdict(self.sampling),
            "objective": None if self.objective is None else asdict(self.objective),
            "mirrored": self.boxes == MIRRORED,
        }

    @property
    def folder(self) -> str:
        """Under which name its pictures are kept."""
        return "preset" if self.name == "control" else self.name


Changed = Callable[[ObjectiveSettings], ObjectiveSettings]

_PAPER: dict[str, tuple[str, Changed]] = {
    "whole": (
        "similarity on whole views only",
        lambda paper: replace(paper, masked_views=False, lambda0=0.0),
    ),
    "masked": ("whole and masked views, lambda 0", lambda paper: replace(paper, lambda0=0.0)),
    "paper_a": ("paper A: whole and masked views, and relevance", lambda paper: paper),
    "legacy": (
        "paper A, with one view copied, as in its released code",
        lambda paper: replace(paper, legacy_single_view=True),
    ),
    "itsm": (
        "paper A, with the similarity map in place of relevance",
        lambda paper: replace(paper, heatmap="itsm"),
    ),
    "eclip": (
        "paper A, with ECLIP's map in place of relevance",
        lambda paper: replace(paper, heatmap="eclip"),
    ),
}
_OURS = {
    "preset": ("the preset", OWN),
    "control": ("the preset's pictures, scored against the boxes of other layouts", OTHERS),
    "mirrored": ("the preset, left and right of the boxes exchanged", MIRRORED),
}
NAMES = ("unguided", "places", *_PAPER, *_OURS)


def conditions(
    preset: Preset, clip: Clip, scene_alone: bool = False, names: Sequence[str] = ()
) -> tuple[list[Condition], list[str]]:
    """The conditions of these names, in the order of NAMES, or all that the model can do; and what was left out, with
    the reason. The control and the mirrored boxes bring the preset with them, which they are compared with.

    `scene_alone`: for a generator that makes nothing without a guide, unguided is the similarity of whole views with
    the scene's prompt. ValueError for an unknown name, or one that the model cannot do.
    """
    for name in names:
        if name not in NAMES:
            raise ValueError(f"unknown condition {str(name)[:80]!r}; allowed: {', '.join(NAMES)}")
    wanted = set(names or NAMES)
    if wanted & {"control", "mirrored"}:
        wanted.add("preset")
    found, left_out = [], []
    for each in _all(preset, scene_alone):
        if each.name not in wanted:
            continue
        reason = _refusal(each, clip, scene_alone)
        if reason is None:
            found.append(each)
        elif names:
            raise ValueError(f"there is no condition {each.name!r} here: {reason}")
        else:
            left_out.append(f"{each.name}: {reason}")
    return found, left_out


def _refusal(condition: Condition, clip: Clip, scene_alone: bool) -> str | None:
    """Why there is no such condition, if there is none."""
    if condition.objective is not None:
        return refusal(clip, condition.objective.heatmap)
    if condition.name == "places" and scene_alone:
        return "this generator draws nothing from phrases"
    if condition.name == "places" and not condition.sampling.regions_to:
        return "this preset draws nothing from phrases of its own"
    return None


def _all(preset: Preset, scene_alone: bool) -> list[Condition]:
    ours = preset.objective
    paper = replace(
        PRESETS["diffusion"]["paper"].objective, views=ours.views, view_strength=ours.view_strength
    )
    alone = replace(paper, whole_views=False, masked_views=False, lambda0=0.0, scene_weight=1.0)
    unguided = (
        Condition("unguided", "whole views and the scene's prompt alone", preset.sampling, alone)
        if scene_alone
        else Condition("unguided", "the generator alone", preset.sampling.alone, None)
    )
    places = replace(preset.sampling, mode="off")
    return [
        unguided,
        Condition("places", "no guide, but every thing is drawn from its own phrase", places, None),
        *(Condition(name, text, preset.sampling, changed(paper)) for name, (text, changed) in _PAPER.items()),
        *(Condition(name, text, preset.sampling, ours, boxes) for name, (text, boxes) in _OURS.items()),
    ]
