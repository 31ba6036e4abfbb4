"""Runs that are made again: what a command wrote gives what its options leave open."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guidance.catalogue import guide_of
from guidance.records import read_record


def run_again(source: Path | None, command: str, key: str) -> dict[str, Any]:
    """The record of a run, empty where there is no source. ValueError for one of another command: without the `key`."""
    record = {} if source is None else read_record(source)
    if source is not None and key not in record:
        raise ValueError(f"{source.name!r} holds no {command}; allowed: what `{command}` wrote")
    return record


def for_generator(options: Namespace, record: Mapping[str, Any]) -> dict[str, Any]:
    """The record, for a generator of the options' own without the other's guide and settings."""
    if options.generator in (None, record.get("generator", options.generator)):
        return dict(record)
    return {name: value for name, value in record.items() if name not in ("clip", "sampling", "settings")}


def fill(options: Namespace, record: Mapping[str, Any], **defaults: Any) -> None:
    """Sets the options that are open (None): those that have a default here, generator, guide and seed."""
    for name, default in {"generator": "toy-sd", "clip": None, "seed": 0, **defaults}.items():
        if getattr(options, name) is None:
            setattr(options, name, record.get(name, default))
    options.clip = options.clip or guide_of(options.generator)
