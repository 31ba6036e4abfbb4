"""How far a long run is, and how long it will still take, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
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


def ended(
    name: str,
    run: Callable[[], str],
    progress: Progress,
    work: Path | None = None,
    errors: tuple[type[Exception], ...] = (ValueError, OSError),
) -> int:
    """Runs a command and prints what it returns. 0 when done; 2 after one line on stderr that says what is wrong, 130
    after one that says it was interrupted. `work`: the folder from which the same command would go on.
    """
    try:
        text = run()
    except errors as error:
        progress.close()
        print(f"{name}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        progress.close()
        kept = f"; the same command goes on from {work}" if work is not None else ""
        print(f"{name}: interrupted{kept}", file=sys.stderr)
        return 130
    print(text)
    return 0


def check_outputs(files: Iterable[Path | None], folders: Iterable[tuple[Path | None, str]] = ()) -> None:
    """Before hours of work: whether what they find can be written. Folders come with what they are for."""
    for path in files:
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            raise ValueError(f"{str(path)!r} cannot be written; allowed: a file in a folder that exists")
    for path, what in folders:
        if path is not None and path.exists() and not path.is_dir():
            raise ValueError(f"{str(path)!r} is a file; allowed: a folder for {what}")
