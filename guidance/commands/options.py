"""Options shared by the commands that measure generators: who makes pictures, who guides, who judges, and what is
written.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from explain import load
from explain.clip.model import Clip
from explain.commands.evaluate import as_json
from explain.evaluation.resumable import write
from guidance.evaluation.world import Judge, open_world
from guidance.generators.base import Generator
from guidance.generators.catalogue import GENERATORS
from guidance.generators.loading import open_generator


def add_models(parser: argparse.ArgumentParser, draws: str) -> None:
    """`draws`: what the world is to have, "layouts"."""
    add = parser.add_argument
    add(
        "--generator", default="toy-sd", help=f"one of {', '.join(GENERATORS)}, or a folder (default: toy-sd)"
    )
    add("--clip", default="toy-vit", help="the model that guides (default: toy-vit)")
    add("--detector", type=Path, metavar="DIR", help="the judge (default: the built-in one)")
    add("--data", default="toyland", help=f"a package that draws {draws} (default: toyland)")
    add("--split", default="test", help="test, or validation to choose settings on")
    add("--device", default="auto", help="auto, cpu, cuda (default: auto)")


def add_outputs(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--work", type=Path, metavar="DIR", help="keep what is finished here, and go on from what is here")
    add("--json", action="store_true", help="print JSON")
    add("--json-file", type=Path, help="write JSON here")


def opened(options: argparse.Namespace) -> tuple[Generator, Clip, Judge]:
    """Opens what `add_models` asks for. ValueError for what is not available."""
    judging = open_world(options.data).judging
    clip = load(options.clip, options.device)
    judge = judging.Judge(options.detector, str(clip.device))
    return open_generator(options.generator, options.device), clip, judge


def printed(options: argparse.Namespace, report: dict[str, Any], text: str) -> str:
    """Writes what `add_outputs` asks for, and returns what to print; `text` is the report for people."""
    if options.json_file is not None:
        write(options.json_file, as_json(report))
    return as_json(report) if options.json else text
