"""tune_prompt(): a context learnt from a few pictures, step by step.

Zhou et al., IJCV 2022 (arXiv 2109.01134, CoOp), with the loss of Paiss, Chefer, Wolf, ECCV 2022 (arXiv 2204.04908) on
the relevance of names (`losses.py`). Stochastic gradient descent with momentum; the rate is constant and small in the
first epoch, and falls as a cosine from then on. With lambda 0 no relevance is computed, and this is CoOp to the bit.

Differs from the paper: features of pictures are computed once for a bank of views (`crops.py`), and their relevance in
one backward pass a picture (the released code runs the image tower once for every class and picture). Of more than
`negatives` classes, the relevance of a sample is asked in each step, weighed so that its mean is that of all; the cross
entropy is of all of them always.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from explain import towers
from guidance.checks import whole
from guidance.seeding import generator_of
from guidance.tuning.crops import ViewBank
from guidance.tuning.losses import backward_of_names, explanation_loss, name_relevance
from guidance.tuning.prompt_learner import PromptLearner
from guidance.tuning.settings import TuningSettings

AT_ONCE = 128  # prompts whose graph is held; of more, pieces are run again on the way back
ORDER, SAMPLE = 0x6F_7264, 0x73_616D  # what draws are for


@dataclass(frozen=True)
class TuningStep:
    """A step of tuning, for people; what it says is of the prompts before they were moved. Holds no tensor.

    `index` counts from 0 to `total`; the step `total` moves nothing: it says what came of it. `losses`: by name,
    "total", "cross_entropy" and, with lambda above 0, "relevance"; empty at the end. `accuracy`: the share of held-out
    pictures that find their class, by the name of their set. `relevance`: the mean share of the own class's name, where
    it was computed.
    """

    index: int
    total: int
    epoch: int
    losses: Mapping[str, float]
    accuracy: Mapping[str, float]
    relevance: float | None = None

    @property
    def finished(self) -> bool:
        return self.index == self.total


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Pictures to be told apart: features (N, D), unit norm, and classes (N,)."""

    features: Tensor
    labels: Tensor

    def accuracy(self, class_features: Tensor) -> float:
        """The share whose best class (C, D) is theirs; NaN where there is no picture."""
        if not len(self.labels):
            return math.nan
        best = (self.features @ class_features.T).argmax(-1)
        return float((best == self.labels).cpu().double().mean())


def tune_prompt(
    learner: PromptLearner,
    bank: ViewBank,
    labels: Sequence[int],
    settings: TuningSettings | None = None,
    seed: int = 0,
    held_out: Mapping[str, HeldOut] | None = None,
) -> Iterator[TuningStep]:
    """Moves `learner.context`, yielding every step and the outcome. Equal seeds, equal contexts.

    `labels`: the class of each of the bank's pictures. Close the generator to stop: the context stays as it is.
    ValueError, before the first step, where labels and pictures do not go together.
    """
    classes = _labels(learner, bank, labels)
    run = _Run(learner, bank, classes, settings or TuningSettings(), seed, dict(held_out or {}))
    return run.steps()


