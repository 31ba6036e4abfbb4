"""`python -m toyland train clip | autoencoder | vqgan | sd | detector`: the command lines of the trainings."""

from __future__ import annotations

import argparse
from pathlib import Path

from toyland.world.scene import USUAL_SHARE
from training import options
from training.options import Commands


def add_training(commands: Commands) -> None:
    """Add `train` and its models to the commands of `python -m toyland`."""
    models = commands.add_parser("train", help="train a built-in model").add_subparsers(
        required=True, metavar="model"
    )
    _add_clip(options.add_model(models, "clip", "picture-caption matching", train_clip, batch=256, lr=1e-3))
    for name, about, train in (
        ("autoencoder", "toy-sd's pictures to latents and back", train_autoencoder),
        ("vqgan", "pictures to codes and back", train_vqgan),
    ):
        command = options.add_model(models, name, about, train, batch=8, lr=2e-3)
        command.add_argument("--start-from", type=Path, help="an autoencoder's folder to take the weights of")
        _add_crop(command)
    command = options.add_model(models, "sd", "pictures from prompts", train_sd, batch=32, lr=5e-4)
    command.add_argument("--autoencoder", type=Path, required=True, help="the folder of its autoencoder")
    command.add_argument("--start-from", type=Path, help="a toy-sd folder to take the weights of")
    command.add_argument("--alone", type=int, default=40_000, help="scenes of the single-thing curriculum")
    command.add_argument("--crops", type=float, default=1.0, help="which share of the batches, with --crop")
    command.add_argument("--reuse", type=int, default=4, help="how often a scene is seen, with other noise")
    _add_crop(command)
    command = options.add_model(
        models, "detector", "finds things in pictures", train_detector, batch=64, lr=2e-3
    )
    command.add_argument("--width", type=int, default=32, help="channels of the first layers")


def train_clip(arguments: argparse.Namespace) -> None:
    """Train one tower; the folder then holds an open_clip checkpoint."""
    from toyland.clip.models import VISION_CFGS, copy_tokenizer
    from toyland.clip.training import ClipRecipe, ClipTraining
    from training.run import follow

    if arguments.zoom < 1:
        raise ValueError(f"zoom {arguments.zoom} is below 1")
    for name in ("grey", "usual_share"):
        if not 0 <= getattr(arguments, name) <= 1:
            raise ValueError(f"{name.replace('_', '-')} {getattr(arguments, name)} is no share from 0 to 1")
    recipe = ClipRecipe(
        **options.shared(arguments),
        tower=arguments.tower,
        pixels=arguments.pixels or VISION_CFGS[arguments.tower]["image_size"],
        alone=arguments.alone,
        zoom=arguments.zoom,
        grey=arguments.grey,
        usual_share=arguments.usual_share,
        muon_lr=arguments.muon_lr,
    )
    folder = options.folder(arguments, f"clip-{arguments.tower}")
    if arguments.start_from:
        copy_tokenizer(arguments.start_from, folder)
    follow(ClipTraining(recipe, folder, options.device(arguments), arguments.start_from), arguments.resume)


def train_autoencoder(arguments: argparse.Namespace) -> None:
    """Train toy-sd's autoencoder; the folder then holds an AutoencoderKL."""
    _train_autoencoder(arguments, "kl")


def train_vqgan(arguments: argparse.Namespace) -> None:
    """Train the autoencoder with a codebook; the folder then holds a VQModel."""
    _train_autoencoder(arguments, "vq")


def _train_autoencoder(arguments: argparse.Namespace, family: str) -> None:
    from toyland.generators.autoencoder import AutoencoderRecipe, AutoencoderTraining
    from training.run import follow

    recipe = AutoencoderRecipe(**options.shared(arguments), family=family, crop=arguments.crop)
    folder = options.folder(arguments, f"autoencoder-{family}")
    follow(
        AutoencoderTraining(recipe, folder, options.device(arguments), arguments.start_from), arguments.resume
    )


def train_sd(arguments: argparse.Namespace) -> None:
    """Train toy-sd; the folder then holds a Stable Diffusion pipeline."""
    from toyland.generators.diffusion_training import DiffusionRecipe, DiffusionTraining
    from training.run import follow

    recipe = DiffusionRecipe(
        **options.shared(arguments),
        alone=arguments.alone,
        crop=arguments.crop,
        crops=arguments.crops,
        reuse=arguments.reuse,
    )
    folder, device = options.folder(arguments, "sd"), options.device(arguments)
    training = DiffusionTraining(recipe, folder, device, arguments.autoencoder, arguments.start_from)
    follow(training, arguments.resume)


def train_detector(arguments: argparse.Namespace) -> None:
    """Train the detector."""
    from toyland.detector.training import DetectorRecipe, DetectorTraining
    from training.run import follow

    recipe = DetectorRecipe(**options.shared(arguments), width=arguments.width)
    training = DetectorTraining(recipe, options.folder(arguments, "detector"), options.device(arguments))
    follow(training, arguments.resume)


def _add_crop(command: argparse.ArgumentParser) -> None:
    command.add_argument("--crop", type=int, default=0, help="learn from so many pixels around things")


def _add_clip(command: argparse.ArgumentParser) -> None:
    command.add_argument("--tower", choices=["vit", "rn"], default="vit")
    command.add_argument(
        "--start-from", type=Path, help="a model folder whose fitting weights and tokenizer to take"
    )
    command.add_argument(
        "--pixels", type=int, help="size of the training pictures (default: the model's own)"
    )
    command.add_argument("--alone", type=int, default=60_000, help="scenes of the single-thing curriculum")
    command.add_argument("--zoom", type=float, default=1, help="above 1: close-ups of single things")
    command.add_argument("--grey", type=float, default=0, help="share of pictures without colours")
    command.add_argument(
        "--usual-share", type=float, default=USUAL_SHARE, help="how often a thing is where it belongs"
    )
    command.add_argument("--muon-lr", type=float, default=0.01, help="rate for the blocks' matrices")
