"""Where models live: this file alone decides. Import it first, before anything that may touch a GPU.

On a ZeroGPU Space the GPU is lent call by call to a forked worker: `spaces` is imported before torch, the built-in
models are put on the GPU at start-up, and arguments and results are pickled. Elsewhere a model is loaded on first
use, on the GPU if the machine has one, and stays in this process.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

    import explain

ZERO_GPU = os.environ.get("SPACES_ZERO_GPU", "").lower() in {"1", "true"}
DEVICE = os.environ.get("TOKENLIGHT_DEVICE", "").strip() or "auto"  # empty is as good as unset
DEFAULT_MODEL = os.environ.get("TOKENLIGHT_MODEL", "").strip() or "toy-vit"

if ZERO_GPU:
    import spaces

Progress = Callable[[float, str], None]
DEPTH = "depth"  # not a method: the first of what `compare` yields


def explain_picture(
    model: str,
    image: Image.Image,
    prompts: Sequence[str],
    methods: Sequence[str],
) -> dict[str, list[explain.Explanation]]:
    """Explanations of one picture: method name -> one per prompt, in the order of the prompts.

    `model` and `methods` are names from explain's CATALOGUE and METHODS; anything else is a ValueError. So is a model
    that is not on this machine: nobody waits for a download here, see `fetch`.
    """
    _must_be_here(model)
    if ZERO_GPU:
        return _explain_there(model, image, tuple(prompts), tuple(methods))
    return _explain(model, image, tuple(prompts), tuple(methods))


def compare(
    model: str, image: Image.Image, prompt: str, methods: Sequence[str], random_weights: bool = False
) -> Iterator[tuple[str, Any, float]]:
    """Many methods about one picture and prompt, each as soon as it is ready: (name, Explanation, seconds).

    First comes (DEPTH, similarity maps after every block, 0.0). Methods that the model lacks are left out.
    `random_weights`: asks the same architecture with weights that were never trained.
    """
    _must_be_here(model)
    asking = _compare_there if ZERO_GPU else _compare
    yield from asking(model, image, prompt, tuple(methods), random_weights)


def learn(
    model: str, classes: Mapping[str, list[str]], shots: int, weight: float, epochs: int, seed: int
) -> Iterator[Any]:
    """Teach a model classes, from the files of some of their pictures: `guidance.tuning.lesson`'s steps."""
    _must_be_here(model)
    teaching = _learn_there if ZERO_GPU else _learn
    yield from teaching(model, dict(classes), shots, weight, epochs, seed)


def explain_phrasings(
    model: str, image: Image.Image, labels: Sequence[str], phrasings: Sequence[str]
) -> explain.Stability:
    """Labels in many phrasings about one picture; ValueError as for `explain_picture`."""
    _must_be_here(model)
    asking = _explain_phrasings_there if ZERO_GPU else _explain_phrasings
    return asking(model, image, tuple(labels), tuple(phrasings))


def fetch(model: str, progress: Progress | None = None) -> None:
    """Makes sure that a model's files are on this machine; a built-in one's always are. Loads nothing.

    ValueError for an unknown model, and for one that cannot be had now. `progress(fraction, what)` is called while a
    file is downloaded.
    """
    import explain
    from explain import weights
    from explain.catalogue import find

    entry = find(model)
    missing = _missing(entry)
    if not missing:
        return
    problem = explain.available(entry)
    if problem is not None:
        raise explain.ModelUnavailable(problem)
    try:
        for name in missing:
            weights.fetch(entry.repository, name, progress)
    except explain.ModelUnavailable:
        raise
    except Exception as error:  # whatever the hub's client, the network or the disk raises
        reason = getattr(error, "strerror", None) or type(error).__name__  # their texts name our folders
        raise explain.ModelUnavailable(
            f"{entry.label} could not be downloaded ({reason}): try again"
        ) from error


def check(model: str) -> None:
    """ValueError for an unknown model, and if TOKENLIGHT_DEVICE names no device or one that this machine lacks.

    Imports torch only to look for the GPU that was asked for.
    """
    from explain.catalogue import find

    find(model)
    if ZERO_GPU or DEVICE in ("auto", "cpu"):
        return
    if not re.fullmatch(r"cuda(:\d+)?|mps", DEVICE):
        raise ValueError(f"TOKENLIGHT_DEVICE is {DEVICE!r}; allowed: auto, cpu, cuda, cuda:<number>, mps")
    import explain

    try:
        explain.load("toy-vit", device=DEVICE)
    except explain.ModelUnavailable:
        return  # another model may be there
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"TOKENLIGHT_DEVICE is {DEVICE!r}: {str(error).splitlines()[0]}") from error


def start(model: str) -> None:
    """Make the first answer quick: models onto the lent GPU now, or elsewhere `model` in the background."""
    if ZERO_GPU:
        import explain

        for name in dict.fromkeys([model, *(e.name for e in explain.CATALOGUE.values() if e.local)]):
            fetch(name)
            load_model(name)
        return
    threading.Thread(target=_warm, args=(model,), name="warm-up", daemon=True).start()


def _warm(model: str) -> None:
    try:
        fetch(model)
        load_model(model)
    except (ValueError, OSError) as error:
        print(f"{model} could not be loaded ahead of the first visitor: {error}")


