"""The command line that all trainings have: budget, batch, rate, seed, device, and the folder of the run."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Commands = Any  # argparse's private type of what add_subparsers returns


def add_model(
    models: Commands,
    name: str,
    about: str,
    command: Callable[[argparse.Namespace], None],
    batch: int,
    lr: float,
) -> argparse.ArgumentParser:
    """Adds a training's command with the options that all have."""
    parser: argparse.ArgumentParser = models.add_parser(name, help=about)
    parser.add_argument("--budget", default="60m", help="time to spend in all: 90s, 60m, 2h")
    parser.add_argument(
        "--pictures", type=int, default=0, help="stop after so many, for runs to be compared (0: no limit)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the folder's last state, if there is one"
    )
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--lr", type=float, default=lr)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--workers", type=int, default=1, help="drawing processes")
    parser.add_argument("--threads", type=int, default=0, help="torch threads (0: torch's default)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, help="folder of the run (default: under runs)")
    parser.set_defaults(command=command)
    return parser


def shared(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields of a recipe that all trainings have; sets torch's threads."""
    import torch

    if arguments.pictures < 0:
        raise ValueError(f"{arguments.pictures} pictures are less than none")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    names = ("pictures", "batch", "lr", "seed", "precision", "workers")
    return {name: getattr(arguments, name) for name in names} | {"budget": seconds(arguments.budget)}


def device(arguments: argparse.Namespace) -> str:
    """The device that is asked for; "auto" is a GPU where there is one."""
    import torch

    if arguments.device != "auto":
        return str(arguments.device)
    return "cuda" if torch.cuda.is_available() else "cpu"


def folder(arguments: argparse.Namespace, name: str) -> Path:
    """The run's folder: the one that is asked for, or `name` under runs."""
    return arguments.output or Path("runs") / name


def seconds(budget: str) -> float:
    """ "90s", "60m" or "2h" in seconds. ValueError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", budget)
    if not match or float(match[1]) == 0:
        raise ValueError(f"budget {budget!r} is not a time; write it as 90s, 60m or 2h")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]
