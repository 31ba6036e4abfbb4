"""`python -m photographs train | evaluate | tell-scenes`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from explain.clip.catalogue import MODELS
from photographs.data import HALVES
from training import options


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; bad input is one line on stderr and exit code 2."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.command(arguments)
    except (ValueError, OSError) as error:
        print(f"photographs: {error}", file=sys.stderr)
        return 2
    return 0


def train(arguments: argparse.Namespace) -> None:
    """Trains `photo`; the folder then holds an open_clip checkpoint."""
    from photographs.pictures import data_folder
    from photographs.training import PhotoRecipe, PhotoTraining
    from training.run import follow

    data = data_folder(arguments.data)
    recipe = PhotoRecipe(**options.shared(arguments))
    folder, device = options.folder(arguments, "photo"), options.device(arguments)
    run = PhotoTraining(recipe, folder, device, data, arguments.backbone, arguments.teachers)
    follow(run, arguments.resume)


def evaluate(arguments: argparse.Namespace) -> None:
    """Measures a model on photographs and prints the figures."""
    from explain import load
    from photographs.evaluation import evaluate_photos
    from photographs.pictures import data_folder

    clip = load(arguments.model, arguments.device)
    figures = evaluate_photos(clip, data_folder(arguments.data), arguments.half, arguments.methods)
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    rows = figures.pop("maps")
    for name, value in figures.items():
        print(f"{name:14} {value}")
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))


def tell_scenes(arguments: argparse.Namespace) -> None:
    """Writes the test by which scenes of Toyland are told from photographs, and prints how often it is right."""
    from explain import load
    from photographs.pictures import data_folder
    from photographs.scenes import fit

    folder = arguments.model if arguments.model.is_dir() else MODELS / arguments.model.name
    clip = load(folder, arguments.device)
    print(json.dumps(fit(clip, data_folder(arguments.data), folder / "scenes" / "test.safetensors")))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="photographs", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    command = options.add_model(commands, "train", "train photo", train, batch=512, lr=1.5e-3)
    _add_data(command)
    command.add_argument("--backbone", type=Path, help="the trunk's .pth (default: the installed package's)")
    command.add_argument(
        "--teachers", type=Path, nargs="+", default=(), help="folders of earlier runs to learn from"
    )
    command = commands.add_parser("evaluate", help="measure a model on photographs")
    _add_data(command)
    command.add_argument("--model", default="photo", help="a catalogue name or a folder")
    command.add_argument("--half", default="choose", choices=HALVES, help="to choose on, or to report")
    command.add_argument("--methods", nargs="+", default=["itsm"])
    command.add_argument("--device", default="auto")
    command.add_argument("--json", action="store_true")
    command.set_defaults(command=evaluate)
    command = commands.add_parser("tell-scenes", help="fit the test that tells drawn scenes from photographs")
    _add_data(command)
    command.add_argument("--model", type=Path, default=Path("photo"), help="a built-in model or a folder")
    command.add_argument("--device", default="auto")
    command.set_defaults(command=tell_scenes)
    return parser


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, help="the folder of photographs (default: TOKENLIGHT_PHOTOS)")


if __name__ == "__main__":
    sys.exit(main())
