"""A long measurement in stretches that can be kept: what was finished before an interruption is not made again.

A stretch is a range of pictures in one phase; what it found is a record that JSON can hold, numbers bit for bit. In the
folder of a run, `run.json` says of what run it is, and every stretch has a file, its digest in the first line. Files
appear whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from explain.clip.model import Clip

STRETCH = 32  # pictures: little is lost, and a batch of the image tower is whole
SETTINGS = "run.json"

Record = dict[str, Any]


class Stretches:
    """The stretches of one run. Without a folder they are measured and not kept.

    ValueError, and nothing changed, for a folder that holds another run or anything else. `note` is told of a
    stretch that cannot be used.
    """

    def __init__(
        self, folder: Path | None, settings: Record, note: Callable[[str], None] = lambda text: None
    ) -> None:
        self.folder, self.settings, self.note = folder, settings, note
        if folder is not None:
            _check(folder, settings)

    def earlier(self, phase: str, first: int, stop: int) -> Record | None:
        """The record of a stretch that was finished, or None; a damaged one is as good as none."""
        if self.folder is None:
            return None
        path = self._path(phase, first, stop)
        try:
            digest, _, text = path.read_text(encoding="utf-8").partition("\n")
            if digest == _digest(text):
                return json.loads(text)
        except FileNotFoundError:
            return None
        except ValueError:  # not UTF-8
            pass
        self.note(f"{path.name} is damaged: its pictures are measured anew")
        return None

    def keep(self, phase: str, first: int, stop: int, record: Record) -> None:
        """Writes a finished stretch."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / SETTINGS).exists():
            write(self.folder / SETTINGS, json.dumps(self.settings, indent=2))
        text = json.dumps(record, separators=(",", ":"))
        write(self._path(phase, first, stop), f"{_digest(text)}\n{text}")

    def each(
        self, phase: str, borders: Iterable[int], measure: Callable[[int, int], Record]
    ) -> Iterator[tuple[Record, bool]]:
        """(record, whether it was kept from earlier) of every stretch between borders, in their order."""
        edges = sorted(set(borders))
        for first, stop in pairwise(edges):
            found = self.earlier(phase, first, stop)
            if found is not None:
                yield found, True
                continue
            record = measure(first, stop)
            self.keep(phase, first, stop, record)
            yield record, False

    def _path(self, phase: str, first: int, stop: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{phase}-{first:06d}-{stop:06d}.json"


def borders(count: int, *others: int) -> list[int]:
    """Where stretches of `count` pictures begin and end; `others` are borders too, so that all pictures of a stretch
    are measured alike.
    """
    return sorted({*range(0, count, STRETCH), count, *(min(other, count) for other in others)})


def write(path: Path, text: str) -> None:
    """Writes a whole file or none: a run that dies leaves the last one as it was."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def weights_digest(clip: Clip) -> str:
    """SHA-256 of all weights, ECLIP's too: about a second per gigabyte."""
    digest = hashlib.sha256()
    tensors = dict(clip.model.state_dict())
    if clip.eclip is not None:
        tensors |= {"eclip.weight": clip.eclip.weight, "eclip.bias": clip.eclip.bias}
    for name, values in tensors.items():
        digest.update(f"{name} {tuple(values.shape)} {values.dtype}".encode())
        digest.update(values.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _check(folder: Path, settings: Record) -> None:
    allowed = "allowed: an empty or new folder, or one of a run with the same settings"
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder.name!r} is a file; {allowed}")
    # What a run that died left half written is no stretch.
    if not folder.exists() or all(path.suffix == ".partial" for path in folder.iterdir()):
        return
    try:
        there = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{folder.name!r} is not empty and holds no run; {allowed}") from None
    except ValueError as error:
        raise ValueError(f"{SETTINGS} in {folder.name!r} cannot be read; {allowed}") from error
    if not isinstance(there, dict):
        raise ValueError(f"{SETTINGS} in {folder.name!r} cannot be read; {allowed}")
    for name, value in settings.items():
        if there.get(name) != value:
            was, now = (str(each)[:60] for each in (there.get(name), value))
            raise ValueError(
                f"{folder.name!r} holds another run: its {name} is {was}, this one's {now}; {allowed}"
            )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
