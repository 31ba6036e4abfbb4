"""python -m explain words: does CLIP use every word, and is its decision the same in other words?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from explain.automatic import load
from explain.clip.catalogue import AUTOMATIC
from explain.clip.model import Clip
from explain.commands.console import Progress, ended
from explain.inputs.captions import drawn
from explain.inputs.content_words import NEGLECTED
from explain.inputs.folders import NamedPicture, counted, read_folder
from explain.inputs.images import read_image
from explain.stability.averages import FolderStability
from explain.stability.many_pictures import explain_folder, explain_pictures
from explain.stability.one_picture import LEFT_OUT, Stability, check_threshold, explain_phrasings
from explain.stability.phrasebook import PHRASINGS
from explain.stability.phrasings import read_labels, read_phrasings
from explain.stability.report import as_record, as_text

SEEN = (256, 256)  # how large a package draws the picture by which a model is chosen


def main(arguments: Sequence[str]) -> int:
    """0 when done; 2 after one line on stderr that says what is wrong, 130 after one that says it was interrupted."""
    options = _parser().parse_args(arguments)
    progress = Progress()
    return ended("explain words", lambda: _answer(options, progress), progress)


def _answer(options: argparse.Namespace, progress: Progress) -> str:
    read_phrasings(options.phrasings)  # before a model is loaded
    check_threshold(options.threshold)
    if options.labels is not None:
        read_labels(options.labels)
    found = _found(options, _model(options), progress)
    if options.json:
        return json.dumps(as_record(found), ensure_ascii=False, allow_nan=False)
    return as_text(found)


def _model(options: argparse.Namespace) -> Clip:
    """The model that is named, or the one that fits the pictures: of several, the first."""
    if options.model != AUTOMATIC:
        return load(options.model, options.device)
    source, path = drawn(options.pictures), Path(options.pictures)
    if source is not None:
        image = next((image for image, _ in source.singles(options.split, SEEN, 1)), None)
    elif path.is_dir():
        image = next((one.image for one in read_folder(path).readable([])), None)
    else:
        image = read_image(path)
    return load(AUTOMATIC, options.device, image=image)


def _found(options: argparse.Namespace, clip: Clip, progress: Progress) -> Stability | FolderStability:
    texts = (options.labels, options.phrasings, options.threshold)
    world, folder = drawn(options.pictures) is not None, Path(options.pictures).is_dir()
    if options.leave_out is not None and (world or folder):
        raise ValueError("--leave-out does nothing with several pictures; allowed: without it")
    if world:
        return _of_drawn(options, clip, progress)
    if folder:
        return explain_folder(clip, options.pictures, *texts, report=progress)
    if options.labels is None:
        raise ValueError("no labels given; allowed: --labels cat dog ...")
    return explain_phrasings(clip, options.pictures, *texts, options.leave_out or LEFT_OUT[0])


def _of_drawn(options: argparse.Namespace, clip: Clip, progress: Progress) -> FolderStability:
    """Pictures of single things that a package draws, each with its kind, all of which are labels."""
    if options.count < 1:
        raise ValueError(f"count is {options.count}; allowed: 1 picture or more")
    source = drawn(options.pictures)
    assert source is not None
    kinds: tuple[str, ...] = source.KINDS
    pictures: Iterator[NamedPicture] = (
        NamedPicture(f"{options.split} {number}", kind, image)
        for number, (image, kind) in enumerate(source.singles(options.split, clip.size, options.count))
    )
    asked = read_labels(options.labels if options.labels is not None else kinds)
    chosen = (picture for picture in counted(pictures, options.count, progress) if picture.label in asked)
    return explain_pictures(clip, chosen, asked, options.phrasings, options.threshold, report=progress)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m explain words",
        description="Labels in many phrasings: what CLIP decides, and which words it uses.",
    )
    parser.add_argument(
        "pictures", help="a picture, a folder of pictures, a folder per class, toyland or photographs"
    )
    parser.add_argument(
        "--labels",
        nargs="+",
        metavar="LABEL",
        help="what may be in the picture (default: the folders' names)",
    )
    parser.add_argument(
        "--phrasings",
        nargs="+",
        default=list(PHRASINGS),
        metavar="PHRASING",
        help="texts with {} for the label (default: 20 ready ones)",
    )
    parser.add_argument(
        "--model",
        default=AUTOMATIC,
        help="a model of the catalogue, or a model directory (default: chosen by the pictures)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")
    parser.add_argument(
        "--threshold",
        type=float,
        default=NEGLECTED,
        help="content words below this share of the strongest are neglected (default: %(default)s)",
    )
    parser.add_argument(
        "--leave-out",
        help=f"for one picture: whose words are left out one by one: {', '.join(LEFT_OUT)} (default: decided)",
    )
    parser.add_argument(
        "--count", type=int, default=500, help="of a package's: how many (default: %(default)s)"
    )
    parser.add_argument("--split", default="test", help="test, validation, and of toyland test-usual")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser
