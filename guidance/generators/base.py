"""Generators as the loop knows them: pictures from prompts and seeds, a step at a time, steered by a guide.

`diffusion/` and `vqgan.py` are the two that there are. A guide knows no latents, a generator no CLIP: between them
pass images (B, 3, H, W) in [0, 1] one way, and a loss for each of them the other way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor

from guidance.generators.run_cache import Ways
from guidance.generators.sampling import Sampling
from guidance.layout.places import Layout

# Images (B, 3, H, W), float32 in [0, 1], and the number of the evaluation -> differentiable losses (B,). The number
# is the step's where a step asks once; where it asks more often, each time has a number of its own, counted up, so
# that a guide that draws views by (seed, number) draws fresh ones.
Guide = Callable[[Tensor, int], Tensor]


@runtime_checkable
class TargetGuide(Protocol):
    """A guide that knows what is to be where."""

    def __call__(self, images: Tensor, number: int) -> Tensor: ...

    def of_targets(self, images: Tensor) -> Tensor:
        """Losses (B, K + 1) of each picture as it is: its K targets', 0 where it has fewer, and what is no target's."""
        ...


@dataclass(frozen=True, eq=False)
class Advance:
    """Result of one step, for B pictures. All tensors are detached.

    `index`: the step, from 0 to total - 1. `preview`: (B, 3, H, W), float32 in [0, 1], what the model takes the
    finished pictures to be, as the guide saw them: before it moved them. `losses`: (B,) of the preview; None where no
    gradient was asked for. `skipped`: (B,), bool: the loss or its gradient was not finite: it was not moved.
    """

    index: int
    total: int
    preview: Tensor
    losses: Tensor | None
    skipped: Tensor


class Process(Protocol):
    """B pictures on their way. All state is in it: dropping it frees it."""

    @property
    def total(self) -> int:
        """How many steps there are."""
        ...

    def advance(self, guide: Guide | None = None) -> Advance:
        """One step. An ordinary function: whichever thread calls it finds its grad mode as it was."""
        ...

    def finish(self) -> Tensor:
        """The pictures (B, 3, H, W), float32 in [0, 1], by the full decoder. RuntimeError before the last step."""
        ...


class Generator(Protocol):
    """Makes pictures. `size`: (height, width) in pixels where the sampling names none. `kind`: "diffusion" or "vqgan",
    which have presets of their own.
    """

    kind: ClassVar[str]

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> tuple[int, int]: ...

    def begin(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling,
        layouts: Sequence[Layout] = (),
        ways: Ways | None = None,
    ) -> Process:
        """One picture for each prompt and its seed; a batch equals singles. `layouts`: what is to be where, for runs
        that will be guided. `ways`: shared by runs that differ in nothing but their guide. ValueError for what it
        cannot do.
        """
        ...
