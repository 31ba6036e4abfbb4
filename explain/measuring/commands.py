"""How long commands begin and end, the same for all: outputs checked before the work, one line for what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from explain.measuring.progress import Progress


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
