"""python -m guidance evaluate-rescue: are both things there once neglected words were rescued? As a table and JSON."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from explain.commands.console import Progress, check_outputs, ended
from guidance.commands.options import add_models, add_outputs, opened, printed
from guidance.evaluation.rescue_report import as_text, report
from guidance.evaluation.rescues import RescuePlan, RescueRuns
from guidance.generators.memory import GenerationOutOfMemory
from guidance.rescuing import find_rescue

PROMPTS = 64


def main(arguments: Sequence[str]) -> int:
    """0 when done; 2 after one line on stderr that says what is wrong, 130 after one that says it was interrupted."""
    options = _parser().parse_args(arguments)
    progress = Progress()
    errors = (ValueError, OSError, GenerationOutOfMemory)
    return ended(
        "guidance evaluate-rescue", lambda: _measured(options, progress), progress, options.work, errors
    )


def _measured(options: argparse.Namespace, progress: Progress) -> str:
    """The report as it is printed; what was asked for in files is written."""
    plan = RescuePlan(options.data, options.split, options.prompts, options.first, options.batch)
    check_outputs((options.json_file,), [(options.work, "what is finished")])
    generator, clip, judge = opened(options)
    sampling, settings = find_rescue(generator)
    given = {
        name: getattr(options, name) for name in ("steps", "candidates") if getattr(options, name) is not None
    }
    sampling = replace(sampling, **given)
    if options.lambda_words is not None:
        settings = replace(settings, objective=replace(settings.objective, weight=options.lambda_words))
    made = (sampling, settings, plan, options.work, progress, progress.note)
    found = report(RescueRuns(generator, clip, judge, *made))
    return printed(options, found, as_text(found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m guidance evaluate-rescue",
        description="Measure whether rescued pictures show what a prompt says, by a detector that did not guide.",
    )
    add_models(parser, "layouts")
    parser.add_argument(
        "--prompts", type=int, default=PROMPTS, help=f"of two things each (default: {PROMPTS})"
    )
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first prompt's number")
    parser.add_argument("--lambda", dest="lambda_words", type=float, help="in place of the settings'")
    parser.add_argument("--candidates", type=int, help="in place of the settings'")
    parser.add_argument("--steps", type=int, help="in place of the settings'")
    parser.add_argument("--batch", type=int, default=8, help="pictures made at once (default: 8)")
    add_outputs(parser)
    return parser
