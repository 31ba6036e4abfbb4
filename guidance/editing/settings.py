"""Settings of an edit, and the values that they have by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from guidance.checks import choice, shown, within
from guidance.generators.base import Generator
from guidance.generators.catalogue import GENERATORS
from guidance.generators.sampling import Sampling
from guidance.objectives.words import TextSettings

WAYS = ("diffusion", "latents")
BEGINNINGS = ("noise", "inversion")
PLACES = ("everywhere", "auto")


@dataclass(frozen=True)
class EditSettings:
    """ValueError for what is out of range.

    way: "diffusion" gives the picture noise and takes it away by the prompt, steered; "latents" moves the latents of an
        autoencoder by Adam, as paper A does.
    sampling: steps, size, and for diffusion all else; for latents the learning rate.
    objective: what is asked of the picture.
    edge: how soft the edge of the place is in which the picture may change, as a share of its shorter side.

    For diffusion:

    strength: the share of the steps that the picture is taken through. Low, it keeps what is there; at 1 what may
        change is drawn anew. None: 1 within a box, and 0.7 without.
    begin: the noise is drawn by the seed, or is that from which the model comes back to the picture: "inversion".
    where: without a box, the picture may change "everywhere", or where the model sees a difference between the prompt
        and what is there: "auto".
    threshold: of that difference, from 0 to 1.
    guarded: where words count, the same is made without them too, and what CLIP finds more like the whole prompt is
        kept: relevance is no proof that a word is in the picture. Both try the same noises.
    away: where no box's phrase says what is drawn, classifier-free guidance leads away from the picture's caption, if
        there is one.

    For latents:

    source_weight: of the distance to where they began, see `generators/latents.py`.
    """

    way: str = "diffusion"
    sampling: Sampling = field(default_factory=Sampling)
    objective: TextSettings = field(default_factory=TextSettings)
    strength: float | None = None
    begin: str = "noise"
    where: str = "everywhere"
    threshold: float = 0.7
    guarded: bool = False
    away: bool = True
    source_weight: float = 0.0
    edge: float = 0.03

    def __post_init__(self) -> None:
        choice("way", self.way, WAYS)
        choice("begin", self.begin, BEGINNINGS)
        choice("where", self.where, PLACES)
        for name, kind in (("sampling", Sampling), ("objective", TextSettings)):
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"{name} is {shown(getattr(self, name))}; allowed: {kind.__name__}")
        for name in ("guarded", "away"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} is {shown(getattr(self, name))}; allowed: True, False")
        if self.strength is not None:
            object.__setattr__(self, "strength", within("strength", self.strength, 0.01, 1))
        for name, least, most in (
            ("threshold", 0, 1),
            ("source_weight", 0, 1e6),
            ("edge", 0, 0.25),
        ):
            object.__setattr__(self, name, within(name, getattr(self, name), least, most))

    def strength_of(self, boxed: bool) -> float:
        """Returns the strength of an edit within a box, or without one."""
        if self.strength is not None:
            return self.strength
        return 1.0 if boxed else 0.7


# Chosen on Toyland's validation edits. On 24 to 48 of them: in a box, the thing drawn from its own phrase does most, as
# it does for layouts, the choice among four noises some, and the pull little. Lambda and the guard on 200, success in a
# box and without: lambda 0 0.855 and 0.700; 0.5 0.880 and 0.715; 1 0.875 and 0.715; 5 (without) 0.695. Guarded, 0.5
# loses none of the edits that lambda 0 does, and does seven more (unguarded it loses two in a box alone).
EDITS: Mapping[str, EditSettings] = MappingProxyType(
    {
        "diffusion": EditSettings(
            "diffusion",
            Sampling(steps=20, norm=0.2, candidates=4, judged_at=0.6, regions_to=0.7, blank_to=0.7),
            TextSettings(weight=0.5),
            where="auto",
            guarded=True,
        ),
        "latents": EditSettings(
            "latents", Sampling(steps=60, learning_rate=0.2), TextSettings(), source_weight=0.05
        ),
    }
)


def find_edit(generator: Generator, way: str | None = None) -> EditSettings:
    """The settings for a way of editing with a generator, whose first one it is where none is named.

    ValueError for a way that it cannot go.
    """
    able = WAYS if generator.kind == "diffusion" else ("latents",)
    way = able[0] if way is None else way
    choice("way", way, able)
    found, entry = EDITS[way], GENERATORS.get(generator.name)
    if way == "latents" or entry is None or not entry.steps:
        return found
    return replace(found, sampling=replace(found.sampling, steps=min(entry.steps, found.sampling.steps)))
