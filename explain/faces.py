"""Packages whose public names are imported when they are first asked for (PEP 562): a catalogue needs no torch."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def lazily(
    package: str, homes: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Makes `__getattr__` and `__dir__` for a package. `homes`: its modules and the public names of each; under "" the
    modules that are public themselves.
    """
    modules = {name: home for home, names in homes.items() for name in names}

    def find(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = modules[name]
        found = (
            getattr(import_module(f"{package}.{home}"), name) if home else import_module(f"{package}.{name}")
        )
        setattr(sys.modules[package], name, found)
        return found

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return find, names
