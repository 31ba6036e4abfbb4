"""Costs of a step of prompt tuning: python -m benchmarks.tuning [--json] [--classes 20] [--batch 20] [--pairs 3].

A step with the loss on names, on ViT-B-32 with random weights: C classes with 16 learnt tokens, B pictures whose
features are known. Beside it, on the same weights:

    (a) one text forward and B + 1 text backwards: the prompts through the tower of open_clip, all 77 tokens, and their
        gradient at the embeddings                                                                  step / this <= 1.3
    (b) the same, of as many tokens as the prompts have, through the same fused attention              step / this
    (c) the released scheme: every picture goes through the image tower once for every class, in every step, and the
        attentions of all 77 tokens are open (here with one backward for all layers, where the released code has one for
        each)                                                                                       this / step >= 3
    (d) a step of CoOp, lambda 0                                                                       step / this

Times are medians of pairs run in turn in one process, on a GPU where there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.explain import random_clip
from benchmarks.pairs import Result, paired
from explain import towers
from explain.clip.model import Clip
from explain.relevance.texts import RecordedTexts, token_rows
from explain.towers.attention import AttentionRecorder
from guidance.tuning.crops import ViewBank
from guidance.tuning.losses import explanation_loss
from guidance.tuning.prompt_learner import PromptLearner
from guidance.tuning.settings import TuningSettings
from guidance.tuning.tune import tune_prompt

STEP_AIM, RELEASED_AIM = 1.3, 3.0


class Bench:
    """One model with C classes and B pictures; every method is one step of some scheme."""

    def __init__(self, clip: Clip, classes: int, batch: int) -> None:
        self.clip = clip
        self.learner = PromptLearner(clip, [f"thing number {number}" for number in range(classes)])
        self.images = torch.randn(batch, 3, *clip.size).to(clip.model.logit_scale)
        self.labels = torch.arange(batch, device=clip.device) % classes
        self.bank = ViewBank(clip, ())
        with torch.no_grad():
            self.bank.features = clip.encode_images(self.images)[:, None]
        self.bank.pictures = tuple(range(batch))
        self._runs = {weight: self._endless(weight) for weight in (0.0, 1.0)}

    def step(self) -> None:
        """With the loss on names."""
        next(self._runs[1.0])
        self._wait()

    def coop(self) -> None:
        next(self._runs[0.0])
        self._wait()

    def passes(self, whole: bool = True) -> None:
        """One text forward and B + 1 backwards; `whole`: of all tokens of the context."""
        embeddings = self.learner.embeddings().detach().requires_grad_()
        with torch.enable_grad():
            features = self._stock(embeddings) if whole else self._features(embeddings)
        for _ in range(len(self.images) + 1):
            torch.autograd.grad(features.sum(), embeddings, retain_graph=True)
        self._wait()

    def released(self) -> None:
        """The loss and its gradient, one picture after another through both towers."""
        learner, classes = self.learner, len(self.learner.names)
        learner.context.grad = None
        with torch.enable_grad():
            with AttentionRecorder() as recorder:
                features = F.normalize(self._stock(learner.embeddings()), dim=-1)
            rows = towers.pooled_rows(self.clip.model, learner.texts)
            recorded = RecordedTexts(features, tuple(recorder.probs), rows, learner.texts.shape[1])
            shares, logits = [], []
            for image in self.images:
                with torch.no_grad():
                    seen = self.clip.encode_images(image.expand(classes, -1, -1, -1))
                score = (seen * features).sum() * self.clip.logit_scale
                grads = torch.autograd.grad(score, recorded.probs, retain_graph=True)
                tokens = token_rows(self.clip, recorded, grads, True, "sum")
                shares.append(tokens.masked_fill(~learner.name_tokens, 0).amax(-1))
                logits.append(self.clip.logit_scale * seen[0] @ features.T)
            loss = F.cross_entropy(torch.stack(logits), self.labels)
            (loss + explanation_loss(torch.stack(shares), self.labels)).backward()
        self._wait()

    def _endless(self, weight: float) -> Iterator[object]:
        settings = TuningSettings(weight=weight, batch=len(self.images), epochs=1000)
        learner = PromptLearner(self.clip, self.learner.names)
        return tune_prompt(learner, self.bank, self.labels.tolist(), settings)

    def _features(self, embeddings: Tensor) -> Tensor:
        return towers.text_features(self.clip.model, self.learner.texts, embeddings)

    def _stock(self, embeddings: Tensor) -> Tensor:
        """As open_clip's `encode_text`, all tokens to the end of the context, from embeddings."""
        model = self.clip.model
        x = model.transformer(embeddings + model.positional_embedding, attn_mask=model.attn_mask)
        x = model.ln_final(x)[torch.arange(len(x)), towers.pooled_rows(model, self.learner.texts)]
        return x @ model.text_projection

    def _wait(self) -> None:
        if self.clip.device.type == "cuda":
            torch.cuda.synchronize(self.clip.device)


def measured(bench: Bench, pairs: int) -> Iterator[Result]:
    """The four rows."""
    size = {"classes": len(bench.learner.names), "batch": len(bench.images)}

    def row(
        aim: str,
        what: str,
        first: Callable[[], None],
        second: Callable[[], None],
        limit: float = float("inf"),
        at_least: bool = False,
    ) -> Result:
        ratio, mine, other = paired(first, second, pairs)
        details = {"first_seconds": mine, "second_seconds": other, **size}
        return Result(aim, what, ratio, limit, at_least, "times", details)

    count = len(bench.images) + 1
    yield row("a", f"step / (1 forward + {count} backwards)", bench.step, bench.passes, STEP_AIM)
    yield row("b", "the same, prompts as short as they are", bench.step, lambda: bench.passes(False))
    yield row("c", "released scheme / step", bench.released, bench.step, RELEASED_AIM, at_least=True)
    yield row("d", "step / step of CoOp", bench.step, bench.coop)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a step of prompt tuning costs.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--model", default="ViT-B-32", help="architecture (default: ViT-B-32)")
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=3, help="pairs per median (default: 3)")
    chosen = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    clip = random_clip(chosen.model)[0]
    bench = Bench(replace(clip, model=clip.model.to(device)), chosen.classes, chosen.batch)
    results = []
    for result in measured(bench, chosen.pairs):
        results.append(result)
        print(result.line(), file=sys.stderr, flush=True)
    machine = {"torch": torch.__version__, "threads": torch.get_num_threads(), "cores": os.cpu_count()}
    machine |= {"model": chosen.model, "device": device.type}
    if chosen.json:
        rows = [result.as_record() for result in results]
        print(json.dumps({"machine": machine, "results": rows}, indent=2))
    else:
        print("\n".join(result.line() for result in results))


if __name__ == "__main__":
    main()
