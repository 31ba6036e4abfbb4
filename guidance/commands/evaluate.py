"""python -m guidance evaluate: do the things stand in their boxes? As a table, JSON, CSV and a sheet of pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from explain import load
from explain.commands.console import Progress, check_outputs, ended
from explain.commands.evaluate import as_csv
from explain.evaluation.resumable import write
from guidance.commands.options import add_models, add_outputs, opened, printed
from guidance.evaluation.boxes.conditions import NAMES
from guidance.evaluation.boxes.report import run
from guidance.evaluation.boxes.run import Plan
from guidance.evaluation.boxes.text import as_text
from guidance.evaluation.sheet import save_sheet
from guidance.generators.base import Generator
from guidance.generators.memory import GenerationOutOfMemory
from guidance.presets import Preset, find_preset

# The paper's preset takes many steps, so that without --full it is cut.
PAPER_STEPS, PAPER_LAYOUTS = 200, 30
LAYOUTS, SEEDS = 40, 2
FULL_LAYOUTS, FULL_SEEDS = 120, 4


def main(arguments: Sequence[str]) -> int:
    """0 when done; 2 after one line on stderr that says what is wrong, 130 after one that says it was interrupted."""
    options = _parser().parse_args(arguments)
    progress = Progress()
    errors = (ValueError, OSError, GenerationOutOfMemory)
    return ended("guidance evaluate", lambda: _measured(options, progress), progress, options.work, errors)


def _measured(options: argparse.Namespace, progress: Progress) -> str:
    """The report as it is printed; what was asked for in files is written."""
    plan = _plan(options)
    folders = [(options.figures, "the pictures"), (options.work, "what is finished")]
    check_outputs((options.json_file, options.csv), folders)
    named = _witness(options)
    generator, clip, judge = opened(options)
    witness = load(named, options.device)
    preset, whole = _preset(options, generator)
    report, shown = run(generator, clip, witness, preset, plan, options.work, judge, progress, progress.note)
    report["preset_steps"] = whole
    if options.csv is not None:
        write(options.csv, as_csv(report))
    if options.figures is not None:
        save_sheet(shown, options.figures)
    return printed(options, report, as_text(report))


def _plan(options: argparse.Namespace) -> Plan:
    """With the numbers of layouts and seeds that go with the preset, where none are given."""
    layouts = FULL_LAYOUTS if options.full else PAPER_LAYOUTS if options.preset == "paper" else LAYOUTS
    seeds = FULL_SEEDS if options.full else SEEDS
    return Plan(
        options.data,
        options.split,
        layouts if options.layouts is None else options.layouts,
        seeds if options.seeds is None else options.seeds,
        options.first,
        tuple(options.conditions),
        options.batch,
        options.real,
    )


def _witness(options: argparse.Namespace) -> str:
    """The model that looks at the pictures: another one than guides them."""
    witness = options.witness or ("toy-vit" if options.clip == "toy-rn" else "toy-rn")
    if witness == options.clip:
        raise ValueError(f"the witness is {witness!r}, which guides; allowed: another model")
    return witness


def _preset(options: argparse.Namespace, generator: Generator) -> tuple[Preset, int]:
    """The preset, with the steps that it is to be measured at, and how many it has."""
    preset = find_preset(options.preset, generator)
    whole = preset.sampling.steps
    steps = options.steps
    if steps is None:
        steps = min(whole, PAPER_STEPS) if preset.name == "paper" and not options.full else whole
    return replace(preset, sampling=replace(preset.sampling, steps=steps)), whole


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m guidance evaluate",
        description="Measure how well things stand in their boxes, by models that did not guide.",
    )
    add_models(parser, "layouts")
    parser.add_argument(
        "--witness", help="the model that looks at the pictures (default: the other built-in one)"
    )
    parser.add_argument(
        "--layouts", type=int, help=f"default: {LAYOUTS}; {PAPER_LAYOUTS} for the preset paper"
    )
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first layout's number")
    parser.add_argument("--seeds", type=int, help=f"pictures of each layout (default: {SEEDS})")
    parser.add_argument("--preset", default="best", help="paper, fast or best (default: best)")
    parser.add_argument("--steps", type=int, help="in place of the preset's")
    parser.add_argument(
        "--conditions", nargs="*", default=(), metavar="NAME", help=f"of {', '.join(NAMES)} (default: all)"
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help=f"for a GPU: {FULL_LAYOUTS} layouts, {FULL_SEEDS} seeds, and all steps of the preset paper",
    )
    parser.add_argument("--batch", type=int, default=20, help="pictures made at once (default: 20)")
    parser.add_argument("--real", action="store_true", help="rows for real and reconstructed pictures too")
    add_outputs(parser)
    parser.add_argument("--csv", type=Path, help="write the table of conditions here")
    parser.add_argument(
        "--figures", type=Path, metavar="DIR", help="a sheet of pictures (PNG) in this folder"
    )
    return parser
