"""Explain a picture from the command line, ask in other words, train ECLIP, or measure every method.

python -m explain photo.jpg "a red car" "the sky" --method itsm -o out.png --json
python -m explain words photo.jpg --labels cat dog --phrasings "a photo of a {}" "a drawing of a {}"
python -m explain train-eclip --model toy-vit --data captions.csv --out DIR
python -m explain evaluate --model toy-vit --data toyland
"""

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import import_module

from explain import CATALOGUE, METHODS, choose, explain_image, heatmap, load, read_image
from explain.clip.catalogue import AUTOMATIC

COMMANDS = {
    "words": "words",
    "evaluate": "evaluate",
    "train-eclip": "train_eclip",
    "ablate-eclip": "ablate_eclip",
}  # -> modules


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when done, 2 after one line on stderr that says what is wrong."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given and given[0] in COMMANDS:
        return import_module(f"explain.commands.{COMMANDS[given[0]]}").main(given[1:])
    options = _parser().parse_args(given)
    try:
        image = read_image(options.picture)
        chosen = choose(image, options.device) if options.model == AUTOMATIC else None
        name = options.model if chosen is None else chosen.model
        clip = load(name, options.device, progress=_say if sys.stderr.isatty() else None)
        explanations = explain_image(clip, image, options.prompts, options.method)
        if options.output is not None:
            heatmap.figure(image, explanations, options.colormap).savefig(options.output)
    except (ValueError, OSError) as error:
        print(f"explain: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    if options.json:
        found = [{"model": clip.name} | _plain(explanation) for explanation in explanations]
        print(json.dumps(found, ensure_ascii=False))
    else:
        if chosen is not None:
            print(f"{clip.name} answers: {chosen.reason}. Another: --model NAME")
        for explanation in explanations:
            words = ", ".join(f"{word} {share:.0%}" for word, share in explanation.tokens)
            print(
                f"{explanation.prompt}: cosine {explanation.score:.3f}, {explanation.probability:.1%}; words: {words}"
            )
            for note in explanation.notes:
                print(f"  note: {note}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m explain", description="What CLIP looks at in a picture.")
    parser.add_argument("picture", help="a JPEG, PNG, WebP, GIF, BMP or TIFF file")
    parser.add_argument("prompts", nargs="+", metavar="prompt", help="what to look for; one map each")
    parser.add_argument("--method", default="itsm", help=f"one of {', '.join(METHODS)} (default: itsm)")
    parser.add_argument(
        "--model",
        default=AUTOMATIC,
        help=f"one of {', '.join(CATALOGUE)}, or a model directory (default: chosen by the picture)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")
    parser.add_argument(
        "--colormap", default=heatmap.COLORMAPS[0], help=f"one of {', '.join(heatmap.COLORMAPS)}"
    )
    parser.add_argument("-o", "--output", help="write a figure here (.png, .pdf, .svg)")
    parser.add_argument("--json", action="store_true", help="print everything as JSON, maps included")
    return parser


def _plain(explanation) -> dict:
    """An explanation as JSON knows it; the map as rows of numbers, row 0 at the top."""
    fields = dict(vars(explanation))
    fields["heatmap"] = [[round(float(value), 6) for value in row] for row in explanation.heatmap]
    return fields


def _say(fraction: float, what: str) -> None:
    print(f"\r{what}: {fraction:.0%}", end="" if fraction < 1 else "\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
