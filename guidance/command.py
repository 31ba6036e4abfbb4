"""python -m guidance generate: a picture of boxes and phrases, with the run as a GIF and as JSON."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from explain import load
from explain.measuring.commands import check_outputs, ended
from explain.measuring.progress import Progress
from guidance.boxes import Box, Layout, Region, parse_box, parse_boxes, read_region, targets
from guidance.catalogue import GENERATORS
from guidance.generate import Step, generate
from guidance.generators import Generator
from guidance.loading import open_generator
from guidance.memory import GenerationOutOfMemory
from guidance.presets import Preset, find_preset

GIF_SIDE = 256  # pixels; small pictures are enlarged so that they can be watched
GIF_FRAMES = 60


def main(arguments: Sequence[str]) -> int:
    """0 when done; 2 after one line on stderr that says what is wrong, 130 after one that says it was interrupted."""
    options = _parser().parse_args(arguments)
    errors = (ValueError, OSError, GenerationOutOfMemory)
    return ended("guidance generate", lambda: _made(options), Progress(), errors=errors)


def _made(options: argparse.Namespace) -> str:
    """What is said of the finished picture, which is written with all that was asked for."""
    check_outputs((options.output, options.gif, options.json))
    if options.output.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise ValueError(f"{str(options.output)!r} is no picture; allowed: .png, .jpg, .webp")
    layout, notes = _layout(options)
    generator = open_generator(options.generator, options.device)
    clip = load(options.clip, options.device)
    preset = _preset(options, generator)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    steps = _followed(generate(generator, clip, layout, options.seed, preset.sampling, preset.objective))
    steps[-1].image.save(options.output)
    if options.gif is not None:
        save_gif(steps, options.gif)
    if options.json is not None:
        record = as_record(options, layout, preset, steps)
        options.json.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    said = [
        f"{reading.phrase}: similarity {reading.similarity:.3f}, share of its map inside {reading.share_inside:.0%}"
        for reading in steps[-1].readings
    ]
    return "\n".join([*said, f"wrote {options.output}"])


def as_record(
    options: argparse.Namespace, layout: Layout, preset: Preset, steps: Sequence[Step]
) -> dict[str, Any]:
    """All that is needed to make the picture again, and how the run went. `--from` reads it back."""
    final = {
        reading.phrase: {
            "similarity": round(reading.similarity, 4),
            "inside": round(reading.inside, 4),
            "share_inside": round(reading.share_inside, 4),
        }
        for reading in steps[-1].readings
    }
    return {
        "prompt": layout.prompt,
        "boxes": [asdict(box) for target in layout.targets for box in target.boxes],
        "generator": options.generator,
        "clip": options.clip,
        "preset": preset.name,
        "seed": options.seed,
        "sampling": asdict(preset.sampling),
        "objective": asdict(preset.objective),
        "losses": [{name: round(value, 5) for name, value in step.losses.items()} for step in steps[:-1]],
        "skipped": sum(step.skipped for step in steps),
        "final": final,
    }


def save_gif(steps: Sequence[Step], path: Path) -> None:
    """The run as an animation, which rests on the finished picture."""
    from PIL import Image

    stride = max(1, -(-len(steps) // GIF_FRAMES))
    chosen = [*steps[:-1:stride], steps[-1]]
    factor = max(1, GIF_SIDE // max(steps[-1].image.size))
    frames = [
        step.image.resize((step.image.width * factor, step.image.height * factor), Image.Resampling.NEAREST)
        for step in chosen
    ]
    durations = [100] * (len(frames) - 1) + [2000]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)


def _followed(steps: Any) -> list[Step]:
    """All steps of a run, with a line on the terminal that counts them."""
    found, began, shown = [], time.monotonic(), sys.stderr.isatty()
    for step in steps:
        found.append(step)
        if not step.index:
            for note in step.notes:
                print(f"note: {note}", file=sys.stderr)
        if shown:
            left = (time.monotonic() - began) / (step.index + 1) * (step.total - step.index)
            end = "\n" if step.finished else ""
            print(
                f"\rstep {step.index} of {step.total}, {left:.0f} s left ",
                end=end,
                file=sys.stderr,
                flush=True,
            )
    return found


def _layout(options: argparse.Namespace) -> tuple[Layout, list[str]]:
    """What the options ask for, and notes on what was put right."""
    places: list[Box | Region] = []
    notes: list[str] = []
    prompt = options.prompt
    if options.source is not None:
        record = _record(options.source)
        prompt = record.get("prompt", "") if prompt is None else prompt
        boxes, said = parse_boxes(record.get("boxes", []))
        places, notes = [*boxes], [*said]
        for name in ("generator", "clip", "preset", "seed"):
            if getattr(options, name) is None and name in record:
                setattr(options, name, record[name])
    for written in options.box:
        box, said = parse_box(written)
        places.append(box)
        notes += said
    for phrase, path in options.mask:
        places.append(read_region(phrase, path))
    for name, value in (("generator", "toy-sd"), ("clip", "toy-vit"), ("preset", "best"), ("seed", 0)):
        if getattr(options, name) is None:
            setattr(options, name, value)
    found = targets(places)
    if not prompt:
        prompt = " and ".join(target.phrase for target in found)
    return Layout(prompt, found), notes


def _record(path: Path) -> dict[str, Any]:
    """A run's JSON, as `--json` wrote it."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name!r} is no JSON: {error}") from error
    if not isinstance(record, dict):
        raise ValueError(f"{path.name!r} holds no run; allowed: what --json wrote")
    return record


def _preset(options: argparse.Namespace, generator: Generator) -> Preset:
    """The preset, with what the options change in it."""
    preset = find_preset(options.preset, generator)
    changes = {
        name: getattr(options, name) for name in ("steps", "weight") if getattr(options, name) is not None
    }
    return replace(preset, sampling=replace(preset.sampling, **changes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m guidance generate", description="Make a picture with every object in its box."
    )
    parser.add_argument("--prompt", help="the whole scene (default: the boxes' phrases)")
    parser.add_argument(
        "--box",
        action="append",
        default=[],
        metavar="'PHRASE: LEFT, TOP, RIGHT, BOTTOM'",
        help="in fractions of the picture; may be given several times",
    )
    parser.add_argument(
        "--mask", action="append", default=[], nargs=2, metavar=("PHRASE", "PNG"), help="a place of any shape"
    )
    parser.add_argument("--from", dest="source", type=Path, metavar="RUN.json", help="make a run again")
    parser.add_argument("--generator", help=f"one of {', '.join(GENERATORS)}, or a folder (default: toy-sd)")
    parser.add_argument("--clip", help="the model that guides: a name or folder (default: toy-vit)")
    parser.add_argument("--preset", help="paper, fast or best (default: best)")
    parser.add_argument("--steps", type=int, help="in place of the preset's")
    parser.add_argument("--weight", type=float, help="of the guidance; 0 leaves the picture unguided")
    parser.add_argument("--seed", type=int, help="the same seed makes the same picture (default: 0)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: auto)")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("out.png"), help="the picture (default: out.png)"
    )
    parser.add_argument("--gif", type=Path, help="the run as an animation")
    parser.add_argument("--json", type=Path, help="the run as JSON, which --from reads")
    return parser
