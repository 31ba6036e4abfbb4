"""A folder of pictures: a folder per class, or all in one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from PIL import Image

from explain.inputs.images import ALLOWED, read_image

Report = Callable[[str, int, int], None]  # of what, how many are done, of how many

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, eq=False)
class NamedPicture:
    """A picture, its name, and the label that is true of it, where that is known."""

    name: str
    label: str | None
    image: Image.Image


@dataclass(frozen=True)
class PictureFolder:
    """Contents of a folder. `files`: (path, class or None), in the order of their names; `classes`: the names of the
    folders in it, underscores as spaces, empty for pictures in one folder; `empty`: those of them without pictures.
    """

    root: Path
    files: tuple[tuple[Path, str | None], ...]
    classes: tuple[str, ...]
    empty: tuple[str, ...]

    def by_class(self, skipped: list[str]) -> dict[str, list[Path]]:
        """The files of every class, unopened; of one that a link leads out of the folder, what is wrong is appended to
        `skipped`.
        """
        found: dict[str, list[Path]] = {name: [] for name in self.classes}
        for path, label in self.files:
            name = path.relative_to(self.root).as_posix()
            try:
                found[str(label)].append(inside(self.root, name))
            except ValueError as error:
                skipped.append(f"{name}: {error}")
        return found

    def readable(self, skipped: list[str]) -> Iterator[NamedPicture]:
        """The pictures, opened one at a time; of one that cannot be used, what is wrong is appended to `skipped`."""
        for path, label in self.files:
            name = path.relative_to(self.root).as_posix()
            try:
                yield NamedPicture(name, label, read_image(inside(self.root, name)))
            except ValueError as error:
                skipped.append(f"{name}: {error}")


def readable(files: Mapping[str, str | PathLike], skipped: list[str]) -> Iterator[NamedPicture]:
    """Pictures by their names, opened one at a time, of which no label is known; of one that cannot be used, what is
    wrong is appended to `skipped`.
    """
    for name, file in files.items():
        try:
            yield NamedPicture(name, None, read_image(file))
        except ValueError as error:
            skipped.append(f"{name}: {error}")


def read_folder(folder: str | PathLike) -> PictureFolder:
    """The pictures of a folder, by the endings of their names; hidden files and everything else are passed over.

    ValueError where there is no folder, no picture, or where pictures lie beside folders that hold pictures.
    """
    root, shown = Path(folder), repr(os.fspath(folder))[:200]
    if not root.is_dir():
        raise ValueError(
            f"there is no folder {shown}; allowed: a folder of pictures, or of a folder per class"
        )
    loose = _pictures(root)
    folders = [path for path in _visible(root) if path.is_dir()]
    held = [(path, _pictures(path)) for path in folders]
    if loose and any(found for _, found in held):
        raise ValueError(
            f"{shown} holds pictures and folders of pictures; allowed: pictures, or a folder per class"
        )
    if loose:
        return PictureFolder(root, tuple((path, None) for path in loose), (), ())
    names = [" ".join(path.name.replace("_", " ").split()) for path in folders]
    files = tuple((path, name) for name, (_, found) in zip(names, held, strict=True) for path in found)
    if not files:
        raise ValueError(f"there is no picture in {shown}; allowed: {ALLOWED}")
    empty = tuple(name for name, (_, found) in zip(names, held, strict=True) if not found)
    return PictureFolder(root, files, tuple(names), empty)


def counted(pictures: Iterable[NamedPicture], total: int, report: Report) -> Iterator[NamedPicture]:
    """The pictures, each reported as it is taken; some of the `total` may be missing."""
    for done, picture in enumerate(pictures):
        report("pictures", done, total)
        yield picture
    report("pictures", total, total)


def _pictures(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.suffix.lower() in ENDINGS and not path.is_dir()]


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def inside(folder: Path, name: str) -> Path:
    """The file `name` of a folder. ValueError where the name, or a link, leads out of it.

    The folder itself may be a link: it is the user's, and the names are of whoever made the data set.
    """
    path = folder / plain(name, f"{folder.name}/")
    try:
        leads_out = not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a link to itself, a name too long
        leads_out = True
    if leads_out:
        raise ValueError(f"{_shown(path)} leads outside; allowed: files in {folder.name!r}")
    return path


def plain(name: object, source: str) -> str:
    """A file's name as a list or a json file gives it. ValueError where it could lead out of its folder."""
    if (
        not isinstance(name, str)
        or not name.strip()
        or "\0" in name
        or os.path.isabs(name)
        or ".." in name.replace("\\", "/").split("/")
    ):
        raise ValueError(
            f"{source} names the file {str(name)[:80]!r}; allowed: names inside its folder, without '..'"
        )
    return name


def _shown(path: Path) -> str:
    return repr("/".join(path.parts[-2:])[-120:])
