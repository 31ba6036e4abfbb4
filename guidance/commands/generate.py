"""python -m guidance generate: a picture of boxes and phrases, with the run as a GIF and as JSON."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from explain import load
from explain.commands.console import Progress, check_outputs, ended
from guidance.checks import shown
from guidance.commands.runs import check_picture, fill, write_run
from guidance.generating import Step, generate
from guidance.generators.base import Generator
from guidance.generators.catalogue import GENERATORS
from guidance.generators.loading import open_generator
from guidance.generators.memory import GenerationOutOfMemory
from guidance.layout.parsing import Layout, parse_box, read_region
from guidance.presets import Preset, find_preset
from guidance.records import (
    Recipe,
    as_record,
    make_layout,
    places_of,
    read_record,
    with_settings,
)
from guidance.rescuing import BoxesAndWords


def main(arguments: Sequence[str]) -> int:
    """0 when done; 2 after one line on stderr that says what is wrong, 130 after one that says it was interrupted."""
    options = _parser().parse_args(arguments)
    errors = (ValueError, OSError, GenerationOutOfMemory)
    return ended("guidance generate", lambda: _made(options), Progress(), errors=errors)


def _made(options: argparse.Namespace) -> str:
    """Makes the picture, writes all outputs that were asked for, and returns the lines to print about it."""
    check_outputs((options.output, options.gif, options.json))
    check_picture(options.output)
    again = _filled(options)
    layout, notes = _layout(options, again)
    generator = open_generator(options.generator, options.device)
    clip = load(options.clip, options.device)
    preset = _preset(options, again, generator)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    words, objective = tuple(again["words"]), preset.objective
    judge = BoxesAndWords(clip, layout, words, options.seed, objective) if words else objective
    steps = _followed(generate(generator, clip, layout, options.seed, preset.sampling, judge))
    record = as_record(Recipe(layout, options.generator, options.clip, options.seed, preset, words), steps)
    write_run([step.image for step in steps], record, options.output, options.gif, options.json)
    said = [
        f"{reading.phrase}: similarity {reading.similarity:.3f}, share of its map inside {reading.share_inside:.0%}"
        for reading in steps[-1].readings
    ]
    return "\n".join([*said, f"wrote {options.output}"])


def _followed(steps: Any) -> list[Step]:
    """All steps of a run, with a line on the terminal that counts them."""
    found, began, shown = [], time.monotonic(), sys.stderr.isatty()
    for step in steps:
        found.append(step)
        if not step.index:
            for note in step.notes:
                print(f"note: {note}", file=sys.stderr)
        if shown:
            left = (time.monotonic() - began) / (step.index + 1) * (step.total - step.index)
            end = "\n" if step.finished else ""
            print(
                f"\rstep {step.index} of {step.total}, {left:.0f} s left ",
                end=end,
                file=sys.stderr,
                flush=True,
            )
    return found


def _filled(options: argparse.Namespace) -> dict[str, Any]:
    """The run that is made again, empty if there is none; what the options leave open is taken from there."""
    record = {} if options.source is None else read_record(options.source)
    # With a prompt of its own, nor the words of the other's.
    words = [] if options.prompt else record.get("words", [])
    if not isinstance(words, list):
        raise ValueError(f"the words are {shown(words)}; allowed: a list of words")
    # With a preset of its own, a run keeps nothing of the other's settings.
    settings = {} if options.preset else {name: record.get(name, {}) for name in ("sampling", "objective")}
    fill(options, record, prompt=None, preset="best")
    return {name: record.get(name, []) for name in ("boxes", "masks")} | settings | {"words": words}


def _layout(options: argparse.Namespace, record: dict[str, Any]) -> tuple[Layout, list[str]]:
    """Returns the layout that the record and the options ask for, and notes on what was put right."""
    places, notes = places_of(record)
    for written in options.box:
        box, said = parse_box(written)
        places.append(box)
        notes += said
    places += [read_region(phrase, path) for phrase, path in options.mask]
    return make_layout(options.prompt, places), notes


def _preset(options: argparse.Namespace, record: dict[str, Any], generator: Generator) -> Preset:
    """The preset, with what the run that is made again and the options change in it."""
    preset = with_settings(find_preset(options.preset, generator), record)
    changes = {
        name: getattr(options, name) for name in ("steps", "weight") if getattr(options, name) is not None
    }
    return replace(preset, sampling=replace(preset.sampling, **changes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m guidance generate", description="Make a picture with every object in its box."
    )
    parser.add_argument("--prompt", help="the whole scene (default: the boxes' phrases)")
    parser.add_argument(
        "--box",
        action="append",
        default=[],
        metavar="'PHRASE: LEFT, TOP, RIGHT, BOTTOM'",
        help="in fractions of the picture; may be given several times",
    )
    parser.add_argument(
        "--mask", action="append", default=[], nargs=2, metavar=("PHRASE", "PNG"), help="a place of any shape"
    )
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="RUN", help="make a run again: its JSON or PNG"
    )
    parser.add_argument("--generator", help=f"one of {', '.join(GENERATORS)}, or a folder (default: toy-sd)")
    parser.add_argument(
        "--clip", help="the model that guides: a name or folder (default: the generator's own, else toy-vit)"
    )
    parser.add_argument("--preset", help="paper, fast or best (default: best)")
    parser.add_argument("--steps", type=int, help="in place of the preset's")
    parser.add_argument("--weight", type=float, help="of the guidance; 0 leaves the picture unguided")
    parser.add_argument("--seed", type=int, help="the same seed makes the same picture (default: 0)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: auto)")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("out.png"), help="the picture (default: out.png)"
    )
    parser.add_argument("--gif", type=Path, help="the run as an animation")
    parser.add_argument("--json", type=Path, help="the run as JSON, which --from reads")
    return parser
