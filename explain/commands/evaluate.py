"""python -m explain evaluate: every method of a model on labelled pictures, as a table, JSON, CSV and figures."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from explain.clip.loading import load
from explain.commands.console import Progress, check_outputs, ended
from explain.evaluation.measurement import Plan
from explain.evaluation.report import Report, run
from explain.evaluation.resumable import write
from explain.evaluation.text import as_text


def main(arguments: Sequence[str]) -> int:
    """0 when done; 2 after one line on stderr that says what is wrong, 130 after one that says it was interrupted."""
    options = _parser().parse_args(arguments)
    progress = Progress()
    return ended("explain evaluate", lambda: _measured(options, progress), progress, options.work)


def _measured(options: argparse.Namespace, progress: Progress) -> str:
    """The report as it is printed; what was asked for in files is written."""
    plan = Plan(
        options.data,
        options.split,
        options.pictures,
        tuple(options.methods),
        options.faithful,
        options.randomised,
        options.shift,
    )
    check_outputs((options.json_file, options.csv), [(options.figures, "the figures")])
    clip = load(options.model, options.device)
    report = run(clip, plan, options.work, progress, progress.note)
    for path, text in ((options.json_file, as_json(report)), (options.csv, as_csv(report))):
        if path is not None:
            write(path, text)
    if options.figures is not None:
        from explain.evaluation.figures import save_figures

        save_figures(report, options.figures)
    return as_json(report) if options.json else as_text(report)


def as_json(report: Report) -> str:
    return json.dumps(report, indent=2, allow_nan=False)


def as_csv(report: Report) -> str:
    """The table of methods, a line each; empty where a method has no such number."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(report["rows"][0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(report["rows"])
    return text.getvalue()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m explain evaluate",
        description="Measure maps against exact masks, and against the model.",
    )
    parser.add_argument(
        "--data", required=True, help="toyland, photographs, or a folder of PASCAL VOC, COCO or ImageNet-S"
    )
    parser.add_argument("--split", default="test", help="test, validation, and of toyland test-usual")
    parser.add_argument("--model", default="toy-vit", help="a model of the catalogue, or a model directory")
    parser.add_argument("--methods", nargs="*", default=(), help="default: all but the slow ones")
    parser.add_argument("--pictures", type=int, default=1000, help="how many to report (default: 1000)")
    first = "on the first N of them; 0 leaves it out (default: %(default)s)"
    parser.add_argument(
        "--faithful", type=int, default=100, metavar="N", help=f"deletion, insertion and words {first}"
    )
    parser.add_argument(
        "--randomised", type=int, default=100, metavar="N", help=f"against random weights {first}"
    )
    parser.add_argument("--shift", type=int, default=200, metavar="N", help=f"semantic shift {first}")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")
    parser.add_argument(
        "--work", type=Path, metavar="DIR", help="keep what is finished here, and go on from what is here"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--json-file", type=Path, help="write JSON here")
    parser.add_argument("--csv", type=Path, help="write the table of methods here")
    parser.add_argument("--figures", type=Path, metavar="DIR", help="draw figures (PNG) in this folder")
    return parser
