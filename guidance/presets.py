"""Presets: everything that a run can be told, under a name. Frozen: what a name means can be read here.

`paper` is paper A's objective and, for a VQGAN, its optimiser; on a diffusion model, which the paper has not, the same
objective moves the predicted picture. `fast` and `best` are ours, their numbers chosen on Toyland's validation layouts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from guidance.generators.base import Generator
from guidance.generators.catalogue import GENERATORS, Entry
from guidance.generators.sampling import Sampling
from guidance.objectives.settings import ObjectiveSettings


@dataclass(frozen=True)
class Preset:
    """How pictures are made (`sampling`), and what is asked of them (`objective`)."""

    name: str
    sentence: str
    sampling: Sampling
    objective: ObjectiveSettings


_OURS = ObjectiveSettings(heatmap="relevance_all", views=4, view_strength=0.5, coverage_weight=0.1)
# In Toyland, a pull alone puts little where it belongs: of moves of up to three tenths of the length nothing comes,
# larger ones spoil shapes. Each thing drawn from its own phrase in its place, all else blank, and led away from
# elsewhere, does most; a choice among noises by the guide's losses, and from there on a gentle pull, add a little.
_PULLED = Sampling(steps=50, norm=0.5, inner_steps=4, guide_to=0.5)
_PLACED = Sampling(steps=20, norm=0.2, guide_to=0.8, regions_to=0.7, blank_to=0.7, rest_scale=1.5)

_DIFFUSION = (
    Preset(
        "paper",
        "The paper's objective, as it is, on a diffusion model.",
        _PULLED,
        ObjectiveSettings(),
    ),
    Preset(
        "fast",
        "A first look in a few seconds.",
        replace(_PLACED, candidates=4),
        replace(_OURS, views=2),
    ),
    Preset(
        "best",
        "What keeps things in their boxes best.",
        replace(_PLACED, inner_steps=2, candidates=8, judged_at=0.6),
        _OURS,
    ),
)
_VQGAN = (
    Preset(
        "paper",
        "The paper's objective and optimiser, as they are.",
        Sampling(steps=1000),
        ObjectiveSettings(),
    ),
    Preset("fast", "A first look.", Sampling(steps=100), replace(_OURS, views=2)),
    Preset("best", "What keeps things in their boxes best.", Sampling(steps=300), replace(_OURS, views=8)),
)

PRESETS: Mapping[str, Mapping[str, Preset]] = MappingProxyType(
    {
        kind: MappingProxyType({preset.name: preset for preset in presets})
        for kind, presets in (("diffusion", _DIFFUSION), ("vqgan", _VQGAN))
    }
)


def find_preset(name: str, generator: Generator) -> Preset:
    """The preset of this name for a generator, which may want fewer steps. ValueError for another name."""
    entry = GENERATORS.get(generator.name)
    return _found(name, generator.kind, entry.steps if entry else 0)


def named_preset(name: str, entry: Entry) -> Preset:
    """Returns the preset of this name for a generator of the catalogue, which need not be open."""
    return _found(name, entry.kind, entry.steps)


def _found(name: str, kind: str, most_steps: int) -> Preset:
    presets = PRESETS[kind]
    if name not in presets:
        raise ValueError(f"unknown preset {str(name)[:80]!r}; allowed: {', '.join(presets)}")
    preset = presets[name]
    if not most_steps:
        return preset
    return replace(preset, sampling=replace(preset.sampling, steps=min(most_steps, preset.sampling.steps)))
