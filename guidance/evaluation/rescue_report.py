"""A report of rescues: are both things there? With intervals, paired prompt by prompt; as data, and for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from types import ModuleType
from typing import Any

from explain.evaluation.maps import spread
from explain.evaluation.resumable import Record
from explain.evaluation.text import cell, plain, ranged, width
from guidance.evaluation.gates import least
from guidance.evaluation.rescues import RescueRuns
from guidance.evaluation.world import Drawn, open_world

AIM = 0.15
CONDITIONS = {
    "unguided": "the generator alone",
    "lambda0": "chosen among noises by the similarity alone",
    "rescued": "and by relevance of the neglected words",
}
PAIRS = (("rescued", "unguided"), ("lambda0", "unguided"), ("rescued", "lambda0"))
_COLUMNS = {
    "right": ("right", "8.2f"),
    "things": ("things", "8.2f"),
    "relevance": ("words", "8.2f"),
    "neglected": ("neglected", "11.1f"),
    "similarity": ("cosine", "8.3f"),
    "seconds": ("s", "8.2f"),
}

Report = dict[str, Any]


def report(runs: RescueRuns) -> Report:
    """The table of conditions, and the differences of pairs, prompt by prompt, with 95 % intervals."""
    records, judging = runs.records(), open_world(runs.plan.data).judging
    right = {name: _right(records, runs.drawn, name, judging) for name in CONDITIONS}
    rows = []
    for name in CONDITIONS:
        row = {"condition": name, "prompts": len(records)}
        row |= spread("right", [all(each) for each in right[name]])
        row |= spread("things", [sum(each) / len(each) for each in right[name]])
        for column in ("relevance", "neglected", "similarity", "seconds"):
            row |= spread(column, [record[name][column] for record in records])
        rows.append(row)
    against = []
    for ours, theirs in PAIRS:
        apart = [all(a) - all(b) for a, b in zip(right[ours], right[theirs], strict=True)]
        against.append({"condition": ours, "against": theirs, **spread("difference", apart)})
    return {
        "generator": runs.generator.name,
        "clip": runs.clip.name,
        **asdict(runs.plan),
        "sampling": asdict(runs.sampling),
        "settings": asdict(runs.settings),
        "rows": rows,
        "against": against,
        "gates": list(_gates(against)),
    }


def as_text(found: Report) -> str:
    """A report for a terminal."""
    return "\n".join(_lines(found))


def _lines(found: Report) -> Iterator[str]:
    words = found["settings"]["objective"]["weight"]
    yield (
        f"{found['generator']} guided by {found['clip']}, lambda {words:g}, {found['sampling']['candidates']} noises: "
        f"{found['prompts']} prompts of two things of {found['data']} ({found['split']})"
    )
    yield from (f"  {name:10} {sentence}" for name, sentence in CONDITIONS.items())
    yield (
        "right: both things are there, of the right kind and colour. things: the share that is. words: relevance of "
        "the words that were neglected, of 1; neglected: how many are; by the model that guided."
    )
    yield f"{'condition':10}" + "".join(f"{head:>{width(form)}}" for head, form in _COLUMNS.values())
    for row in found["rows"]:
        cells = "".join(cell(row[name], form) for name, (_, form) in _COLUMNS.items())
        yield f"{row['condition']:10}{cells}"
    for one in found["against"]:
        yield f"{one['condition']} - {one['against']}: right {ranged(one, 'difference', '+.2f')}"
    for gate in found["gates"]:
        met = "met" if gate["met"] else "MISSED"
        yield f"Gate: {gate['gate']}: {plain(gate['value'], '.2f')} ({gate['allowed']}): {met}"


def _gates(against: Sequence[Report]) -> Iterator[Report]:
    for one in against:
        if (one["condition"], one["against"]) == ("rescued", "unguided"):
            value = one["difference"]
            yield least("right, rescued - unguided (aim)", value, AIM)


def _right(
    records: Sequence[Record], drawn: Sequence[Drawn], name: str, judging: ModuleType
) -> list[list[bool]]:
    """Says for every prompt which of its things are in the picture, wherever they are."""
    found = []
    for record, layout in zip(records, drawn, strict=True):
        seen = judging.Seen.of_record(record[name]["judge"]).found
        things = judging.verdict(seen, judging.wanted(layout)).things
        found.append([thing.present for thing in things])
    return found