class _Run:
    """One tuning and its optimiser. A step is an ordinary function: no grad mode is open across a yield."""

    def __init__(
        self,
        learner: PromptLearner,
        bank: ViewBank,
        labels: Tensor,
        settings: TuningSettings,
        seed: int,
        held_out: dict[str, HeldOut],
    ) -> None:
        self.learner, self.bank, self.labels, self.settings = learner, bank, labels, settings
        self.seed, self.held_out = seed, held_out
        self.optimiser = torch.optim.SGD(
            [learner.context],
            lr=settings.rate(0),
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
        self.batch = min(settings.batch, len(labels))
        self.per_epoch = len(labels) // self.batch
        self.total = self.per_epoch * settings.epochs

    def steps(self) -> Iterator[TuningStep]:
        for index in range(self.total):
            yield self._step(index)
        yield TuningStep(
            self.total, self.total, self.settings.epochs, {}, self._accuracy(self.learner.features())
        )

    def _step(self, index: int) -> TuningStep:
        epoch, place = divmod(index, self.per_epoch)
        order = torch.randperm(len(self.labels), generator=generator_of(self.seed, epoch, ORDER)).tolist()
        numbers = order[place * self.batch : (place + 1) * self.batch]
        if self.settings.fresh_views:
            features = self.bank.fresh(numbers, epoch)
        else:
            views = torch.randint(
                2**31, (len(self.labels),), generator=generator_of(self.seed, epoch)
            ).tolist()
            features = self.bank.take(numbers, [views[number] for number in numbers])
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate(epoch)
        self.optimiser.zero_grad()
        labels = self.labels[numbers]
        judged = self._backward(features, labels, index)
        self.optimiser.step()
        return TuningStep(index, self.total, epoch, judged[0], self._accuracy(judged[1]), judged[2])

    @torch.enable_grad()
    def _backward(
        self, images: Tensor, labels: Tensor, index: int
    ) -> tuple[dict[str, float], Tensor, float | None]:
        """The gradient of a batch, left in the context; its losses, the features of all prompts, and s of the own."""
        if not self.settings.weight:
            features = class_features(self.learner)
            loss = self._cross_entropy(features, images, labels)
            loss.backward()
            return _named(loss.detach()), features.detach(), None
        chosen, places, counts = self._sample(labels, index)
        recorded = self.learner.record(chosen)
        features = recorded.features if chosen is None else class_features(self.learner)
        loss = self._cross_entropy(features, images, labels)
        named = self.learner.name_tokens if chosen is None else self.learner.name_tokens[chosen]
        given = (self.learner.clip, recorded, images, named)
        if self.settings.second_order:
            shares = name_relevance(*given, create_graph=True, include_sot=self.settings.include_sot)
            extra = explanation_loss(shares, places, counts)
            own = shares.detach().gather(1, places[:, None]).mean()
            (loss + self.settings.weight * extra).backward()
        else:
            extra, own, slopes = backward_of_names(*given, places, counts, self.settings.include_sot)
            weighed = [self.settings.weight * slope for slope in slopes]
            torch.autograd.backward([loss, *recorded.probs], [torch.ones_like(loss), *weighed])
        return _named(loss.detach(), extra.detach(), self.settings.weight), features.detach(), float(own)

    def _cross_entropy(self, features: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self.learner.clip.logit_scale * images @ features.T, labels)

    def _sample(self, labels: Tensor, index: int) -> tuple[Tensor | None, Tensor, Tensor | None]:
        """The classes whose relevance is asked: None for all, or their numbers; where the labels are among them; and
        for how many classes each stands.
        """
        total = len(self.learner.names)
        own, places = labels.unique(return_inverse=True)
        count = min(self.settings.negatives, total - len(own))
        if count == total - len(own):
            return None, labels, None
        others = torch.ones(total, dtype=torch.bool, device=labels.device)
        others[own] = False
        rest = others.nonzero().flatten()
        drawn = torch.randperm(len(rest), generator=generator_of(self.seed, index, SAMPLE))[:count]
        counts = torch.ones(len(own) + count, device=labels.device)
        counts[len(own) :] = len(rest) / count
        return torch.cat([own, rest[drawn.to(rest.device)]]), places, counts.to(self.learner.context)

    def _accuracy(self, features: Tensor) -> dict[str, float]:
        return {name: held.accuracy(features) for name, held in self.held_out.items()}


def class_features(learner: PromptLearner) -> Tensor:
    """The prompts' features (C, D), unit norm, differentiable in the context; the graph of few of them is in memory."""
    model = learner.clip.model

    def run(classes: Tensor | None) -> Tensor:
        texts = learner.texts if classes is None else learner.texts[classes]
        return F.normalize(towers.text_features(model, texts, learner.embeddings(classes)), dim=-1)

    if len(learner.texts) <= AT_ONCE:
        return run(None)
    pieces = torch.arange(len(learner.texts), device=learner.texts.device).split(AT_ONCE)
    return torch.cat([checkpoint(run, piece, use_reentrant=False) for piece in pieces])


def _named(cross_entropy: Tensor, relevance: Tensor | None = None, weight: float = 0.0) -> dict[str, float]:
    losses = {"total": float(cross_entropy), "cross_entropy": float(cross_entropy)}
    if relevance is None:
        return losses
    return losses | {"total": losses["total"] + weight * float(relevance), "relevance": float(relevance)}


def _labels(learner: PromptLearner, bank: ViewBank, labels: Sequence[int]) -> Tensor:
    if len(labels) != len(bank) or not len(labels):
        raise ValueError(f"{len(bank)} pictures and {len(labels)} labels; allowed: one each, or more")
    most = len(learner.names) - 1
    found = [
        whole(f"the label of picture {number + 1}", label, 0, most) for number, label in enumerate(labels)
    ]
    return torch.tensor(found, device=learner.clip.device)
