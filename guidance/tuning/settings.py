"""All that can be chosen about tuning a prompt. Checked here, once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from guidance.checks import whole, within
from guidance.tuning.prompt_learner import ContextSettings

MAX_EPOCHS = 1000


@dataclass(frozen=True)
class TuningSettings:
    """All that can be chosen about tuning; as they are, those of paper A, whose lambda is not known.

    weight: lambda. 0 is CoOp.
    second_order: whether dS/dA is differentiated too; the paper's code takes it for a constant.
    include_sot: whether the start token has a share of the relevance.
    epochs, batch, learning_rate, momentum, weight_decay: of SGD. The last pictures of an epoch that fill no batch are
        left out, unless they are all there are.
    warmup_epochs, warmup_rate: how long the rate is constant, and what it is.
    fresh_views: views are drawn and encoded anew in each epoch, not taken from the bank.
    negatives: of more classes than these, the relevance of so many others than the pictures' is asked in a step.
    """

    weight: float = 1.0
    second_order: bool = False
    include_sot: bool = True
    epochs: int = 50
    batch: int = 32
    learning_rate: float = 0.002
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup_epochs: int = 1
    warmup_rate: float = 1e-5
    fresh_views: bool = False
    negatives: int = 100

    def __post_init__(self) -> None:
        within("weight", self.weight, 0, 1000)
        whole("epochs", self.epochs, 1, MAX_EPOCHS)
        whole("batch", self.batch, 1, 4096)
        for name in ("learning_rate", "warmup_rate"):
            within(name, getattr(self, name), 0, 100)
        for name in ("momentum", "weight_decay"):
            within(name, getattr(self, name), 0, 1)
        whole("warmup_epochs", self.warmup_epochs, 0, MAX_EPOCHS)
        whole("negatives", self.negatives, 1, 100_000)

    def notes(self, classes: int) -> tuple[str, ...]:
        """Returns notes on tuning so many classes."""
        if not self.weight or classes <= self.negatives + 1:
            return ()
        return (
            f"in each step the relevance of at most {self.negatives} classes beside the pictures' own is asked, a "
            f"sample that stands for all {classes}",
        )

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, from 0."""
        if epoch < self.warmup_epochs:
            return self.warmup_rate
        return self.learning_rate * (1 + math.cos(math.pi * epoch / self.epochs)) / 2


@dataclass(frozen=True)
class Variant:
    """One way to tune: how many pictures of each class, what is learnt, and how."""

    name: str
    shots: int = 1
    context: ContextSettings = field(default_factory=ContextSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)

    def with_weight(self, weight: float) -> Variant:
        """Returns this variant with another lambda."""
        return replace(self, tuning=replace(self.tuning, weight=weight))