def load_model(model: str) -> explain.Clip:
    """A model of the catalogue. The library also loads directories, which is not for visitors."""
    import explain
    from explain.catalogue import find

    return explain.load(find(model).name, device="cuda" if ZERO_GPU else DEVICE)


def _missing(entry: explain.Entry) -> list[str]:
    """The files of a model that would have to be downloaded; a built-in model has none."""
    from explain import weights

    if entry.local:
        return []
    return [name for name in entry.files if weights.cached(entry.repository, name) is None]


def _must_be_here(model: str) -> None:
    import explain
    from explain.catalogue import find

    entry = find(model)
    if _missing(entry):
        raise explain.ModelUnavailable(
            explain.available(entry)
            or f"{entry.label} ({entry.megabytes} MB) is not on this machine yet: choose it on the page, which "
            "downloads it, and ask again when the page has answered"
        )


def _seconds(
    model: str, image: Image.Image, prompts: Sequence[str] | str, methods: Sequence[str], random: bool = False
) -> int:
    """How long ZeroGPU should lend the GPU: visitors have few minutes a day, so as short as is safe.

    Built-in models wait on the GPU; others are loaded there in each call, at some 100 MB a second from a busy disk.
    Methods that run the model on hundreds of altered pictures take as long as ten others.
    """
    from explain.catalogue import find
    from explain.methods import METHODS

    entry = find(model)
    loading = 0 if entry.local else 3 + entry.megabytes // 100
    slow = sum(name in METHODS and METHODS[name].own_forwards for name in methods)
    asked = 1 if isinstance(prompts, str) else len(prompts)
    return min(60, 6 + asked * len(methods) + 10 * slow + loading)


def _phrasing_seconds(model: str, image: Image.Image, labels: Sequence[str], phrasings: Sequence[str]) -> int:
    """The same for labels in phrasings: some hundred texts a second, on the safe side."""
    return min(60, _seconds(model, image, "", ()) + len(labels) * len(phrasings) // 20)


def _explain(
    model: str,
    image: Image.Image,
    prompts: tuple[str, ...],
    methods: tuple[str, ...],
) -> dict[str, list[explain.Explanation]]:
    import explain

    with _memory_in_plain_words(model):
        clip = load_model(model)
        return explain.explain_methods(clip, image, prompts, methods)


def _explain_phrasings(
    model: str, image: Image.Image, labels: tuple[str, ...], phrasings: tuple[str, ...]
) -> explain.Stability:
    import explain

    with _memory_in_plain_words(model):
        return explain.explain_phrasings(load_model(model), image, labels, phrasings)


def _compare(
    model: str, image: Image.Image, prompt: str, methods: tuple[str, ...], random_weights: bool
) -> Iterator[tuple[str, Any, float]]:
    import explain

    with _memory_in_plain_words(model):
        clip = _without_training(model) if random_weights else load_model(model)
        depth = explain.explain_depth(clip, image, prompt)
    yield DEPTH, depth, 0.0
    supported = [name for name in methods if explain.METHODS[name].supports(clip) is None]
    answers = explain.each_method(clip, image, [prompt], supported)
    for _ in supported:
        with _memory_in_plain_words(
            model
        ):  # nothing is yielded in here: the next step may be another thread's
            name, (explanation,), seconds = next(answers)
        yield name, explanation, seconds


def _learn(
    model: str, classes: dict[str, list[str]], shots: int, weight: float, epochs: int, seed: int
) -> Iterator[Any]:
    from guidance.tuning.examples import GivenExamples
    from guidance.tuning.lesson import lesson
    from guidance.tuning.measuring import Variant
    from guidance.tuning.settings import TuningSettings

    variant = Variant("page", shots, tuning=TuningSettings(weight=weight, epochs=epochs))
    with _memory_in_plain_words(model):
        steps = lesson(load_model(model), GivenExamples(classes), variant, seed)
    while True:
        with _memory_in_plain_words(model):
            step = next(steps, None)
        if step is None:
            return
        yield step


def _lesson_seconds(
    model: str, classes: dict[str, list[str]], shots: int, weight: float, epochs: int, seed: int
) -> int:
    """How long ZeroGPU should lend the GPU for a lesson: views of all pictures, and two runs of all epochs."""
    from explain.catalogue import find

    entry = find(model)
    pictures = sum(map(len, classes.values()))
    return min(120, 10 + pictures // 8 + epochs // 2 + (0 if entry.local else 3 + entry.megabytes // 100))


@lru_cache(maxsize=1)  # only whoever holds the model's lane comes here
def _without_training(model: str) -> explain.Clip:
    import explain

    return explain.randomised(load_model(model))


@contextmanager
def _memory_in_plain_words(model: str) -> Iterator[None]:
    """Out of memory is no crash: say so, and what helps."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and "out of memory" not in str(error).lower():
            raise
        raise ValueError(
            f"There is not enough memory for {model} with this picture and these prompts: "
            "choose a smaller model or fewer prompts"
        ) from error


if ZERO_GPU:
    _explain_there = spaces.GPU(duration=_seconds)(_explain)
    _compare_there = spaces.GPU(duration=_seconds)(_compare)
    _learn_there = spaces.GPU(duration=_lesson_seconds)(_learn)
    _explain_phrasings_there = spaces.GPU(duration=_phrasing_seconds)(_explain_phrasings)
