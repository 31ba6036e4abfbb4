"""A report of measurements as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from explain.evaluation.report import Report

_COLUMNS = {
    "msc": ("mSC", "9.1f"),
    "miou_50": ("mIoU .5", "9.1f"),
    "miou": ("mIoU", "9.1f"),
    "threshold": ("thr", "9.2f"),
    "miou_oracle": ("oracle", "9.1f"),
    "miou_pooled": ("pooled", "9.1f"),
    "pointing": ("pointing", "9.1f"),
    "deletion": ("deletion", "10.3f"),
    "insertion": ("insertion", "10.3f"),
    "random_correlation": ("random", "9.2f"),
    "seconds": ("s", "8.1f"),
}


def as_text(report: Report) -> str:
    """The table of methods, the best mIoU first, and what else was measured, a line each."""
    columns = {name: form for name, form in _COLUMNS.items() if name in report["rows"][0]}
    lines = [f"{report['model']}, {report['pictures']} pictures of {report['data']} ({report['split']})"]
    heads = (f"{head:>{width(form)}}" for head, form in columns.values())
    lines.append(f"{'method':16}" + "".join(heads))
    for row in sorted(report["rows"], key=lambda row: -row["miou"]):
        cells = "".join(cell(row[name], form) for name, (_, form) in columns.items())
        lines.append(f"{row['method']:16}{cells}")
    for part in (_against, _faithfulness, _words, _randomised, _shift, _left_out):
        lines += part(report)
    return "\n".join(lines)


def _against(report: Report) -> Iterator[str]:
    for name, found in report.get("against_itsm", {}).items():
        low, high = found["low"], found["high"]
        yield (f"{name} - itsm: {found['difference']:+.1f} points of IoU, 95 % {low:+.1f} to {high:+.1f}")


def _faithfulness(report: Report) -> Iterator[str]:
    found = report.get("faithfulness")
    if found:
        yield (
            f"Deletion (small is good) and insertion (large is good): areas in cosines, {found['things']}, "
            f"{found['pictures']} pictures, {found['steps']} steps, baseline {found['baseline']}, 95 % intervals"
        )
        for row in found["rows"]:
            yield f"  {row['method']:16} {ranged(row, 'deletion', '.3f')}   {ranged(row, 'insertion', '.3f')}"


def _words(report: Report) -> Iterator[str]:
    found = report.get("words")
    if found:
        yield (
            f"Words of {found['pictures']} captions: % of the relevance on content words; agreement with leaving "
            "each word out (Spearman)"
        )
        for row in found["rows"]:
            agreement = ranged(row, "agreement", "+.2f")
            yield f"  {row['method']:16} {ranged(row, 'content', '.1f')}   {agreement}"


def _randomised(report: Report) -> Iterator[str]:
    found = report.get("randomised")
    if found:
        yield (
            f"Against random weights, {found['pictures']} pictures: rank correlation of the maps, and what the "
            f"random model reaches; {found['rule']}"
        )
        for row in found["rows"]:
            reached = f"mSC {plain(row['msc'], '+.1f')}, mIoU at best {plain(row['miou_oracle'], '.1f')}"
            survives = "  survives" if row["survives"] else ""
            yield f"  {row['method']:16} {ranged(row, 'correlation', '+.2f')}   {reached}{survives}"


def _shift(report: Report) -> Iterator[str]:
    found = report.get("shift")
    if not found:
        return
    yield f"Semantic shift, {found['pictures']} pictures, the foreground is {found['foreground']}"
    for name, row in found["provenance"].items():
        yield (
            f"  pooled by {name}: {ranged(row, 'pooled', '.1f')} % from the things, whose area is "
            f"{row['area']:.1f} %; excess {ranged(row, 'excess', '+.1f')}"
        )
    for name, what in (("pooled", "the pooled picture"), ("text", "the text")):
        shift = ranged(found["joint_space"], name, "+.3f")
        yield f"  {what}: cosine with the background - with the thing {shift}"
    for row in found["depth"] or ():
        yield f"  mSC after block {row['block']}: {ranged(row, 'msc', '+.1f')}"
    for row in found["poolings"]:
        yield f"  pooling {row['pooling']:14} shift {ranged(row, 'shift', '+.3f')}"


def _left_out(report: Report) -> Iterator[str]:
    found = report["left_out"]
    counts = {
        "pictures that cannot be used": len(found["unreadable"]),
        "pictures without things": found["pictures_without_things"],
        "things without valid pixels": found["things_without_pixels"],
        "classes without pictures": len(found["classes_without_pictures"]),
    }
    if any(counts.values()):
        yield "Left out: " + ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def width(form: str) -> int:
    """Returns the width of a column whose numbers have this form, such as "9.1f"."""
    return int(float(form.rstrip("fg")))


def cell(value: float | None, form: str) -> str:
    """A number in its column."""
    return f"{'-':>{width(form)}}" if value is None else f"{value:{form}}"


def plain(value: float | None, form: str) -> str:
    """A number in a sentence."""
    return "-" if value is None else f"{value:{form}}"


def ranged(row: Mapping[str, float | None], name: str, form: str) -> str:
    """A number with its interval, from `name`, `name_low` and `name_high`."""
    if row[name] is None:
        return "-"
    low, high = (plain(row[f"{name}_{end}"], form) for end in ("low", "high"))
    return f"{row[name]:{form}} ({low} to {high})"
