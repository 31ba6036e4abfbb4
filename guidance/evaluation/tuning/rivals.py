"""Rivals of prompt tuning, as class scores: what else one would do with a name, or with a few pictures.

All take features of unit norm. Names are read as in `tuning/prompt_learner.py`; the templates are OpenCLIP's list of
the 80 that CLIP's authors used for ImageNet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from explain.clip.model import Clip
from guidance.tuning.prompt_learner import read_names

PLAIN = "a photo of a {}."
Scores = Callable[[Tensor], Tensor]  # features (N, D) -> scores (N, C)
TEXTS = 512  # read at once
# Of the probe: weights of the L2 penalty. Of Tip-Adapter: alpha and beta; the paper's own are 1 and 5.5.
PENALTIES = tuple(10.0**power for power in range(-6, 3))
ALPHAS = (0.1, 0.5, 1.0, 2.0, 3.0, 5.0)
BETAS = (1.0, 2.5, 5.5, 8.0, 12.0)


@torch.no_grad()
def zero_shot(clip: Clip, names: Sequence[str], templates: Sequence[str] = (PLAIN,)) -> Tensor:
    """Class features (C, D), unit norm: the normalised mean over templates (Radford et al. 2021, arXiv 2103.00020)."""
    prompts = [template.replace("{}", name) for name in read_names(names) for template in templates]
    features = torch.cat(
        [clip.encode_texts(clip.tokenize(prompts[i : i + TEXTS])) for i in range(0, len(prompts), TEXTS)]
    )
    return F.normalize(features.unflatten(0, (len(names), len(templates))).mean(1), dim=-1)


def imagenet_templates() -> list[str]:
    """80 of them, each with one {}."""
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    return [template("{}") for template in OPENAI_IMAGENET_TEMPLATES]


def linear_probe(features: Tensor, labels: Tensor, classes: int, penalty: float) -> Scores:
    """Logistic regression on features (N, D) of the examples, `penalty` times half the squared weights added (Radford
    et al. 2021).
    """
    weight = torch.zeros(classes, features.shape[1], device=features.device, requires_grad=True)
    bias = torch.zeros(classes, device=features.device, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy(F.linear(features, weight, bias), labels)
        value = value + penalty / 2 * weight.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimiser.step(loss)
    fixed, shift = weight.detach(), bias.detach()
    return lambda images: F.linear(images, fixed, shift)


def tip_adapter(
    clip: Clip, class_features: Tensor, keys: Tensor, labels: Tensor, alpha: float = 1.0, beta: float = 5.5
) -> Scores:
    """Zhang et al., "Tip-Adapter", ECCV 2022 (arXiv 2207.09519), without training: with W the class features, F the
    keys (N, D) of the examples and L their classes, one-hot,

        scores = 100 f W^T + alpha exp(-beta (1 - f F^T)) L           (100: the model's own scale)
    """
    values = F.one_hot(labels, len(class_features)).to(keys)

    def scores(images: Tensor) -> Tensor:
        affinity = images @ keys.T
        cached = (-beta * (1 - affinity)).exp() @ values
        return clip.logit_scale * images @ class_features.T + alpha * cached

    return scores


def accuracy(scores: Scores, features: Tensor, labels: Tensor) -> float:
    """The share of pictures whose best class is theirs."""
    return float((scores(features).argmax(-1) == labels).cpu().double().mean())


def best(makers: Sequence[Callable[[], Scores]], features: Tensor, labels: Tensor) -> Scores:
    """The scores that tell validation pictures apart best; the first of equals."""
    made = [maker() for maker in makers]
    rates = [accuracy(scores, features, labels) for scores in made]
    return made[rates.index(max(rates))]
