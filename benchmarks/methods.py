"""Costs of every method on ViT-B-16: python -m benchmarks.methods [--json] [--only NAME ...] [--pairs 5].

Everything is a multiple of one forward and backward of the model by open_clip's own code: one image and one text
through their towers, and the gradient of their cosine at the pixels and at the embeddings of the tokens, weights
frozen.

    time      1 prompt on a picture not seen before, from the PIL picture to its Explanation, words included / baseline
    memory    the peak of that run beyond the model / the baseline's
    10 / 1    10 prompts / 1 prompt on a picture not seen before    <= 3; gradients in all layers <= 6
    compare   all methods at once, but for those with forwards of their own, 1 prompt / baseline    <= 6

Methods that run the model on altered pictures are listed with the number of their image forwards, without an aim.
Weights are random: speed does not depend on them. Times are medians of pairs run in turn in one process, on the CPU
and on a GPU where there is one.
"""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Sequence

import torch

from benchmarks.costs import COMPARE, Bench, Cost, compared
from benchmarks.explain import random_clip
from explain.clip.model import Clip
from explain.methods import METHODS


def names_for(clip: Clip, only: Sequence[str]) -> list[str]:
    """Lists what to measure, the slow ones last. ValueError naming the choices for names that the model lacks."""
    slow = [m.name for m in METHODS.values() if m.supports(clip) is None and m.own_forwards]
    allowed = [*compared(clip), COMPARE, *slow]
    unknown = [name for name in only if name not in allowed]
    if unknown:
        raise ValueError(
            f"cannot measure {', '.join(unknown)} with {clip.name}; allowed: {', '.join(allowed)}"
        )
    return [name for name in allowed if name in only] if only else allowed


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what every method costs.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=f"methods, or {COMPARE}")
    parser.add_argument("--model", default="ViT-B-16", help="architecture (default: ViT-B-16)")
    parser.add_argument("--pairs", type=int, default=5, help="pairs per median (default: 5)")
    chosen = parser.parse_args()
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    costs: list[Cost] = []
    for device in devices:
        bench = Bench(random_clip(chosen.model)[0], torch.device(device), chosen.pairs)
        try:
            names = names_for(bench.clip, chosen.only)
        except ValueError as error:
            parser.error(str(error))
        for name in names:
            costs.append(bench.cost(name))
            print(table(costs)[-1], file=sys.stderr, flush=True)  # it takes minutes: what is known so far
    machine = {"torch": torch.__version__, "threads": torch.get_num_threads(), "cores": os.cpu_count()}
    if chosen.json:
        rows = [{**dataclasses.asdict(cost), "met": cost.met} for cost in costs]
        print(json.dumps({"machine": machine, "model": chosen.model, "results": rows}, indent=2))
    else:
        print(", ".join(f"{name} {value}" for name, value in {**machine, "model": chosen.model}.items()))
        print("\n".join(table(costs)))


def table(costs: Sequence[Cost]) -> list[str]:
    """Lines for a terminal."""
    head = ("method", "device", "s", "time", "MB", "memory", "10 / 1", "aim", "", "forwards")
    rows = [head]
    for c in costs:
        aim = "" if c.aim is None else f"<= {c.aim:g}"
        met = {None: "", True: "met", False: "MISSED"}[c.met]
        many = "" if c.many is None else f"{c.many:.2f}"
        numbers = (f"{c.seconds:.3g}", f"{c.time:.2f}", f"{c.megabytes:.0f}", f"{c.memory:.2f}")
        rows.append(
            (c.name, c.device, *numbers, many, aim, met, "" if c.forwards is None else str(c.forwards))
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if column in (0, 1, 8) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


if __name__ == "__main__":
    main()
