"""`python -m toyland draw | train | evaluate`."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from toyland.scene import SPLITS, USUAL_SHARE, sample_scene


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
    from toyland.drawing import draw_scene

    scene = sample_scene(arguments.seed, arguments.split)
    draw_scene(scene, arguments.size).save(arguments.output)
    if arguments.json:
        arguments.json.write_text(scene.to_json() + "\n")
    print(scene.caption)


def train_clip(arguments: argparse.Namespace) -> None:
    """Train one tower until the budget is spent; the folder then holds an open_clip checkpoint."""
    import torch

    from toyland.clip_models import VISION_CFGS, copy_tokenizer
    from toyland.clip_training import ClipTraining, Recipe

    device = (
        ("cuda" if torch.cuda.is_available() else "cpu") if arguments.device == "auto" else arguments.device
    )
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    recipe = Recipe(
        tower=arguments.tower,
        budget=seconds(arguments.budget),
        pairs=arguments.pairs,
        pixels=arguments.pixels or VISION_CFGS[arguments.tower]["image_size"],
        batch=arguments.batch,
        lr=arguments.lr,
        alone=arguments.alone,
        zoom=arguments.zoom,
        grey=arguments.grey,
        usual_share=arguments.usual_share,
        muon_lr=arguments.muon_lr,
        seed=arguments.seed,
        precision=arguments.precision,
        workers=arguments.workers,
    )
    if recipe.pairs < 0:
        raise ValueError(f"{recipe.pairs} pairs are less than none")
    if recipe.zoom < 1:
        raise ValueError(f"zoom {recipe.zoom} is below 1")
    if not 0 <= recipe.grey <= 1:
        raise ValueError(f"grey {recipe.grey} is no share from 0 to 1")
    if not 0 <= recipe.usual_share <= 1:
        raise ValueError(f"usual-share {recipe.usual_share} is no share from 0 to 1")
    folder = arguments.output or Path("runs") / f"clip-{arguments.tower}"
    if arguments.start_from:
        copy_tokenizer(arguments.start_from, folder)
    training = ClipTraining(recipe, folder, device, arguments.start_from)
    if training.state_file.is_file():
        if not arguments.resume:
            raise ValueError(
                f"{folder} holds a run already: go on with --resume, or choose another folder with -o"
            )
        training.resume()
    saved = training.progress.seconds
    progress = training.progress
    for progress in training.run():
        if progress.step % 20 == 0:
            rate = progress.scenes / progress.seconds
            print(
                f"step {progress.step}  {progress.seconds:.0f} of {recipe.budget:.0f} s  {rate:.0f} pairs/s  "
                f"loss {progress.loss:.3f}  in-batch accuracy {progress.accuracy:.3f}",
                flush=True,
            )
        if progress.seconds - saved > 240:
            training.save()
            saved = progress.seconds
    training.save()
    print(f"done: {progress.scenes} pairs; the model is in {folder}")


def evaluate(arguments: argparse.Namespace) -> None:
    """Measure a model on a split and print the figures."""
    from toyland.evaluation import evaluate_clip

    figures = evaluate_clip(arguments.model, arguments.split, arguments.scenes, arguments.device)
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value}")


def seconds(budget: str) -> float:
    """ "90s", "60m" or "2h" in seconds. ValueError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", budget)
    if not match or float(match[1]) == 0:
        raise ValueError(f"budget {budget!r} is not a time; write it as 90s, 60m or 2h")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


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
    _add_training(commands)
    command = commands.add_parser("evaluate", help="measure a built-in model, zero-shot")
    command.add_argument("--model", default="toy-vit", help="a catalogue name or a folder")
    command.add_argument("--split", default="test", choices=["validation", "test"])
    command.add_argument("--scenes", type=int, default=2000)
    command.add_argument("--device", default="auto")
    command.add_argument("--json", action="store_true")
    command.set_defaults(command=evaluate)
    return parser


def _add_training(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    models = commands.add_parser("train", help="train a built-in model").add_subparsers(
        required=True, metavar="model"
    )
    command = models.add_parser("clip", help="picture-caption matching")
    command.add_argument("--tower", choices=["vit", "rn"], default="vit")
    command.add_argument("--budget", default="60m", help="time to spend in all: 90s, 60m, 2h")
    command.add_argument(
        "--pairs", type=int, default=0, help="stop after so many pairs, for runs to be compared (0: no limit)"
    )
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    command.add_argument(
        "--resume", action="store_true", help="go on from the folder's last state, if there is one"
    )
    command.add_argument(
        "--start-from", type=Path, help="a model folder whose fitting weights and tokenizer to take"
    )
    command.add_argument(
        "--pixels", type=int, help="size of the training pictures (default: the model's own)"
    )
    command.add_argument("--batch", type=int, default=256)
    command.add_argument("--lr", type=float, default=1e-3)
    command.add_argument("--alone", type=int, default=60_000, help="scenes of the single-thing curriculum")
    command.add_argument("--zoom", type=float, default=1, help="above 1: close-ups of single things")
    command.add_argument("--grey", type=float, default=0, help="share of pictures without colours")
    command.add_argument(
        "--usual-share", type=float, default=USUAL_SHARE, help="how often a thing is where it belongs"
    )
    command.add_argument("--muon-lr", type=float, default=0.01, help="rate for the blocks' matrices")
    command.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    command.add_argument("--workers", type=int, default=1, help="drawing processes")
    command.add_argument("--threads", type=int, default=0, help="torch threads (0: torch's default)")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("-o", "--output", type=Path, help="folder of the run (default: runs/clip-TOWER)")
    command.set_defaults(command=train_clip)


if __name__ == "__main__":
    sys.exit(main())
