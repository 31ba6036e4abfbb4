"""The costs of guidance/, measured: python -m benchmarks.guidance [--json] [--only a,b] [--pairs 3] [--steps N].

Always 4 views, guidance on every step, classifier-free guidance on, 2 boxes. Random weights of the real shapes: speed
does not depend on them.

(a) toy-sd, preset best: seconds to the finished picture, guided by toy-vit                      <= 10 s on 2 cores
(b) the same: seconds to the first preview                                                       <= 1.5 s
(c) a guided step / an unguided one, for each built-in generator and map; no candidates          (no aim)
(d) a step guided through the UNet, checkpointed / one on the predicted picture; no candidates   >= 1.6
(e) growth of the process over 20 guided pictures                                                < 2 %
(f) Stable Diffusion 1.5's shape (512 px, fp16, on a GPU; 256 px, fp32, on a CPU), ViT-B-16, TAESD's shape:
    30 guided steps, and the peak of memory                                                      <= 6 s, <= 12 GiB
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks import memory
from benchmarks.explain import random_clip
from benchmarks.pairs import Result, paired
from benchmarks.shapes import sd_15, toy_sd, toy_vqgan
from explain import load
from explain.clip.model import Clip
from guidance.generating import Step, generate
from guidance.generators.base import Generator
from guidance.generators.sampling import Sampling
from guidance.layout.parsing import Box, Layout, targets
from guidance.objectives.heatmaps import HEATMAPS, refusal
from guidance.objectives.settings import ObjectiveSettings
from guidance.presets import PRESETS

LAYOUT = Layout(
    "a red cat and a blue car on the grass",
    targets([Box("red cat", 0.05, 0.3, 0.45, 0.8), Box("blue car", 0.55, 0.4, 0.95, 0.8)]),
)
VIEWS = 4
RUNS = 20
MEMORY_GIB = 12.0


def everywhere(sampling: Sampling, **changes: Any) -> Sampling:
    """A sampling with guidance on every step."""
    return replace(sampling, **{"guide_from": 0.0, "guide_to": 1.0, "guide_every": 1, **changes})


def best(kind: str = "diffusion") -> tuple[Sampling, ObjectiveSettings]:
    """Returns the settings of preset `best`, with 4 views and guidance on every step."""
    preset = PRESETS[kind]["best"]
    return everywhere(preset.sampling), replace(preset.objective, views=VIEWS)


def picture(generator: Generator, clip: Clip, steps: int | None) -> Iterator[Result]:
    """(a) and (b): a picture from the click to the end, and to its first preview."""
    sampling, objective = best()
    if steps is not None:
        sampling = replace(sampling, steps=steps)
    _finished(generate(generator, clip, LAYOUT, 0, replace(sampling, steps=1), objective))  # warm
    began = time.perf_counter()
    run = generate(generator, clip, LAYOUT, 0, sampling, objective)
    next(run)
    first = time.perf_counter() - began
    _finished(run)
    details = {"steps": sampling.steps, "heatmap": objective.heatmap}
    yield Result("a", "toy-sd, preset best: a picture", time.perf_counter() - began, 10, False, "s", details)
    yield Result("b", "toy-sd, preset best: the first preview", first, 1.5, False, "s", details)


def maps(generators: dict[str, Generator], clip: Clip, pairs: int) -> Iterator[Result]:
    """(c): a guided step beside an unguided one; a VQGAN's beside one whose objective looks at no map."""
    for name, generator in generators.items():
        sampling, objective = best("vqgan" if name == "toy-vqgan" else "diffusion")
        sampling = replace(sampling, steps=2, candidates=1)
        plain: Callable[[], Step]
        if name == "toy-vqgan":
            mapless = replace(objective, lambda0=0.0, coverage_weight=0.0)
            plain = _run(generator, clip, sampling, mapless)
        else:
            plain = _run(generator, clip, replace(sampling, mode="off"), objective)
        for heatmap in HEATMAPS:
            if refusal(clip, heatmap) is not None:
                continue
            guided = _run(generator, clip, sampling, replace(objective, heatmap=heatmap))
            ratio, mine, other = paired(guided, plain, pairs)
            what = f"{name}, {heatmap}: guided / {'mapless' if name == 'toy-vqgan' else 'unguided'} step"
            yield Result("c", what, ratio, float("inf"), False, "times", {"guided_s": mine, "plain_s": other})


