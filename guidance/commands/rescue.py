"""python -m guidance rescue: a picture of a prompt, the words that it neglects, and one in which they count."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from explain import load
from explain.commands.console import Progress, check_outputs, ended
from explain.inputs.content_words import NEGLECTED
from guidance.checks import without_effect
from guidance.commands.runs import check_picture, fill, for_generator, run_again, write_run
from guidance.generators.base import Generator
from guidance.generators.catalogue import GENERATORS
from guidance.generators.loading import open_generator
from guidance.generators.memory import GenerationOutOfMemory
from guidance.generators.sampling import Sampling
from guidance.records import with_rescue_settings
from guidance.rescuing import RescueSettings, RescueStep, find_rescue, rescue


def main(arguments: Sequence[str]) -> int:
    """0 when done; 2 after one line on stderr that says what is wrong, 130 after one that says it was interrupted."""
    options = _parser().parse_args(arguments)
    errors = (ValueError, OSError, GenerationOutOfMemory)
    progress = Progress()
    return ended("guidance rescue", lambda: _rescued(options, progress), progress, errors=errors)


def _rescued(options: argparse.Namespace, progress: Progress) -> str:
    """Makes and writes both pictures, one where no word is neglected, and returns what to print about them."""
    outputs = options.output, options.rescued
    check_outputs((*outputs, options.json_file))
    for path in outputs:
        check_picture(path)
    if outputs[0].absolute() == outputs[1].absolute():
        raise ValueError(f"both pictures are {str(outputs[0])!r}; allowed: two files")
    again = _filled(options)
    generator = open_generator(options.generator, options.device)
    clip = load(options.clip, options.device)
    sampling, settings = _chosen(options, again, generator)
    ends = []
    for step in rescue(generator, clip, options.prompt, options.seed, sampling, settings):
        progress("rescued" if step.rescued else "before", step.index, step.total)
        if step.finished:
            ends.append(step)
    for note in dict.fromkeys(note for end in ends for note in end.notes):
        progress.note(f"note: {note}")
    asked = {"prompt": options.prompt, "generator": options.generator, "clip": options.clip}
    chosen = {"seed": options.seed, "sampling": asdict(sampling), "settings": asdict(settings)}
    record = asked | chosen | _record(ends)
    said = []
    for end, path in zip(ends, outputs, strict=False):
        write_run([end.image], record, path)
        said += [_said(end), f"wrote {path}"]
    text = json.dumps(record, indent=2, ensure_ascii=False)
    if options.json_file is not None:
        options.json_file.write_text(text + "\n", encoding="utf-8")
    return text if options.json else "\n".join(said)


def _said(end: RescueStep) -> str:
    assert end.reading is not None
    name = "rescued" if end.rescued else "before"
    words = ", ".join(f"{word.text} {word.height:.2f}" for word in end.reading.words)
    weak = ", ".join(end.neglected) or "none"
    return f"{name}: similarity {end.reading.similarity:.3f}; neglected: {weak}; relevance of words: {words}"


def _record(ends: Sequence[RescueStep]) -> dict[str, Any]:
    """`rescued` is None where no word was neglected."""
    found: dict[str, Any] = {"before": None, "rescued": None}
    for end in ends:
        assert end.reading is not None
        words = [
            {"word": word.text, "share": round(word.share, 4), "height": round(word.height, 4)}
            for word in end.reading.words
        ]
        found["rescued" if end.rescued else "before"] = {
            "similarity": round(end.reading.similarity, 4),
            "neglected": list(end.neglected),
            "words": words,
        }
    return found


def _filled(options: argparse.Namespace) -> dict[str, Any]:
    """The run that is made again, if there is one, which also gives what the options leave open; with a generator of
    its own a rescue has none of the other's settings, and not its guide.
    """
    record = for_generator(options, run_again(options.source, "rescue", "rescued"))
    fill(options, record, prompt=None)
    if options.prompt is None:
        raise ValueError("it is not said what is to be seen; allowed: --prompt, or --from a run")
    return record


def _chosen(
    options: argparse.Namespace, again: Mapping[str, Any], generator: Generator
) -> tuple[Sampling, RescueSettings]:
    """The generator's own, with what the run that is made again and the options change in them."""
    sampling, settings = with_rescue_settings(*find_rescue(generator), again)
    if generator.kind != "diffusion":
        without_effect(
            options, ("candidates", "weight"), f"with {options.generator}, which begins without noise"
        )
    names = ("steps", "candidates", "weight")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.lambda_words is not None:
        settings = replace(settings, objective=replace(settings.objective, weight=options.lambda_words))
    if options.threshold is not None:
        settings = replace(settings, threshold=options.threshold)
    return replace(sampling, **given), settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m guidance rescue",
        description="Make a picture of a prompt, and again with the words in mind that it neglects.",
    )
    parser.add_argument("--prompt", help="what is to be seen")
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="RUN", help="make a rescue again: its JSON or PNG"
    )
    parser.add_argument("--generator", help=f"one of {', '.join(GENERATORS)}, or a folder (default: toy-sd)")
    parser.add_argument("--clip", help="the model that reads (default: the generator's own, else toy-vit)")
    parser.add_argument("--seed", type=int, help="the same seed makes the same pictures (default: 0)")
    parser.add_argument("--lambda", dest="lambda_words", type=float, help="of the words; 0 leaves them out")
    parser.add_argument(
        "--threshold",
        type=float,
        help=f"words below this share of the strongest are neglected (default: {NEGLECTED})",
    )
    parser.add_argument("--candidates", type=int, help="noises that the second picture chooses from")
    parser.add_argument("--steps", type=int, help="of each picture")
    parser.add_argument("--weight", type=float, help="0 makes the first picture again")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: auto)")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("before.png"),
        help="the first picture (default: before.png)",
    )
    parser.add_argument(
        "--rescued", type=Path, default=Path("after.png"), help="the second (default: after.png)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--json-file", type=Path, help="write JSON here")
    return parser
