"""Requests to models: where they live is up to device.py. The GPU of a ZeroGPU Space is lent for each answer.

`model` and `methods` are names from explain's CATALOGUE and METHODS; anything else is a ValueError. So is a model that
is not on this machine: nobody waits for a download here, see `device.fetch`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ui.models import device

if TYPE_CHECKING:
    from PIL import Image

    import explain
    from guidance.objectives.word_relevance import WordReading

DEPTH = "depth"  # not a method: the first of what `compare` yields


def model_of(image: Image.Image) -> explain.Chosen:
    """The model for a picture that nobody chose a model for. On ZeroGPU it is chosen on the CPU, which costs nobody."""
    from explain import automatic

    return automatic.choose(image, "cpu" if device.ZERO_GPU else device.DEVICE)


def model_of_scenes() -> explain.Chosen:
    """The model for drawn scenes."""
    from explain import automatic

    return automatic.for_scenes()


def explain_picture(
    model: str,
    image: Image.Image,
    prompts: Sequence[str],
    methods: Sequence[str],
) -> dict[str, list[explain.Explanation]]:
    """Explanations of one picture: method name -> one per prompt, in the order of the prompts."""
    device.must_be_here(model)
    return _explain(model, image, tuple(prompts), tuple(methods))


def explain_phrasings(
    model: str, image: Image.Image, labels: Sequence[str], phrasings: Sequence[str]
) -> explain.Stability:
    """Labels in many phrasings about one picture."""
    device.must_be_here(model)
    return _explain_phrasings(model, image, tuple(labels), tuple(phrasings))


def explain_many(
    model: str, files: Mapping[str, str], labels: Sequence[str], phrasings: Sequence[str]
) -> explain.FolderStability:
    """Explains labels in many phrasings about many pictures, files by name."""
    device.must_be_here(model)
    return _explain_many(model, dict(files), tuple(labels), tuple(phrasings))


def read_words(model: str, image: Image.Image, prompt: str) -> tuple[WordReading, ...]:
    """How much a picture makes of every word of its prompt, by the rule by which words are neglected."""
    device.must_be_here(model)
    return _read_words(model, image, prompt)


def compare(
    model: str, image: Image.Image, prompt: str, methods: Sequence[str], random_weights: bool = False
) -> Iterator[tuple[str, Any, float]]:
    """Many methods about one picture and prompt, each as soon as it is ready: (name, Explanation, seconds).

    First comes (DEPTH, similarity maps after every block, 0.0). Methods that the model lacks are left out.
    `random_weights`: asks the same architecture with weights that were never trained.
    """
    device.must_be_here(model)
    yield from _compare(model, image, prompt, tuple(methods), random_weights)


def learn(
    model: str, classes: Mapping[str, list[str]], shots: int, weight: float, epochs: int, seed: int
) -> Iterator[Any]:
    """Teach a model classes, from the files of some of their pictures: `guidance.tuning.lesson`'s steps."""
    device.must_be_here(model)
    yield from _learn(model, dict(classes), shots, weight, epochs, seed)


def _seconds(
    model: str, image: Image.Image, prompts: Sequence[str] | str, methods: Sequence[str], random: bool = False
) -> int:
    """How long ZeroGPU should lend the GPU: visitors have few minutes a day, so as short as is safe.

    Methods that run the model on hundreds of altered pictures take as long as ten others.
    """
    from explain.methods import METHODS

    slow = sum(name in METHODS and METHODS[name].own_forwards for name in methods)
    asked = 1 if isinstance(prompts, str) else len(prompts)
    return min(60, 6 + asked * len(methods) + 10 * slow + _loading_seconds(model))


def _word_seconds(model: str, image: Image.Image, prompt: str) -> int:
    """Returns the seconds of GPU to lend for the words of one prompt."""
    return 6 + _loading_seconds(model)


