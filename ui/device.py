"""Where models live: this file alone decides. Import it first, before anything that may touch a GPU.

On a ZeroGPU Space the GPU is lent call by call to a forked worker: `spaces` is imported before torch, the built-in
models are put on the GPU at start-up, and arguments and results are pickled. Elsewhere a model is loaded on first
use, on the GPU if the machine has one, and stays in this process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    import explain

ZERO_GPU = os.environ.get("SPACES_ZERO_GPU", "").lower() in {"1", "true"}
DEVICE = os.environ.get("TOKENLIGHT_DEVICE", "auto")
DEFAULT_MODEL = os.environ.get("TOKENLIGHT_MODEL", "toy-vit")

if ZERO_GPU:
    import spaces

Progress = Callable[[float, str], None]


def explain_picture(
    model: str,
    image: Image.Image,
    prompts: Sequence[str],
    methods: Sequence[str],
    progress: Progress | None = None,
) -> dict[str, list[explain.Explanation]]:
    """Explanations of one picture: method name -> one per prompt, in the order of the prompts.

    `model` and `methods` are names from explain's CATALOGUE and METHODS; anything else is a ValueError.
    `progress(fraction, what)` is called while a model is fetched; not from a ZeroGPU worker, which cannot call back.
    """
    if ZERO_GPU:
        return _explain_there(model, image, tuple(prompts), tuple(methods))
    return _explain(model, image, tuple(prompts), tuple(methods), progress)


def start(model: str) -> None:
    """Make the first answer quick: models onto the lent GPU now, or elsewhere `model` in the background."""
    if ZERO_GPU:
        import explain

        for name in dict.fromkeys([model, *(e.name for e in explain.CATALOGUE.values() if e.local)]):
            _load(name)
        return
    threading.Thread(target=_warm, args=(model,), name="warm-up", daemon=True).start()


def _warm(model: str) -> None:
    try:
        _load(model)
    except (ValueError, OSError) as error:
        print(f"{model} could not be loaded ahead of the first visitor: {error}")


def _load(model: str, progress: Progress | None = None) -> explain.Clip:
    """A model of the catalogue. The library also loads directories, which is not for visitors."""
    import explain
    from explain.catalogue import find

    return explain.load(find(model).name, device="cuda" if ZERO_GPU else DEVICE, progress=progress)


def _seconds(model: str, image: Image.Image, prompts: Sequence[str], methods: Sequence[str]) -> int:
    """How long ZeroGPU should lend the GPU: visitors have few minutes a day, so as short as is safe."""
    return min(60, 6 + len(prompts) * len(methods))


def _explain(
    model: str,
    image: Image.Image,
    prompts: tuple[str, ...],
    methods: tuple[str, ...],
    progress: Progress | None = None,
) -> dict[str, list[explain.Explanation]]:
    import explain

    with _memory_in_plain_words(model):
        clip = _load(model, progress)
        return explain.explain_methods(clip, image, prompts, methods)


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
