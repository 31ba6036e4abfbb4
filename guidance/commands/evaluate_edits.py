"""python -m guidance evaluate-edits: do edits do what they say? As a table, JSON and a sheet of pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from explain.commands.console import Progress, check_outputs, ended
from guidance.commands.options import add_models, add_outputs, opened, printed
from guidance.editing.settings import WAYS, find_edit
from guidance.evaluation.edit_report import as_text, run
from guidance.evaluation.edits import EditPlan
from guidance.evaluation.sheet import save_sheet
from guidance.generators.memory import GenerationOutOfMemory

EDITS = 200


def main(arguments: Sequence[str]) -> int:
    """0 when done; 2 after one line on stderr that says what is wrong, 130 after one that says it was interrupted."""
    options = _parser().parse_args(arguments)
    progress = Progress()
    errors = (ValueError, OSError, GenerationOutOfMemory)
    return ended(
        "guidance evaluate-edits", lambda: _measured(options, progress), progress, options.work, errors
    )


def _measured(options: argparse.Namespace, progress: Progress) -> str:
    """The report as it is printed; what was asked for in files is written."""
    plan = EditPlan(options.data, options.split, options.edits, options.first)
    check_outputs(
        (options.json_file,), [(options.figures, "the pictures"), (options.work, "what is finished")]
    )
    generator, clip, judge = opened(options)
    settings = find_edit(generator, options.way)
    if options.steps is not None:
        settings = replace(settings, sampling=replace(settings.sampling, steps=options.steps))
    if options.lambda_words is not None:
        settings = replace(settings, objective=replace(settings.objective, weight=options.lambda_words))
    given = (plan, options.conditions, options.work, judge, progress, progress.note)
    report, shown = run(generator, clip, settings, *given)
    if options.figures is not None:
        save_sheet(shown, options.figures)
    return printed(options, report, as_text(report))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m guidance evaluate-edits",
        description="Measure whether edited pictures show what was asked for, by a detector that did not guide.",
    )
    add_models(parser, "edits")
    parser.add_argument("--edits", type=int, default=EDITS, help=f"how many (default: {EDITS})")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first edit's number")
    parser.add_argument("--way", help=f"of {', '.join(WAYS)} (default: the generator's first)")
    parser.add_argument(
        "--conditions", nargs="*", default=(), metavar="NAME", help="what is compared (default: all)"
    )
    parser.add_argument("--steps", type=int, help="in place of the settings'")
    parser.add_argument("--lambda", dest="lambda_words", type=float, help="in place of the settings'")
    add_outputs(parser)
    parser.add_argument(
        "--figures", type=Path, metavar="DIR", help="a sheet of pictures (PNG) in this folder"
    )
    return parser
