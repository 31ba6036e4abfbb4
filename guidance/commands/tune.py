"""python -m guidance tune: prompts learnt from a few pictures of each class, with and without the loss on names."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from explain import load
from explain.commands.console import Progress, check_outputs, ended
from explain.commands.evaluate import as_json
from explain.evaluation.resumable import write
from guidance.checks import whole
from guidance.evaluation.tuning import report, rivals
from guidance.evaluation.tuning.measure import Record, measured, tuned_alike
from guidance.tuning.examples import Examples, open_examples
from guidance.tuning.nearest_words import nearest_words
from guidance.tuning.prompt_learner import POSITIONS, ContextSettings, name_notes
from guidance.tuning.saved import save_context
from guidance.tuning.settings import TuningSettings, Variant

MAX_SEEDS = 1000


def main(arguments: Sequence[str]) -> int:
    """0 when done; 2 after one line on stderr that says what is wrong, 130 after one that says it was interrupted."""
    options = _parser().parse_args(arguments)
    progress = Progress()
    return ended("guidance tune", lambda: _run(options, progress), progress)


def _run(options: argparse.Namespace, progress: Progress) -> str:
    """The report as it is printed; what was asked for in files is written."""
    seeds = whole("seeds", options.seeds, 1, MAX_SEEDS)
    variant = _variant(options)
    check_outputs((options.save, options.json_file))
    examples = open_examples(options.data)
    clip = load(options.model, options.device)
    weights = (variant.tuning.weight, 0.0) if variant.tuning.weight else (0.0,)
    ours: list[Record] = []
    theirs: list[Record] = []
    for seed in range(seeds):
        progress("seeds", seed, seeds)
        (learner, *plain), draw = tuned_alike(clip, examples, variant, weights, seed)
        ours.append(measured(learner, draw))
        theirs += [measured(each, draw) for each in plain]
        if seed == 0:
            words = [[near.text for near in each] for each in nearest_words(learner)]
            features = rivals.zero_shot(clip, examples.names)
            zero_shot = {name: held.accuracy(features) for name, held in draw.held_out.items()}
            if options.save is not None:
                save_context(options.save, learner, asdict(variant.tuning) | {"shots": variant.shots})
    progress("seeds", seeds, seeds)
    found = {
        "model": clip.name,
        "data": options.data,
        "classes": list(examples.names),
        "notes": [
            *examples.notes,
            *name_notes(clip, examples.names),
            *variant.tuning.notes(len(examples.names)),
        ],
        "shots": variant.shots,
        "seeds": seeds,
        "context": asdict(variant.context),
        "tuning": asdict(variant.tuning),
        "zero_shot": zero_shot,
        "nearest_words": words,
        "records": {"ours": ours, "coop": theirs},
        "summary": report.compared(ours, theirs)
        if theirs
        else {"accuracy": {"ours": report.means(ours, "accuracy")}},
    }
    if options.json_file is not None:
        write(options.json_file, as_json(found))
    return as_json(found) if options.json else _text(found, examples)


def _text(found: dict[str, Any], examples: Examples) -> str:
    summary, weight = found["summary"], found["tuning"]["weight"]
    lines = [f"note: {note}" for note in found["notes"]]
    lines.append(
        f"{len(examples.names)} classes, {found['shots']} shots, {found['seeds']} seeds, {found['model']}"
    )
    if not found["zero_shot"]:
        lines.append("no pictures are left to try it on: give each class more than --shots")
    for name, plain in found["zero_shot"].items():
        lines.append(f"{name}: zero-shot {plain:.2f}")
        if not weight:
            lines.append(f"  accuracy: CoOp {report.shown(summary['accuracy']['ours'][name])}")
            continue
        for what, title in (("accuracy", "accuracy"), ("relevance", "relevance of names")):
            part = summary[what]
            ours, coop = (report.shown(part[key][name]) for key in ("ours", "coop"))
            gain = report.shown(part["paired"][name], "difference", signed=True)
            lines.append(f"  {title}: lambda {weight:g} {ours}, CoOp {coop}, paired {gain}")
    lines.append("nearest words: " + " ".join(words[0] for words in found["nearest_words"] if words))
    return "\n".join(lines)


def _variant(options: argparse.Namespace) -> Variant:
    context = ContextSettings(options.tokens, options.position, options.class_specific, options.phrasing)
    tuning = TuningSettings(
        weight=options.weight,
        second_order=options.second_order,
        include_sot=not options.without_sot,
        epochs=options.epochs,
        batch=options.batch,
        learning_rate=options.rate,
        fresh_views=options.fresh_views,
    )
    return Variant("tune", options.shots, context, tuning)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m guidance tune",
        description="Learn a prompt from a few pictures of each class, and try it on the others.",
    )
    add = parser.add_argument
    add("--data", required=True, help="a folder with a folder of pictures for each class, or toyland:TASK")
    add("--model", default="toy-vit", help="a name, or a model directory (default: toy-vit)")
    add("--shots", type=int, default=1, help="pictures of each class to learn from, 1 to 16 (default: 1)")
    add("--seeds", type=int, default=1, help="how often, with other pictures each time (default: 1)")
    add("--lambda", dest="weight", type=float, default=1.0, help="weight of names; 0 is CoOp (default: 1)")
    add("--tokens", type=int, default=16, help="learnt tokens, 1 to 16 (default: 16)")
    add("--position", default="middle", help=f"of the name: {', '.join(POSITIONS)} (default: middle)")
    add("--class-specific", action="store_true", help="a context for every class")
    add("--phrasing", default="", help='begin with these words, "a photo of a {}" (default: at random)')
    add("--epochs", type=int, default=50, help="default: 50")
    add("--batch", type=int, default=32, help="default: 32")
    add("--rate", type=float, default=0.002, help="the learning rate (default: 0.002)")
    add("--second-order", action="store_true", help="the full gradient of relevance, not the paper's")
    add("--without-sot", action="store_true", help="leave the start token out of what is shared")
    add("--fresh-views", action="store_true", help="new views in every epoch, in place of a bank of 8")
    add("--device", default="auto", help="auto, cpu, cuda (default: auto)")
    add("--save", type=Path, metavar="FILE", help="write the first seed's context here (safetensors)")
    add("--json", action="store_true", help="print JSON")
    add("--json-file", type=Path, help="write JSON here")
    return parser
