"""Single values that somebody typed: texts and numbers, checked. ValueErrors name the value and what is allowed."""

import math
import numbers
from collections.abc import Iterable

_LONGEST_SHOWN = 60  # characters


def text(name: str, value: object, most: int, empty: bool = False) -> str:
    """A text of at most `most` characters, without those that are not printed. `empty`: there may be none."""
    from explain.clip.prompts import clean  # here: it brings torch, which boxes do not need

    if not isinstance(value, str):
        raise ValueError(f"{name} is {shown(value)}; allowed: text")
    found = clean(value) if len(value) <= 10 * most else value
    if len(found) > most:
        raise ValueError(f"{name} has {len(found)} characters; allowed: up to {most}")
    if not found and not empty:
        raise ValueError(f"{name} is empty; allowed: 1 to {most} characters")
    return found


def number(name: str, value: object, least: float = 0, most: float = 1) -> float:
    """A finite number; `least` and `most` only say in the message what is allowed."""
    if not isinstance(value, bool) and isinstance(value, numbers.Real):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if math.isfinite(found):
            return found
    raise ValueError(f"{name} is {shown(value)}; allowed: a number from {least:g} to {most:g}")


def within(name: str, value: object, least: float, most: float) -> float:
    """A number from `least` to `most`."""
    found = number(name, value, least, most)
    if not least <= found <= most:
        raise ValueError(f"{name} is {found:.6g}; allowed: a number from {least:g} to {most:g}")
    return found


def whole(name: str, value: object, least: int, most: int, shown_most: str = "") -> int:
    """A whole number from `least` to `most`, which a message may write in another way."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not least <= value <= most:
        raise ValueError(
            f"{name} is {shown(value)}; allowed: a whole number from {least} to {shown_most or most}"
        )
    return int(value)


def choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """One of a few names."""
    if value not in choices:
        raise ValueError(f"{name} is {shown(value)}; allowed: {', '.join(choices)}")


def without_effect(options: object, names: Iterable[str], why: str) -> None:
    """ValueError for options of a command (not None) that would do nothing."""
    for name in names:
        if getattr(options, name) is not None:
            raise ValueError(f"--{name} does nothing {why}; allowed: without it")


def shown(value: object) -> str:
    """A value as a message repeats it: what a visitor sent may be long."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST_SHOWN else value[: _LONGEST_SHOWN - 1] + "…")
    if value is None or isinstance(value, numbers.Real):
        return str(value)
    return f"of type {type(value).__name__}"


def listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
