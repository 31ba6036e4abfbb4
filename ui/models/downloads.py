"""Downloads that visitors wait for: one per model, however many wait, and nobody who waits holds a lane or a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from ui.models import device

SECONDS = 0.25  # between two looks at how far a download is
THREADS = 16  # more than the catalogue has models that are downloaded


@dataclass
class _Download:
    """`fraction` in [0, 1] and `what`, as device.fetch reports them; `what` is "" as long as nothing is fetched."""

    fraction: float = 0.0
    what: str = ""
    done: Future[None] = field(default_factory=Future)

    def progress(self, fraction: float, what: str) -> None:
        self.fraction, self.what = fraction, what


_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="download")
_running: dict[str, _Download] = {}
_guard = threading.Lock()


Fetch = Callable[[str, device.Progress], None]


async def wait_for(model: str, progress: device.Progress, fetch: Fetch | None = None) -> None:
    """Returns when the model's files are on this machine; ValueError, for all who wait, if they cannot be had.

    `fetch`: for what is no CLIP; its names are none of theirs. Who leaves no longer waits; the download goes on.
    """
    download = _join(model, fetch or device.fetch)
    done = asyncio.wrap_future(download.done)
    while not (await asyncio.wait({done}, timeout=SECONDS))[0]:
        if download.what:
            progress(download.fraction, download.what)
    done.result()


def _join(model: str, fetch: Fetch) -> _Download:
    """The download of this model that is running, or a new one."""
    with _guard:
        download = _running.get(model)
        if download is None:
            download = _running[model] = _Download()
            _threads.submit(_run, model, fetch, download)
        return download


def _run(model: str, fetch: Fetch, download: _Download) -> None:
    problem: BaseException | None = None
    try:
        fetch(model, download.progress)
    except BaseException as error:  # handed on to those who wait
        problem = error
    with _guard:
        del _running[model]
    if problem is None:
        download.done.set_result(None)
    else:
        download.done.set_exception(problem)
