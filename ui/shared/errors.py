"""From the library's ValueError to a message on the page: the same sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import gradio as gr

from ui.shared.text import sentence

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def in_plain_words() -> Iterator[None]:
    """Turns what a visitor can mend into a message, not a crash; the full disk of the server too."""
    try:
        yield
    except ValueError as error:
        raise gr.Error(
            sentence(str(error)), duration=12, title="That did not work", print_exception=False
        ) from error
    except OSError as error:
        text = f"The server could not read or write a file ({error.strerror or type(error).__name__}). Try again later."
        raise gr.Error(text, duration=12, title="That did not work") from error


def told(function: Callable[P, R]) -> Callable[P, R]:
    """A handler whose ValueError is told to the visitor."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with in_plain_words():
            return function(*args, **kwargs)

    return wrapper
