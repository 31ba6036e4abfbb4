"""python -m guidance edit: a picture changed until it shows what a prompt says."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from explain import load, read_image
from explain.commands.console import Progress, check_outputs, ended
from guidance.checks import without_effect
from guidance.commands.runs import check_picture, fill, for_generator, run_again, write_run
from guidance.editing.edit import EditStep, edit
from guidance.editing.settings import BEGINNINGS, PLACES, WAYS, EditSettings, find_edit
from guidance.generators.base import Generator
from guidance.generators.catalogue import GENERATORS
from guidance.generators.loading import open_generator
from guidance.generators.memory import GenerationOutOfMemory
from guidance.generators.run_cache import Ways
from guidance.layout.parsing import parse_box
from guidance.records import EditRecipe, edit_box_of, edit_record, with_edit_settings


def main(arguments: Sequence[str]) -> int:
    """0 when done; 2 after one line on stderr that says what is wrong, 130 after one that says it was interrupted."""
    options = _parser().parse_args(arguments)
    errors = (ValueError, OSError, GenerationOutOfMemory)
    progress = Progress()
    return ended("guidance edit", lambda: _edited(options, progress), progress, errors=errors)


def _edited(options: argparse.Namespace, progress: Progress) -> str:
    """Edits the picture, writes all outputs that were asked for, and returns the lines to print about it."""
    check_outputs((options.output, options.gif, options.json))
    check_picture(options.output)
    if options.output.resolve() == options.picture.resolve():
        raise ValueError(
            f"{str(options.output)!r} is the picture itself; allowed: another file, with --output"
        )
    picture = read_image(options.picture)
    again = _filled(options)
    box, notes = edit_box_of(again) if options.box is None else parse_box(options.box)
    generator = open_generator(options.generator, options.device)
    clip = load(options.clip, options.device)
    recipe = EditRecipe(
        options.prompt,
        again["words"],
        options.caption,
        box,
        options.generator,
        options.clip,
        options.seed,
        _settings(options, again, generator),
    )

    ways = Ways() if options.compare else None  # both try the same noises

    def run(what: str, settings: EditSettings) -> list[EditStep]:
        steps = []
        given = (recipe.prompt, recipe.words, recipe.seed, settings, recipe.box, recipe.caption, ways)
        for step in edit(generator, clip, picture, *given):
            steps.append(step)
            progress(what, step.index, step.total)
        return steps

    steps = run("edit", recipe.settings)
    for note in (*notes, *steps[-1].notes):
        progress.note(f"note: {note}")
    compared = []
    if options.compare:
        without = replace(recipe.settings, objective=replace(recipe.settings.objective, weight=0.0))
        compared = run("lambda 0", without)
    return _written(options, recipe, steps, compared)


def _written(
    options: argparse.Namespace, recipe: EditRecipe, steps: Sequence[EditStep], compared: Sequence[EditStep]
) -> str:
    record = edit_record(recipe, steps)
    said = [_said(steps[-1], "")]
    if compared:
        record["compared"] = edit_record(recipe, compared)["final"]
        beside = options.output.with_stem(f"{options.output.stem}-lambda0")
        compared[-1].image.save(beside)
        said += [_said(compared[-1], "with lambda 0: "), f"wrote {beside}"]
    write_run([step.image for step in steps], record, options.output, options.gif, options.json)
    return "\n".join([*said, f"wrote {options.output}"])


def _said(step: EditStep, before: str) -> str:
    words = ", ".join(f"{word.text} {word.share:.0%}" for word in step.reading.words)
    return f"{before}similarity {step.reading.similarity:.3f}; relevance of words: {words}"


def _filled(options: argparse.Namespace) -> dict[str, Any]:
    """Words, box and settings of the run that is made again, if there is one, which also gives what the options leave
    open. With a prompt of its own it has none of the other's words; with a way or a generator of its own, none of its
    settings, and not its guide.
    """
    record = for_generator(options, run_again(options.source, "edit", "caption"))
    words = _words(options.words) or ({} if options.prompt else record.get("words", {}))
    fill(options, record, prompt=None, caption="")
    if options.prompt is None:
        raise ValueError("it is not said what the picture should show; allowed: --prompt, or --from a run")
    settings = {} if options.way else record.get("settings", {})
    return {"words": words, "box": record.get("box"), "settings": settings}


def _words(written: Sequence[str]) -> Mapping[str, float]:
    """ "red", or "red=0.5" with a weight."""
    found: dict[str, float] = {}
    for each in written:
        name, given, weight = each.partition("=")
        try:
            found[name] = float(weight) if given else 1.0
        except ValueError:
            raise ValueError(f"the weight of {name!r} is {weight!r}; allowed: a number from 0 to 1") from None
    return found


def _settings(options: argparse.Namespace, again: dict[str, Any], generator: Generator) -> EditSettings:
    """Those of the way, with what the run that is made again and the options change in them."""
    given_way = again["settings"].get("way") if isinstance(again["settings"], dict) else None
    settings = with_edit_settings(find_edit(generator, options.way or given_way), again)
    if settings.way == "latents":
        of_diffusion = ("strength", "begin", "where", "candidates", "weight")
        without_effect(options, of_diffusion, "where latents are moved, which are no diffusion model's")
    if options.box is not None or again["box"] is not None:
        without_effect(options, ("where",), "beside a box")

    def given(*names: str) -> dict[str, Any]:
        return {name: getattr(options, name) for name in names if getattr(options, name) is not None}

    objective = given("views") | ({} if options.lambda_words is None else {"weight": options.lambda_words})
    if options.compare:  # both are written: who looks at them may judge for themselves
        settings = replace(settings, guarded=False)
    return replace(
        settings,
        sampling=replace(settings.sampling, **given("steps", "weight", "candidates")),
        objective=replace(settings.objective, **objective),
        **given("strength", "begin", "where"),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m guidance edit", description="Change a picture until it shows what a prompt says."
    )
    parser.add_argument("picture", type=Path, help="the picture, of any size")
    parser.add_argument("--prompt", help="the wanted picture, all of it")
    parser.add_argument(
        "--words",
        nargs="+",
        default=[],
        metavar="WORD[=WEIGHT]",
        help="words of the prompt that must count, with weights from 0 to 1",
    )
    parser.add_argument("--caption", help="what the picture shows now")
    parser.add_argument(
        "--box",
        metavar="'PHRASE: LEFT, TOP, RIGHT, BOTTOM'",
        help="the change stays within, and the phrase says what is to be there; in fractions of the picture",
    )
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="RUN", help="make an edit again: its JSON or PNG"
    )
    parser.add_argument("--way", help=f"of {', '.join(WAYS)} (default: the generator's first)")
    parser.add_argument("--generator", help=f"one of {', '.join(GENERATORS)}, or a folder (default: toy-sd)")
    parser.add_argument("--clip", help="the model that guides (default: the generator's own, else toy-vit)")
    parser.add_argument("--seed", type=int, help="the same seed makes the same picture (default: 0)")
    parser.add_argument("--steps", type=int, help="in place of the settings'")
    parser.add_argument("--strength", type=float, help="how much of the picture may go, above 0, up to 1")
    parser.add_argument("--begin", help=f"of {', '.join(BEGINNINGS)}")
    parser.add_argument("--where", help=f"without a box, of {', '.join(PLACES)}")
    parser.add_argument("--candidates", type=int, help="noises that are tried")
    parser.add_argument("--weight", type=float, help="of the guidance; 0 leaves the diffusion model alone")
    parser.add_argument(
        "--lambda", dest="lambda_words", type=float, help="of the words' relevance; 0 leaves them out"
    )
    parser.add_argument("--views", type=int, help="of the picture, that CLIP is shown in a step")
    parser.add_argument(
        "--compare", action="store_true", help="the same with lambda 0 too, written beside the picture"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: auto)")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("out.png"), help="the picture (default: out.png)"
    )
    parser.add_argument("--gif", type=Path, help="the run as an animation")
    parser.add_argument("--json", type=Path, help="the run as JSON, which --from reads")
    return parser
