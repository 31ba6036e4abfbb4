"""How far a long run is, and how long it will still take, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

_EVERY = 0.2  # seconds between two lines on a terminal
_EVERY_LOG = 10.0  # and where the lines are kept


class Progress:
    """Call it with what is done, how many are done, and of how many. The first call of each kind is its start: what
    an earlier run had done by then does not count in the time that is left.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.clock = stream or sys.stderr, clock
        self._what = ""
        self._begun = self._said = 0.0
        self._first = self._width = 0
        self._ended = False

    def __call__(self, what: str, done: int, total: int) -> None:
        now = self.clock()
        if what != self._what:
            self.close()
            self._what, self._begun, self._first, self._said = what, now, done, now - _EVERY_LOG
            self._ended = False
        live = self.stream.isatty()
        if self._ended or (done < total and now - self._said < (_EVERY if live else _EVERY_LOG)):
            return
        self._said, self._ended = now, done >= total
        line = f"{what}: {done} of {total}{self._left(now, done, total)}"
        if live:
            print(f"\r{line:{self._width}}", end="", file=self.stream, flush=True)
            self._width = len(line)
        elif done > self._first or done >= total:
            print(line, file=self.stream, flush=True)
        if done >= total:
            self.close()

    def note(self, text: str) -> None:
        """A line of its own."""
        self.close()
        print(text, file=self.stream, flush=True)

    def close(self) -> None:
        """Ends a line that was begun, so that the next message has its own."""
        if self._width:
            print(file=self.stream, flush=True)
        self._width = 0

    def _left(self, now: float, done: int, total: int) -> str:
        spent, made = now - self._begun, done - self._first
        if done >= total:
            return f", {spent:.0f} s" if made else ""
        return f", about {duration(spent / made * (total - done))} left" if made else ""


def duration(seconds: float) -> str:
    """A time as people say it: "40 s", "5 min", "2 h 10 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
