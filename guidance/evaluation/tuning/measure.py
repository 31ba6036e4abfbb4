"""How well prompts learnt from a few pictures tell others apart, seed by seed; and what else one would have done.

Every seed draws other pictures to learn from and another context to begin with; what is compared sees the same ones.
All that is chosen (lambda, the probe's penalty, Tip-Adapter's numbers) is chosen on the set `validation`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

from explain.clip.model import Clip
from guidance.evaluation.tuning import rivals
from guidance.evaluation.tuning.rivals import Scores
from guidance.tuning.crops import ViewBank
from guidance.tuning.examples import Draw, Examples
from guidance.tuning.losses import own_relevance
from guidance.tuning.prompt_learner import PromptLearner
from guidance.tuning.settings import Variant
from guidance.tuning.tune import tune_prompt

VALIDATION = "validation"
Record = dict[str, Any]


def tuned(clip: Clip, examples: Examples, variant: Variant, seed: int) -> tuple[PromptLearner, Draw]:
    """Prompts learnt from what the seed draws."""
    (learner,), draw = tuned_alike(clip, examples, variant, (variant.tuning.weight,), seed)
    return learner, draw


def tuned_alike(
    clip: Clip, examples: Examples, variant: Variant, weights: Sequence[float], seed: int
) -> tuple[list[PromptLearner], Draw]:
    """Learns prompts with each of several lambdas, from the same views of the same pictures."""
    # Names that cannot be read are told before any picture is.
    learners = [PromptLearner(clip, examples.names, variant.context, seed) for _ in weights]
    draw = examples.draw(clip, variant.shots, seed)
    bank = ViewBank(clip, draw.pictures, seed=seed)
    for learner, weight in zip(learners, weights, strict=True):
        for _ in tune_prompt(learner, bank, draw.labels, variant.with_weight(weight).tuning, seed):
            pass
    return learners, draw


def measured(learner: PromptLearner, draw: Draw) -> Record:
    """Returns for every held-out set its accuracy, and the mean share of the name of the pictures' own class."""
    sets = draw.held_out.items()
    return {
        "accuracy": accuracies(learner, draw),
        "relevance": {
            name: float(own_relevance(learner, held.features, held.labels).mean()) for name, held in sets
        },
    }


def accuracies(learner: PromptLearner, draw: Draw) -> dict[str, float]:
    """By held-out set."""
    features = learner.features()
    return {name: held.accuracy(features) for name, held in draw.held_out.items()}


def measure_tuning(clip: Clip, examples: Examples, variant: Variant, seed: int) -> Record:
    """Measures one seed's tuning, and the seconds that it took without the encoding of what it is tried on."""
    examples.draw(clip, variant.shots, seed)  # encodes that, the first time
    started = time.perf_counter()
    learner, draw = tuned(clip, examples, variant, seed)
    seconds = time.perf_counter() - started
    return measured(learner, draw) | {"seconds": seconds}


def measure_rivals(clip: Clip, examples: Examples, shots: int, seed: int) -> Record:
    """Accuracy by rival and set. The probe and Tip-Adapter choose their numbers on `validation`, where it is there."""
    draw = examples.draw(clip, shots, seed)
    scores = _rivals(clip, examples.names, draw, ViewBank(clip, draw.pictures, seed=seed))
    return {
        name: {held: rivals.accuracy(each, s.features, s.labels) for held, s in draw.held_out.items()}
        for name, each in scores.items()
    }


def _rivals(clip: Clip, names: Sequence[str], draw: Draw, bank: ViewBank) -> Mapping[str, Scores]:
    plain, many = rivals.zero_shot(clip, names), rivals.zero_shot(clip, names, rivals.imagenet_templates())
    labels = torch.tensor(draw.labels, device=clip.device)
    keys = F.normalize(bank.features.mean(1), dim=-1)
    views, repeated = bank.features.flatten(0, 1), labels.repeat_interleave(bank.features.shape[1])
    chosen_on = draw.held_out.get(VALIDATION)
    probes = [partial(rivals.linear_probe, views, repeated, len(names), p) for p in rivals.PENALTIES]
    tips = [
        partial(rivals.tip_adapter, clip, plain, keys, labels, alpha, beta)
        for alpha in rivals.ALPHAS
        for beta in rivals.BETAS
    ]
    if chosen_on is None:  # what their papers have
        probe, tip = probes[len(probes) // 2](), rivals.tip_adapter(clip, plain, keys, labels)
    else:
        on = chosen_on.features, chosen_on.labels
        probe, tip = rivals.best(probes, *on), rivals.best(tips, *on)
    return {
        "zero_shot": lambda images: images @ plain.T,
        "templates_80": lambda images: images @ many.T,
        "linear_probe": probe,
        "tip_adapter": tip,
    }


def measure_phrasing(clip: Clip, examples: Examples, phrasing: str, variant: Variant, seeds: int) -> Record:
    """A phrasing as it stands, and contexts that start from it: accuracy by set, seed by seed for those."""
    held_out = examples.draw(clip, variant.shots, 0).held_out
    plain = rivals.zero_shot(clip, examples.names, [phrasing.rstrip(" .") + "."])
    started = replace(variant, context=replace(variant.context, phrasing=phrasing))
    found: dict[str, list[dict[str, float]]] = {"coop": [], "paper_a": []}
    for seed in range(seeds):
        learners, draw = tuned_alike(clip, examples, started, (0.0, variant.tuning.weight), seed)
        for each, learner in zip(found.values(), learners, strict=True):
            each.append(accuracies(learner, draw))
    return {"zero_shot": {name: held.accuracy(plain) for name, held in held_out.items()}, **found}
