"""Costs of one method, beside one forward and backward of the model."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import nn

from benchmarks import memory
from benchmarks.explain import PROMPTS
from benchmarks.pairs import paired, seconds
from explain.clip.model import Clip
from explain.eclip import training
from explain.explanation import explain_methods
from explain.methods import METHODS

COMPARE = "compare"  # all methods at once, beside the names of methods in --only
COMPARE_AIM = 6.0
MANY_AIM, MANY_AIM_ALL = 3.0, 6.0
ALL_GRADIENTS = {"relevance_all", "legrad"}  # a gradient in several layers for every prompt


@dataclass(frozen=True)
class Cost:
    """Costs of a method. `time`, `memory` and `many` are ratios; `aim` is what `many` may be at most, or `time`
    where there is no `many`.
    """

    name: str
    device: str
    seconds: float
    baseline_seconds: float
    time: float
    megabytes: float
    memory: float
    many: float | None = None
    many_seconds: float | None = None
    forwards: int | None = None
    aim: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without one."""
        value = self.time if self.many is None else self.many
        return None if self.aim is None else value <= self.aim


class Bench:
    """One model on one device, and the runs that are timed on it."""

    def __init__(self, clip: Clip, device: torch.device, pairs: int) -> None:
        self.clip = with_projection(dataclasses.replace(clip, model=clip.model.to(device)))
        self.device, self.pairs = device, pairs
        self._rng = np.random.default_rng(0)
        self.baseline()  # warm
        self._baseline_memory = self._peak(self.baseline)

    def picture(self) -> Image.Image:
        """Noise at the model's size that was not seen before."""
        return Image.fromarray(self._rng.integers(0, 255, (*self.clip.size, 3), dtype=np.uint8))

    def baseline(self) -> None:
        """One forward and backward of both towers, as open_clip has them."""
        images, kept = self.clip.prepare([self.picture()]).requires_grad_(), []

        def leaf(module, args, output):
            kept.append(output.detach().requires_grad_())
            return kept[0]

        model = self.clip.model
        handle = getattr(model, "text", model).token_embedding.register_forward_hook(leaf)
        try:
            texts = model.encode_text(self.clip.tokenize(PROMPTS[:1]), normalize=True)
        finally:
            handle.remove()
        score = (model.encode_image(images, normalize=True) * texts).sum()
        torch.autograd.grad(score, [images, *kept])
        self._wait()

    def explaining(self, names: Sequence[str], prompts: int) -> Callable[[], None]:
        """The methods on a new picture, for so many prompts."""

        def run() -> None:
            explain_methods(self.clip, self.picture(), PROMPTS[:prompts], names)
            self._wait()

        return run

    def cost(self, name: str) -> Cost:
        """Measures one method, or all at once that have no forwards of their own."""
        if name != COMPARE and METHODS[name].own_forwards:
            return self._slow(name)
        names = compared(self.clip) if name == COMPARE else [name]
        one = self.explaining(names, 1)
        time, mine, stock = paired(one, self.baseline, self.pairs)
        found = self._cost(name, mine, stock, time, self._peak(one))
        if name == COMPARE:
            return dataclasses.replace(found, aim=COMPARE_AIM)
        many, ten, _ = paired(self.explaining(names, len(PROMPTS)), one, self.pairs)
        aim = MANY_AIM_ALL if name in ALL_GRADIENTS else MANY_AIM
        return dataclasses.replace(found, many=many, many_seconds=ten, aim=aim)

    def _slow(self, name: str) -> Cost:
        """Measures a method with hundreds of forwards: one run between two of the baseline, and one for the memory."""
        one, counts = self.explaining([name], 1), []
        first = next(module for module in self.clip.model.visual.modules() if isinstance(module, nn.Conv2d))
        handle = first.register_forward_hook(lambda module, args, output: counts.append(len(output)))
        before = seconds(self.baseline)
        counts.clear()
        try:
            mine = seconds(one)
        finally:
            handle.remove()
        stock = (before + seconds(self.baseline)) / 2
        found = self._cost(name, mine, stock, mine / stock, self._peak(one))
        return dataclasses.replace(found, forwards=sum(counts))

    def _cost(self, name: str, mine: float, stock: float, time: float, used: int) -> Cost:
        memory_ratio = used / max(1, self._baseline_memory)
        return Cost(name, self.device.type, mine, stock, time, used / 1e6, memory_ratio)

    def _peak(self, run: Callable[[], None]) -> int:
        """Measures the memory of a run that starts with no picture kept; a run before made what a model makes once."""
        self.clip.pictures.clear()
        self.clip.opened.clear()
        return memory.peak(run, self.device)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def with_projection(clip: Clip) -> Clip:
    """The model with a random projection of ECLIP: it costs what a trained one does."""
    fresh = training.start(clip, fresh=True, generator=torch.Generator().manual_seed(0))
    return dataclasses.replace(clip, eclip=fresh)


def compared(clip: Clip) -> list[str]:
    """The methods that this model has and that need no forwards of their own."""
    return [m.name for m in METHODS.values() if m.supports(clip) is None and not m.own_forwards]
