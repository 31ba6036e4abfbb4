"""`python -m toyland draw | train | evaluate`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from explain.clip.catalogue import MODELS
from toyland.commands import add_training
from toyland.world.scene import SPLITS, sample_scene


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; bad input is one line on stderr and exit code 2."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.command(arguments)
    except (ValueError, OSError) as error:
        print(f"toyland: {error}", file=sys.stderr)
        return 2
    return 0


def draw(arguments: argparse.Namespace) -> None:
    """Draw a scene to a picture file, and write its description as JSON."""
    from toyland.world.drawing import draw_scene

    scene = sample_scene(arguments.seed, arguments.split)
    draw_scene(scene, arguments.size).save(arguments.output)
    if arguments.json:
        arguments.json.write_text(scene.to_json() + "\n")
    print(scene.caption)


def evaluate(arguments: argparse.Namespace) -> None:
    """Measure a model on a split and print the figures."""
    named = MODELS / arguments.model
    folder = named if arguments.model in ("toy-detector", "toy-vqgan", "toy-sd") else Path(arguments.model)
    if (folder / "model_index.json").is_file():
        from toyland.generators.evaluation import evaluate_diffusion

        figures = evaluate_diffusion(folder, arguments.split, arguments.scenes, arguments.device)
    elif (folder / "open_clip_config.json").is_file() or not (folder / "config.json").is_file():
        from toyland.clip.evaluation import evaluate_clip

        figures = evaluate_clip(arguments.model, arguments.split, arguments.scenes, arguments.device)
    elif "_class_name" in json.loads((folder / "config.json").read_text()):
        from toyland.generators.evaluation import evaluate_autoencoder

        figures = evaluate_autoencoder(folder, arguments.split, arguments.scenes)
    else:
        from toyland.detector.evaluation import evaluate_detector

        figures = evaluate_detector(folder, arguments.split, arguments.scenes)
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="toyland", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser("draw", help="draw a scene")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--split", default="balanced", choices=list(SPLITS))
    command.add_argument("--size", type=int, default=512, help="pixels")
    command.add_argument("-o", "--output", type=Path, required=True)
    command.add_argument("--json", type=Path, help="where to write the scene's description")
    command.set_defaults(command=draw)
    add_training(commands)
    command = commands.add_parser("evaluate", help="measure a built-in model, zero-shot")
    command.add_argument("--model", default="toy-vit", help="a catalogue name or a folder")
    command.add_argument("--split", default="test", choices=["validation", "test"])
    command.add_argument("--scenes", type=int, default=2000)
    command.add_argument("--device", default="auto")
    command.add_argument("--json", action="store_true")
    command.set_defaults(command=evaluate)
    return parser


if __name__ == "__main__":
    sys.exit(main())
