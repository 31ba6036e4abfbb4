"""python -m guidance classify: pictures told apart by a prompt that `tune` learnt."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from explain import CATALOGUE, load
from explain.commands.console import Progress, check_outputs, ended
from explain.commands.evaluate import as_json
from explain.evaluation.resumable import write
from explain.inputs.folders import NamedPicture, counted, read_folder, readable
from guidance.checks import shown
from guidance.tuning.crops import encoded
from guidance.tuning.prompt_learner import PromptLearner
from guidance.tuning.saved import load_context, model_of


@dataclass(frozen=True)
class Classified:
    """One picture. `own`: the number of the class that is true of it, where that is known. `probabilities`: of all
    classes; they sum to 1.
    """

    name: str
    own: int | None
    probabilities: tuple[float, ...]

    @property
    def best(self) -> int:
        return max(range(len(self.probabilities)), key=self.probabilities.__getitem__)


@torch.no_grad()
def classify(learner: PromptLearner, pictures: Iterable[NamedPicture]) -> list[Classified]:
    """Every picture before every class of the prompt, in the order in which they come; few are in memory at once.

    ValueError for a picture whose label is none of the classes.
    """
    named: list[tuple[str, int | None]] = []
    clip = learner.clip
    images = encoded(clip, _images(pictures, learner.names, named))
    cosines = images.cpu().double() @ learner.features().cpu().double().T
    rows = (clip.logit_scale * cosines).softmax(-1).tolist()
    return [Classified(name, own, tuple(row)) for (name, own), row in zip(named, rows, strict=True)]


def accuracy(found: Sequence[Classified]) -> float | None:
    """The share of those whose class is known that find it; None where it is known of none."""
    known = [one.best == one.own for one in found if one.own is not None]
    return sum(known) / len(known) if known else None


def main(arguments: Sequence[str]) -> int:
    """0 when done; 2 after one line on stderr that says what is wrong, 130 after one that says it was interrupted."""
    options = _parser().parse_args(arguments)
    progress = Progress()
    return ended("guidance classify", lambda: _run(options, progress), progress)


def _run(options: argparse.Namespace, progress: Progress) -> str:
    check_outputs((options.json_file,))
    model = options.model if options.model is not None else _learnt_for(options.context)
    files = read_folder(options.pictures) if options.pictures.is_dir() else None
    learner = load_context(options.context, load(model, options.device))
    skipped: list[str] = [f"{name}: the folder has no pictures" for name in files.empty] if files else []
    if files:
        pictures = counted(files.readable(skipped), len(files.files), progress)
    else:
        pictures = readable({options.pictures.name: options.pictures}, skipped)
    found = classify(learner, pictures)
    if not found:
        raise ValueError(
            f"there is no picture that can be used; the first: {skipped[0]}" if files else skipped[0]
        )
    record = _record(learner, found, skipped)
    if options.json_file is not None:
        write(options.json_file, as_json(record))
    return as_json(record) if options.json else _text(record)


def _learnt_for(context: Path) -> str:
    """Returns the catalogue's model that a context was learnt for; no other name in its file is trusted."""
    name = model_of(context)
    if name not in CATALOGUE:
        raise ValueError(
            f"{context.name!r} was learnt for {shown(name)}; allowed: --model with its directory"
        )
    return name


def _images(
    pictures: Iterable[NamedPicture], names: Sequence[str], named: list[tuple[str, int | None]]
) -> Iterator[Image.Image]:
    """The pictures, after the name and the class of each were added to `named`."""
    numbers = {name.lower(): number for number, name in enumerate(names)}  # as read_names tells names apart
    for picture in pictures:
        own = None
        if picture.label is not None:
            own = numbers.get(picture.label.rstrip(".").lower())
            if own is None:
                raise ValueError(
                    f"{picture.name!r} is in the folder {shown(picture.label)}; allowed: {', '.join(names)}"
                )
        named.append((picture.name, own))
        yield picture.image


def _record(learner: PromptLearner, found: Sequence[Classified], skipped: Sequence[str]) -> dict[str, Any]:
    names = learner.names
    return {
        "model": learner.clip.name,
        "classes": list(names),
        "accuracy": accuracy(found),
        "pictures": [
            {
                "picture": one.name,
                "own": None if one.own is None else names[one.own],
                "class": names[one.best],
                "probabilities": dict(zip(names, one.probabilities, strict=True)),
            }
            for one in found
        ],
        "skipped": list(skipped),
    }


def _text(record: dict[str, Any]) -> str:
    lines = [f"left out: {reason}" for reason in record["skipped"]]
    for one in record["pictures"]:
        best, own = one["class"], one["own"]
        wrong = f", but it is {own}" if own not in (None, best) else ""
        lines.append(f"{one['picture']}: {best} ({one['probabilities'][best]:.2f}){wrong}")
    known = sum(one["own"] is not None for one in record["pictures"])
    if known:
        lines.append(f"accuracy {record['accuracy']:.2f} of {known} pictures")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m guidance classify",
        description="Tell pictures apart with a prompt that tune, or the Words tab, saved.",
    )
    add = parser.add_argument
    add("pictures", type=Path, help="a picture, a folder of pictures, or a folder with a folder per class")
    add("--context", type=Path, required=True, metavar="FILE", help="what tune --save wrote")
    add("--model", help="a name, or a model directory (default: what the prompt was learnt for)")
    add("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")
    add("--json", action="store_true", help="print JSON")
    add("--json-file", type=Path, help="write JSON here")
    return parser
