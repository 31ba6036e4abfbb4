"""python -m guidance evaluate-tuning: does it help to make names count? Against all that one would do else."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from explain import load
from explain.commands.console import Progress, check_outputs, ended
from guidance.checks import whole
from guidance.commands.options import add_outputs, printed
from guidance.evaluation.tuning.run import WEIGHTS, Plan, run
from guidance.evaluation.tuning.text import as_text
from guidance.tuning.examples import PER_CLASS

MAX_SEEDS = 1000
MAX_PICTURES = 10_000


def main(arguments: Sequence[str]) -> int:
    """0 when done; 2 after one line on stderr that says what is wrong, 130 after one that says it was interrupted."""
    options = _parser().parse_args(arguments)
    progress = Progress()
    return ended("guidance evaluate-tuning", lambda: _measured(options, progress), progress, options.work)


def _measured(options: argparse.Namespace, progress: Progress) -> str:
    check_outputs((options.json_file,), [(options.work, "what is finished")])
    plan = Plan(
        options.data,
        tuple(options.tasks),
        whole("seeds", options.seeds, 2, MAX_SEEDS),
        whole("map-seeds", options.map_seeds, 0, MAX_SEEDS),
        whole("phrasing-seeds", options.phrasing_seeds, 0, MAX_SEEDS),
        tuple(options.weights),
        whole("pictures", options.pictures, 1, MAX_PICTURES),
    )
    report = run(load(options.model, options.device), plan, options.work, progress)
    return printed(options, report, as_text(report))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m guidance evaluate-tuning",
        description="Measure prompt tuning with and without the loss on names, seed by seed.",
    )
    add = parser.add_argument
    add("--model", default="toy-vit", help="a name, or a model directory (default: toy-vit)")
    add("--data", default="toyland", help="a package that has tasks (default: toyland)")
    add("--tasks", nargs="*", default=(), metavar="TASK", help="default: all")
    add("--seeds", type=int, default=10, help="of what is compared (default: 10)")
    add("--map-seeds", type=int, default=5, help="of the other ways to tune; 0: none (default: 5)")
    add("--phrasing-seeds", type=int, default=1, help="for each phrasing to begin with; 0: none (default: 1)")
    add(
        "--weights",
        nargs="*",
        type=float,
        default=WEIGHTS,
        metavar="LAMBDA",
        help="above 0; one is chosen on validation pictures",
    )
    add("--pictures", type=int, default=PER_CLASS, help=f"of a class in every set (default: {PER_CLASS})")
    add("--device", default="auto", help="auto, cpu, cuda (default: auto)")
    add_outputs(parser)
    return parser