def _phrasing_seconds(model: str, image: Image.Image, labels: Sequence[str], phrasings: Sequence[str]) -> int:
    """Returns the seconds of GPU to lend for labels in phrasings: some hundred texts a second, on the safe side."""
    return min(60, 6 + len(labels) * len(phrasings) // 20 + _loading_seconds(model))


def _many_seconds(model: str, files: dict[str, str], labels: Sequence[str], phrasings: Sequence[str]) -> int:
    """Returns the seconds of GPU to lend for many pictures, each asking for the words of a label in all phrasings."""
    return min(120, 6 + len(files) + len(labels) * len(phrasings) // 10 + _loading_seconds(model))


def _lesson_seconds(
    model: str, classes: dict[str, list[str]], shots: int, weight: float, epochs: int, seed: int
) -> int:
    """Returns the seconds of GPU to lend for a lesson: views of all pictures, and two runs of all epochs."""
    pictures = sum(map(len, classes.values()))
    return min(120, 10 + pictures // 8 + epochs // 2 + _loading_seconds(model))


def _loading_seconds(model: str) -> int:
    """Built-in models wait on the GPU; others are loaded there in each call, at some 100 MB a second from a busy
    disk.
    """
    from explain.clip.catalogue import find

    entry = find(model)
    return 0 if entry.local else 3 + entry.megabytes // 100


@device.lent(_seconds)
def _explain(
    model: str,
    image: Image.Image,
    prompts: tuple[str, ...],
    methods: tuple[str, ...],
) -> dict[str, list[explain.Explanation]]:
    import explain

    with device.memory_in_plain_words(model):
        return explain.explain_methods(device.load_model(model), image, prompts, methods)


@device.lent(_phrasing_seconds)
def _explain_phrasings(
    model: str, image: Image.Image, labels: tuple[str, ...], phrasings: tuple[str, ...]
) -> explain.Stability:
    import explain

    with device.memory_in_plain_words(model):
        return explain.explain_phrasings(device.load_model(model), image, labels, phrasings)


@device.lent(_many_seconds)
def _explain_many(
    model: str, files: dict[str, str], labels: tuple[str, ...], phrasings: tuple[str, ...]
) -> explain.FolderStability:
    from explain.inputs.folders import readable
    from explain.stability.many_pictures import explain_pictures

    skipped: list[str] = []
    with device.memory_in_plain_words(model):
        pictures = readable(files, skipped)
        return explain_pictures(device.load_model(model), pictures, labels, phrasings, skipped=skipped)


@device.lent(_word_seconds)
def _read_words(model: str, image: Image.Image, prompt: str) -> tuple[WordReading, ...]:
    from guidance.editing.canvas import read_picture
    from guidance.objectives.words import read_words

    with device.memory_in_plain_words(model):
        canvas = read_picture(image, (image.height, image.width))
        (found,) = read_words(device.load_model(model), canvas.image, [prompt], form="neglected")
    return found.words


@device.lent(_seconds)
def _compare(
    model: str, image: Image.Image, prompt: str, methods: tuple[str, ...], random_weights: bool
) -> Iterator[tuple[str, Any, float]]:
    import explain

    with device.memory_in_plain_words(model):
        clip = _without_training(model) if random_weights else device.load_model(model)
        depth = explain.explain_depth(clip, image, prompt)
    yield DEPTH, depth, 0.0
    supported = [name for name in methods if explain.METHODS[name].supports(clip) is None]
    answers = explain.each_method(clip, image, [prompt], supported)
    for _ in supported:
        # Nothing is yielded in here: the next step may be another thread's.
        with device.memory_in_plain_words(model):
            name, (explanation,), seconds = next(answers)
        yield name, explanation, seconds


@device.lent(_lesson_seconds)
def _learn(
    model: str, classes: dict[str, list[str]], shots: int, weight: float, epochs: int, seed: int
) -> Iterator[Any]:
    from guidance.tuning.examples import GivenExamples
    from guidance.tuning.lesson import lesson
    from guidance.tuning.settings import TuningSettings, Variant

    variant = Variant("page", shots, tuning=TuningSettings(weight=weight, epochs=epochs))
    with device.memory_in_plain_words(model):
        steps = lesson(device.load_model(model), GivenExamples(classes), variant, seed)
    while True:
        with device.memory_in_plain_words(model):
            step = next(steps, None)
        if step is None:
            return
        yield step


@lru_cache(maxsize=1)  # only whoever holds the model's lane comes here
def _without_training(model: str) -> explain.Clip:
    import explain

    return explain.randomised(device.load_model(model))
