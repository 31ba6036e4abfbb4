"""Sampling: all that can be chosen about how pictures are made. Checked here, once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from guidance.checks import choice, shown, whole, within
from guidance.layout.places import Layout
from guidance.seeding import MAX_SEED

MODES = ("off", "x0", "latent")
NORM_CONTROLS = ("normalise", "clip", "raw")
STARTS = ("codes", "uniform")
MAX_STEPS = 1000
MAX_SIDE = 2048  # pixels
MAX_PICTURES = 64  # at once
MAX_CANDIDATES = 256


@dataclass(frozen=True)
class Sampling:
    """Settings of a run. ValueError for one that is out of range.

    For both generators:

    steps: denoising steps, or steps of the optimiser (1 to 1000; a model may allow fewer).
    size: (height, width) in pixels, or None for the generator's own. A multiple of its latent grid.

    For diffusion:

    guidance_scale: of classifier-free guidance, as in diffusers; up to 1 it is off. A model that was distilled with it
        takes it as an input.
    negative_prompt: what classifier-free guidance leads away from. ValueError where there is none to do so.
    mode: where the guide acts. "x0" moves the predicted picture, so that the UNet needs no backward pass (Bansal et al.
        2023, arXiv 2302.07121, "backward guidance"); "latent" moves the noisy latents by a gradient through the UNet,
        2 to 3 times as dear; "off" asks no guide.
    weight: factor of every move. At 0 the guide is asked and the pictures are those without it, to the bit.
    norm_control: of a picture's move. "normalise" gives it the length `norm`, whatever the gradient's; "clip" takes
        the gradient as it is, up to that length; "raw" as it is. All three are multiplied by `weight`.
    norm: length of a move as a share of the length of the latents that it moves, picture by picture.
    inner_steps: gradient steps within each guided step.
    time_travel: how often a guided step is taken back, by noise, and repeated (Lugmayr et al. 2022, RePaint, arXiv
        2201.09865; Yu et al. 2023, FreeDoM, arXiv 2303.09833). Not at weight 0, and not after the last step.
    guide_from, guide_to: the share of the steps that are guided; step i of n is where guide_from <= i / n < guide_to.
        The last ones settle texture: a guide adds little there but patterns that please it.
    guide_every: of these, every which one is guided, from the first on.
    regions_to: the share of the steps, from the first on, in which what is in each target's place is drawn from its own
        phrase (`diffusion/regions.py`); blank_to: in which it is so with all else blank. For runs that know their
        layouts, whether there is a guide or not. Not at weight 0.
    rest_scale: in those steps, the guidance scale of what is in no place. There it leads to the prompt from the phrases
        of the targets, so that the rest of the picture shows what else the prompt says. 0: it is drawn as without
        places, and so it is by a model without classifier-free guidance.
    candidates: how many noises the run tries, each to the share `judged_at` of the steps, not pulled
        (`diffusion/candidates.py`). It goes on from there with what each target's place is in the one that the guide
        says least against there, and with the rest of the one that is best for all. The first is the seed's own, with
        which a run without guidance begins. Not at weight 0.

    For VQGAN:

    learning_rate: of Adam.
    start: "codes", a random entry of the codebook at every place; or "uniform", numbers from 0 to 2.
    """

    steps: int = 30
    size: tuple[int, int] | None = None
    guidance_scale: float = 7.5
    negative_prompt: str = ""
    mode: str = "x0"
    weight: float = 1.0
    norm_control: str = "normalise"
    norm: float = 0.1
    inner_steps: int = 1
    time_travel: int = 0
    guide_from: float = 0.0
    guide_to: float = 0.8
    guide_every: int = 1
    regions_to: float = 0.0
    blank_to: float = 0.0
    rest_scale: float = 0.0
    candidates: int = 1
    judged_at: float = 0.5
    learning_rate: float = 0.1
    start: str = "codes"

    def __post_init__(self) -> None:
        whole("steps", self.steps, 1, MAX_STEPS)
        within("guidance_scale", self.guidance_scale, 0, 100)
        _text("negative_prompt", self.negative_prompt)
        choice("mode", self.mode, MODES)
        within("weight", self.weight, 0, 1e6)
        choice("norm_control", self.norm_control, NORM_CONTROLS)
        within("norm", self.norm, 0, 10)
        whole("inner_steps", self.inner_steps, 1, 100)
        whole("time_travel", self.time_travel, 0, 100)
        within("guide_from", self.guide_from, 0, 1)
        within("guide_to", self.guide_to, 0, 1)
        if self.guide_from >= self.guide_to:
            raise ValueError(
                f"guide_from is {self.guide_from} and guide_to {self.guide_to}; "
                "allowed: guide_from below guide_to (mode 'off' guides no step)"
            )
        whole("guide_every", self.guide_every, 1, MAX_STEPS)
        for name in ("regions_to", "blank_to", "judged_at"):
            within(name, getattr(self, name), 0, 1)
        within("rest_scale", self.rest_scale, 0, 100)
        whole("candidates", self.candidates, 1, MAX_CANDIDATES)
        within("learning_rate", self.learning_rate, 1e-6, 10)
        choice("start", self.start, STARTS)

    @property
    def acts(self) -> bool:
        """Whether a guide can change anything."""
        return self.mode != "off" and self.weight > 0

    @property
    def alone(self) -> Sampling:
        """These settings for the generator by itself: no guide, and no places."""
        return replace(self, mode="off", weight=0.0)

    def guides(self, index: int, total: int) -> bool:
        """Whether step `index` of `total` is a guided one."""
        if self.mode == "off" or not self.guide_from <= index / total < self.guide_to:
            return False
        return (index - math.ceil(self.guide_from * total - 1e-9)) % self.guide_every == 0


def check_pictures(prompts: Sequence[str], seeds: Sequence[int], layouts: Sequence[Layout] = ()) -> None:
    """ValueError unless there is a seed for every prompt, and a layout if there are any, and all are what they should
    be.
    """
    if isinstance(prompts, str):
        raise ValueError("prompts is a text; allowed: a list of texts, one for each picture")
    if not 1 <= len(prompts) <= MAX_PICTURES:
        raise ValueError(f"there are {len(prompts)} prompts; allowed at once: 1 to {MAX_PICTURES}")
    if len(prompts) != len(seeds):
        raise ValueError(f"there are {len(prompts)} prompts and {len(seeds)} seeds; allowed: as many of both")
    if layouts and len(layouts) != len(prompts):
        raise ValueError(
            f"there are {len(prompts)} prompts and {len(layouts)} layouts; allowed: none, or as many"
        )
    for prompt in prompts:
        _text("a prompt", prompt)
    for seed in seeds:
        whole("a seed", seed, 0, MAX_SEED, "2^63 - 1")


def check_size(size: tuple[int, int], grid: int) -> tuple[int, int]:
    """(height, width) in pixels, if they fit a latent grid of `grid` pixels a cell. ValueError with the nearest
    that do.
    """
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise ValueError(f"size is {shown(size)}; allowed: (height, width) in pixels")
    for name, side in zip(("height", "width"), size, strict=True):
        whole(f"the {name}", side, grid, MAX_SIDE)
        if side % grid:
            below = side - side % grid
            near = f"{below} or {below + grid}" if below + grid <= MAX_SIDE else f"{below}"
            raise ValueError(f"the {name} is {side}; allowed: multiples of {grid}, and the nearest is {near}")
    return size[0], size[1]


def _text(name: str, value: object) -> None:
    """Any text at all: prompts reach the model as they were typed."""
    if not isinstance(value, str):
        raise ValueError(f"{name} is {shown(value)}; allowed: a text")
