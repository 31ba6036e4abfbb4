"""What rescues are told: which words are neglected, how much they count, and how the second picture is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from explain.contentwords import NEGLECTED
from guidance.catalogue import GENERATORS
from guidance.entries import shown, within
from guidance.generators import Generator
from guidance.sampling import Sampling
from guidance.text_objective import TextSettings

LAMBDA = 0.1


@dataclass(frozen=True)
class RescueSettings:
    """`objective`: its weight is lambda. `threshold`: words below this share of the strongest are neglected. ValueError
    for what is not allowed.
    """

    objective: TextSettings = field(default_factory=lambda: TextSettings("neglected", LAMBDA))
    threshold: float = NEGLECTED

    def __post_init__(self) -> None:
        if not isinstance(self.objective, TextSettings):
            raise ValueError(f"objective is {shown(self.objective)}; allowed: TextSettings")
        object.__setattr__(self, "threshold", within("threshold", self.threshold, 0, 1))


# Chosen on Toyland's validation layouts: noises are chosen among, judged at 13 of 20 steps, and no picture is pulled.
_CHOSEN = TextSettings("neglected", LAMBDA, views=1, view_strength=0.0)
RESCUES: Mapping[str, tuple[Sampling, RescueSettings]] = MappingProxyType(
    {
        "diffusion": (
            Sampling(steps=20, candidates=8, judged_at=0.65, guide_to=0.05),
            RescueSettings(_CHOSEN),
        ),
        "vqgan": (Sampling(steps=100), RescueSettings()),
    }
)


def find_rescue(generator: Generator) -> tuple[Sampling, RescueSettings]:
    """What a generator is rescued with; it may want fewer steps."""
    sampling, settings = RESCUES[generator.kind]
    entry = GENERATORS.get(generator.name)
    steps = min(entry.steps, sampling.steps) if entry and entry.steps else sampling.steps
    return replace(sampling, steps=steps), settings
