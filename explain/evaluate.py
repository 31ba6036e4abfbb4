"""python -m explain evaluate: every method of a model on labelled pictures, as a table."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from explain.captions import drawn
from explain.clip import Clip
from explain.datasets import open_dataset
from explain.evaluation import CEILING, Subject, Thing, evaluate, paired_interval, table, thresholds
from explain.loading import load
from explain.methods import METHODS

COLUMNS = ("msc", "miou_50", "miou", "threshold", "miou_oracle", "miou_pooled", "pointing")
HEADINGS = ("mSC", "mIoU .5", "mIoU", "thr", "oracle", "pooled", "pointing")


def main(arguments: Sequence[str]) -> int:
    """0 when done, 2 after one line on stderr that says what is wrong."""
    options = _parser().parse_args(arguments)
    try:
        if options.pictures < 2:
            raise ValueError(f"{options.pictures} pictures say nothing; at least 2")
        clip = load(options.model, options.device)
        report = run(clip, options.data, options.split, options.pictures, options.methods, _say())
        for path, text in ((options.json_file, _json(report)), (options.csv, _csv(report))):
            if path is not None:
                write(path, text)
    except (ValueError, OSError) as error:
        print(f"explain evaluate: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(_json(report) if options.json else _terminal(report))
    return 0


def run(
    clip: Clip,
    data: str,
    split: str = "test",
    pictures: int = 1000,
    methods: Sequence[str] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, object]:
    """The report of a model: thresholds are chosen on other pictures than the table is of.

    `data` is "toyland" (its validation split chooses, `split` is reported) or a data folder (every other
    picture chooses). `methods`: all that the model supports, but the slow ones, where none are named.
    """
    names = list(methods) or [
        m.name for m in METHODS.values() if m.supports(clip) is None and not m.own_forwards
    ]
    tuning, testing, pictures = sources(data, split, pictures, clip.size)
    said = (lambda what: None) if progress is None else (lambda what: lambda n: progress(what, n, pictures))
    begun = time.perf_counter()
    chosen = thresholds(evaluate(clip, tuning, names, said("choosing thresholds")))
    scores = evaluate(clip, testing, names, said("measuring"))
    report: dict[str, object] = {
        "model": clip.name,
        "data": data,
        "split": split if drawn(data) else "every other picture",
        "pictures": pictures,
        "seconds": round(time.perf_counter() - begun, 1),
        "rows": [
            {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
            for row in table(scores, chosen)
        ],
    }
    if "itsm" in scores:
        report["against_itsm"] = {
            name: dict(
                zip(("difference", "low", "high"), paired_interval(each, scores["itsm"], chosen), strict=True)
            )
            for name, each in scores.items()
            if name not in ("itsm", CEILING)
        }
    return report


def write(path: Path, text: str) -> None:
    """Writes a whole file or none: a run that dies leaves the last one as it was."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def sources(
    data: str, split: str, pictures: int, size: tuple[int, int]
) -> tuple[Iterator[Subject], Iterator[Subject], int]:
    """Pictures to choose thresholds on, pictures to report, and how many of each there are at most."""
    drawing = drawn(data)
    if drawing is not None:
        both = (drawing.labelled(name, size, pictures) for name in ("validation", split))
        return *both, pictures
    dataset = open_dataset(data, limit=2 * pictures)
    if len(dataset) < 2:
        raise ValueError(f"{data} has {len(dataset)} pictures; half of them choose thresholds, so at least 2")
    return _folder(dataset, 0), _folder(dataset, 1), len(dataset) // 2


def _folder(dataset, first: int) -> Iterator[Subject]:
    for key in dataset.keys[first::2]:
        one = dataset.read(key)
        things = tuple(Thing(name, name, mask) for name, mask in one.masks.items())
        yield Subject(one.read_image(), things, None if one.valid.all() else one.valid)


def _terminal(report: dict) -> str:
    lines = [f"{report['model']}, {report['pictures']} pictures of {report['data']} ({report['split']})"]
    lines.append(f"{'method':16}" + "".join(f"{heading:>9}" for heading in HEADINGS) + f"{'s':>8}")
    for row in sorted(report["rows"], key=lambda row: -row["miou"]):
        values = "".join(f"{row[c]:9.2f}" if c == "threshold" else f"{row[c]:9.1f}" for c in COLUMNS)
        lines.append(f"{row['method']:16}{values}{row['seconds']:8.1f}")
    for name, found in report.get("against_itsm", {}).items():
        lines.append(
            f"{name} - itsm: {found['difference']:+.1f} points of IoU, 95 % {found['low']:+.1f} to {found['high']:+.1f}"
        )
    return "\n".join(lines)


def _json(report: dict) -> str:
    return json.dumps(report, indent=2)


def _csv(report: dict) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(report["rows"][0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(report["rows"])
    return text.getvalue()


def _say() -> Callable[[str, int, int], None]:
    begun = time.monotonic()

    def say(what: str, done: int, total: int) -> None:
        spent = time.monotonic() - begun
        print(f"\r{what}: {done} of {total}, {spent:.0f} s", end="", file=sys.stderr, flush=True)
        if done >= total:
            print(file=sys.stderr)

    return say


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m explain evaluate", description="Measure maps against exact masks."
    )
    parser.add_argument(
        "--data", required=True, help="toyland, or a folder of PASCAL VOC, COCO or ImageNet-S"
    )
    parser.add_argument("--split", default="test", help="of toyland: test, test-usual, validation, ...")
    parser.add_argument("--model", default="toy-vit", help="a model of the catalogue, or a model directory")
    parser.add_argument("--methods", nargs="*", default=(), help="default: all but the slow ones")
    parser.add_argument("--pictures", type=int, default=1000, help="how many to report (default: 1000)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--json-file", type=Path, help="write JSON here")
    parser.add_argument("--csv", type=Path, help="write the table here")
    return parser