def through_unet(generator: Generator, clip: Clip, pairs: int) -> Result:
    """(d): what it saves to guide on the predicted picture."""
    sampling, objective = best()
    sampling = replace(sampling, steps=2, candidates=1)
    latent = _run(generator, clip, replace(sampling, mode="latent"), objective)
    x0 = _run(generator, clip, replace(sampling, mode="x0"), objective)
    ratio, mine, other = paired(latent, x0, pairs)
    return Result("d", "through the UNet / x0", ratio, 1.6, True, "times", {"latent_s": mine, "x0_s": other})


def growth(generator: Generator, clip: Clip, runs: int = RUNS) -> Result:
    """(e): what the process holds after many pictures, beside what it held after two."""
    sampling, objective = best()
    run = _run(generator, clip, replace(sampling, steps=2), objective)
    sizes = []
    for _ in range(runs):
        run()
        gc.collect()
        sizes.append(_resident())
    grown = 100 * (sizes[-1] / sizes[1] - 1)
    return Result("e", f"growth over {runs} pictures", grown, 2, False, "%", {"bytes": sizes[-1]})


def real(device: torch.device, steps: int) -> Iterator[Result]:
    """(f): the real sizes, with random weights."""
    pixels = 512 if device.type == "cuda" else 256
    generator = sd_15(device, pixels)
    clip = random_clip("ViT-B-16")[0]
    clip.model.to(device)
    objective = ObjectiveSettings(views=VIEWS)
    sampling = everywhere(Sampling(), steps=1, size=(pixels, pixels))
    run = _run(generator, clip, sampling, objective)
    most = memory.peak(run, device) + sum(
        p.numel() * p.element_size() for p in generator.pipe.unet.parameters()
    )
    began = time.perf_counter()
    _run(generator, clip, replace(sampling, steps=steps), objective)()
    taken = (time.perf_counter() - began) / steps * 30
    details = {"pixels": pixels, "device": str(device), "steps_run": steps}
    limit = 6.0 if device.type == "cuda" else float("inf")
    yield Result("f", "Stable Diffusion 1.5's shape: 30 guided steps", taken, limit, False, "s", details)
    if device.type == "cuda":
        yield Result("f", "the same: memory", most / 2**30, MEMORY_GIB, False, "GiB", details)


def _run(
    generator: Generator, clip: Clip, sampling: Sampling, objective: ObjectiveSettings
) -> Callable[[], Step]:
    return lambda: _finished(generate(generator, clip, LAYOUT, 0, sampling, objective))


def _finished(steps: Iterator[Step]) -> Step:
    *_, last = steps
    return last


def _resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what guidance costs.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", default="a,b,c,d,e,f", help="letters, e.g. a,b (default: all)")
    parser.add_argument("--pairs", type=int, default=3, help="pairs per median (default: 3)")
    parser.add_argument("--steps", type=int, help="of (a), in place of the preset's")
    chosen = parser.parse_args()
    wanted = set(chosen.only.split(","))
    if not wanted <= set("abcdef"):
        parser.error(f"--only is {chosen.only!r}; allowed: letters from a to f with commas")
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        for result in _wanted(wanted, Path(folder), chosen.pairs, chosen.steps):
            results.append(result)
            print(result.line(), file=sys.stderr, flush=True)
    machine = {"torch": torch.__version__, "threads": torch.get_num_threads(), "cores": os.cpu_count()}
    if chosen.json:
        rows = [result.as_record() for result in results]
        print(json.dumps({"machine": machine, "results": rows}, indent=2))
    else:
        print("\n".join(result.line() for result in results))


def _wanted(wanted: set[str], folder: Path, pairs: int, steps: int | None) -> Iterator[Result]:
    if wanted & set("abcde"):
        clip, sd = load("toy-vit", "cpu"), toy_sd(folder / "toy-sd")
        if wanted & {"a", "b"}:
            yield from picture(sd, clip, steps)
        if "c" in wanted:
            yield from maps({"toy-sd": sd, "toy-vqgan": toy_vqgan(folder / "toy-vqgan")}, clip, pairs)
        if "d" in wanted:
            yield through_unet(sd, clip, pairs)
        if "e" in wanted:
            yield growth(sd, clip)
    if "f" in wanted:
        gpu = torch.cuda.is_available()
        yield from real(torch.device("cuda" if gpu else "cpu"), 30 if gpu else 2)


if __name__ == "__main__":
    main()
