"""python -m explain ablate-eclip: ECLIP with every way to pool, to start and to mask, as a table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from explain.clip.loading import load
from explain.commands.train_eclip import free_attention, say
from explain.eclip.training import Recipe, fill
from explain.evaluation.eclip_ablation import ablate
from explain.evaluation.subjects import Pictures, Subject, tuning_and_testing
from explain.inputs.captions import captioned


def main(arguments: Sequence[str]) -> int:
    """0 when done, 2 after one line on stderr that says what is wrong."""
    options = _parser().parse_args(arguments)
    try:
        if options.seeds < 1 or options.pictures < 2 or options.measured < 2:
            raise ValueError("an ablation needs at least 1 seed and 2 pictures to train and to measure on")
        clip = load(options.model, options.device)
        attention = free_attention(options.attention, clip, options.attention_model)
        measured = options.measure or options.data
        halves = tuning_and_testing(measured, options.split, options.measured, clip.size)
        subjects = _read(halves[0]), _read(halves[1])
        bank = fill(clip, captioned(options.data, clip.size), attention, options.pictures, progress=say)
        recipe = Recipe(epochs=options.epochs)
        rows = []
        for result in ablate(clip, bank, *subjects, recipe, range(options.seeds), _said):
            rows.append(result.row())
            print(_line(rows[-1]), file=sys.stderr if options.json else sys.stdout, flush=True)
    except (ValueError, OSError) as error:
        print(f"explain ablate-eclip: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    if options.json:
        fields = {
            "model": clip.name,
            "data": options.data,
            "pictures": len(bank.rows),
            "seeds": options.seeds,
        }
        print(json.dumps(fields | {"measured": options.measured, "rows": rows}, indent=2))
    return 0


def _read(pictures: Pictures) -> list[Subject]:
    skipped: list[str] = []
    found = [subject for _, subject in pictures.read(0, pictures.count, skipped)]
    for text in skipped:
        print(f"left out: {text}", file=sys.stderr)
    return found


def _line(row: dict) -> str:
    numbers = (f"{row[name]:+6.1f} ± {row[name + '_spread']:.1f}" for name in ("msc", "miou"))
    msc, miou = numbers
    return f"{row['pooling']:15} mask {row['mask']:6} start {row['start']:6} mSC {msc}   mIoU {miou}"


def _said(what: str) -> None:
    print(f"\r{what:60}\r", end="", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m explain ablate-eclip", description="Train and measure every variant of ECLIP."
    )
    parser.add_argument("--model", default="toy-vit", help="a model of the catalogue, or a model directory")
    parser.add_argument("--data", required=True, help="a .csv with columns image and caption, or toyland")
    parser.add_argument("--measure", help="labelled pictures, as for evaluate (default: the same as --data)")
    parser.add_argument("--split", default="validation", help="of toyland (default: validation)")
    parser.add_argument("--pictures", type=int, default=5000, help="to train on (default: 5000)")
    parser.add_argument("--measured", type=int, default=500, help="to measure on (default: 500)")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: 3)")
    parser.add_argument("--attention", default="cut", help="free attention: cut, norm, dino")
    parser.add_argument("--attention-model", help="whose features are looked at (default: the model's own)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser
