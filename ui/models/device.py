"""Where models live: this file alone decides. Import it first, before anything that may touch a GPU.

On a ZeroGPU Space the GPU is lent call by call to a forked worker: `spaces` is imported before torch, the built-in
models are put on the GPU at start-up, and arguments and results are pickled. Elsewhere a model is loaded on first
use, on the GPU if the machine has one, and stays in this process.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import explain

ZERO_GPU = os.environ.get("SPACES_ZERO_GPU", "").lower() in {"1", "true"}
DEVICE = os.environ.get("TOKENLIGHT_DEVICE", "").strip() or "auto"  # empty is as good as unset
DEFAULT_MODEL = os.environ.get("TOKENLIGHT_MODEL", "").strip() or "automatic"

if ZERO_GPU:
    import spaces

Progress = Callable[[float, str], None]
Run = TypeVar("Run", bound=Callable[..., Any])


def lent(seconds: Callable[..., int]) -> Callable[[Run], Run]:
    """For what needs the GPU: on ZeroGPU it is lent for so many seconds of a call with the same arguments, which are
    given without their names. A generator function keeps it until its last step.
    """
    if ZERO_GPU:
        return spaces.GPU(duration=seconds)
    return lambda run: run


def fetch(model: str, progress: Progress | None = None) -> None:
    """Makes sure that a model's files are on this machine; a built-in one's always are. Loads nothing.

    ValueError for an unknown model, and for one that cannot be had now. `progress(fraction, what)` is called while a
    file is downloaded.
    """
    import explain
    from explain.clip import weights
    from explain.clip.catalogue import AUTOMATIC, find

    if model == AUTOMATIC:  # chosen among those that are here
        return
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
    from explain.clip.catalogue import AUTOMATIC, find

    if model != AUTOMATIC:
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

        for name in dict.fromkeys(
            [*_opened(model), *(e.name for e in explain.CATALOGUE.values() if e.local)]
        ):
            fetch(name)
            load_model(name)
        return
    threading.Thread(target=_warm, args=(model,), name="warm-up", daemon=True).start()


def _opened(model: str) -> list[str]:
    """The models that the first answers need; left to the pictures, those of drawn scenes and of photographs."""
    from explain import automatic

    if model != automatic.AUTOMATIC:
        return [model]
    return [automatic.for_scenes().model, automatic.PHOTOGRAPHS]


def _warm(model: str) -> None:
    try:
        for name in _opened(model):
            fetch(name)
            load_model(name)
    except (ValueError, OSError) as error:
        print(f"{model} could not be loaded ahead of the first visitor: {error}")


def load_model(model: str) -> explain.Clip:
    """A model of the catalogue. The library also loads directories, which is not for visitors."""
    import explain
    from explain.clip.catalogue import find

    return explain.load(find(model).name, device="cuda" if ZERO_GPU else DEVICE)


def _missing(entry: explain.Entry) -> list[str]:
    """The files of a model that would have to be downloaded; a built-in model has none."""
    from explain.clip import weights

    if entry.local:
        return []
    return [name for name in entry.files if weights.cached(entry.repository, name) is None]


def must_be_here(model: str) -> None:
    """ModelUnavailable for a model some of whose files are not on this machine, ValueError for an unknown one."""
    import explain
    from explain.clip.catalogue import find

    entry = find(model)
    if _missing(entry):
        raise explain.ModelUnavailable(
            explain.available(entry)
            or f"{entry.label} ({entry.megabytes} MB) is not on this machine yet: choose it on the page, which "
            "downloads it, and ask again when the page has answered"
        )


@contextmanager
def memory_in_plain_words(model: str) -> Iterator[None]:
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
