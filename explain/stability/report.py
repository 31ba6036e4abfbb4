"""How stable a decision is, as plain data and as text for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from explain.heatmap import drawable
from explain.stability.averages import FolderStability
from explain.stability.one_picture import RatedWord, Stability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEGEND = """\
Words: relevance in % of the strongest content word, ! below {:.0%} and so neglected; in brackets what the cosine loses
without the word. Words of the answer of all together:"""
_COLOURS = "Purples"
_DARK = 0.6  # shares above it have white numbers


def as_record(found: Stability | FolderStability) -> dict[str, Any]:
    """Everything as JSON knows it: the fields, and what follows from them. Decisions are names of labels."""
    record = asdict(found)
    if isinstance(found, Stability):
        decided = {
            "decisions": [found.labels[label] for label in found.decisions],
            "decided": found.labels[found.decided],
        }
        return record | decided | {"flips": list(found.flips), "instability": found.instability}
    for picture, one in zip(record["pictures"], found.pictures, strict=True):
        picture["true"] = None if one.true is None else found.labels[one.true]
        picture["together"] = found.labels[one.together]
        picture["decisions"] = [found.labels[label] for label in one.decisions]
        picture["instability"] = one.instability
    return record | {
        "flips": list(found.flips),
        "instability": found.instability,
        "accuracy": None if found.accuracy is None else list(found.accuracy),
        "accuracy_together": found.accuracy_together,
        "agreed": found.agreed,
        "accuracy_where_agreed": found.accuracy_where_agreed,
        "accuracy_elsewhere": found.accuracy_elsewhere,
        "label_neglected": list(found.label_neglected),
        "label_drop": list(found.label_drop),
    }


def verdict(found: Stability) -> str:
    """How stable the decision is, in a sentence or two."""
    counts = Counter(found.decisions)
    name, total = found.labels[found.decided], len(found.phrasings)
    agreeing = counts.pop(found.decided, 0)
    if total == 1:
        return f"The one phrasing says “{name}”."
    if not counts:
        return f"{'Both' if total == 2 else f'All {total}'} phrasings say “{name}”."
    ours = f"No phrasing says “{name}”, which all together do"
    if agreeing:
        ours = f"{agreeing} of {total} phrasings {_say(agreeing)} “{name}”, as all together do"
    others = ", ".join(
        f"{count} {_say(count)} “{found.labels[label]}”" for label, count in counts.most_common()
    )
    return f"{ours}; {others}. Two phrasings picked at random disagree {100 * found.instability:.0f} % of the time."


def as_text(found: Stability | FolderStability) -> str:
    """The matrix, how stable it is, the words of the phrasings, and what has to be said."""
    return "\n".join(_of_one(found) if isinstance(found, Stability) else _of_many(found))


def _of_one(found: Stability) -> list[str]:
    columns = {
        label: [_percent(row[n].probability) for row in found.texts] + [_percent(found.ensemble[n])]
        for n, label in enumerate(found.labels)
    }
    says = [f" {found.labels[one]}{' *' if one != found.decided else ''}" for one in found.decisions]
    lines = [
        f"{found.model}: {len(found.labels)} labels in {len(found.phrasings)} phrasings; * decides otherwise",
        *_table(found.phrasings, columns, [*says, f" {found.labels[found.decided]}"]),
        "",
        verdict(found),
        "",
        _LEGEND.format(found.threshold),
    ]
    lines += ["  " + "  ".join(map(_word, row[found.decided].words)) for row in found.texts]
    return [*lines, *(f"note: {note}" for note in found.notes)]


def _of_many(found: FolderStability) -> list[str]:
    columns = {"flips": [*map(_percent, found.flips), "-"]}
    if found.accuracy is not None and found.accuracy_together is not None:
        columns["right"] = [*map(_percent, found.accuracy), _percent(found.accuracy_together)]
    columns["label neglected"] = [*map(_percent, found.label_neglected), "-"]
    columns["label left out"] = [*(f"{drop:+.3f}" for drop in found.label_drop), "-"]
    labels, phrasings, pictures = len(found.labels), len(found.phrasings), len(found.pictures)
    lines = [
        f"{found.model}: {pictures} pictures, {labels} labels in {phrasings} phrasings",
        *_table(found.phrasings, columns),
        "flips: pictures on which a phrasing decides otherwise than all together; label neglected: pictures that",
        f"neglect their own label's words (below {found.threshold:.0%} of the strongest content word); label left out:",
        "what the cosine loses without a word of it",
        "",
        f"Two phrasings picked at random disagree on {100 * found.instability:.1f} % of the pictures.",
        f"All agree on {100 * found.agreed:.1f} % of them{_trust(found)}.",
    ]
    if found.skipped:
        lines += [f"{len(found.skipped)} left out:", *(f"  {reason}" for reason in found.skipped)]
    return [*lines, *(f"note: {note}" for note in found.notes)]


def _table(names: Sequence[str], columns: dict[str, list[str]], last: Sequence[str] = ()) -> list[str]:
    """A row for each name and one for all together; numbers on the right of their columns, `last` behind them."""
    names = [*names, "all together"]
    first = max(map(len, names))
    widths = {head: max(len(head), *map(len, cells)) for head, cells in columns.items()}
    lines = ["  ".join([" " * first, *(f"{head:>{width}}" for head, width in widths.items())])]
    for n, name in enumerate(names):
        cells = [f"{columns[head][n]:>{width}}" for head, width in widths.items()]
        lines.append("  ".join([f"{name:{first}}", *cells, *last[n : n + 1]]))
    return lines


def _trust(found: FolderStability) -> str:
    """Whether agreement tells that the answer is right, where that is known."""
    where = (("there", found.accuracy_where_agreed), ("elsewhere", found.accuracy_elsewhere))
    shares = [f"{place} {100 * share:.1f} % are right" for place, share in where if share is not None]
    return "".join(f"; {share}" for share in shares)


def _say(count: int) -> str:
    return "says" if count == 1 else "say"


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _word(word: RatedWord) -> str:
    drop = "" if word.drop is None else f" ({word.drop:+.3f})"
    return f"{word.text}{'!' * word.neglected} {word.relevance:.0%}{drop}"


def figure(found: Stability) -> Figure:
    """A row per phrasing and one for all together, a column per label, the share of the vote in the cells; the answer
    of each row is bold, and an asterisk marks the rows that answer otherwise than all together.
    """
    from matplotlib.figure import Figure

    rows = [[text.probability for text in row] for row in found.texts] + [list(found.ensemble)]
    answers = [*found.decisions, found.decided]
    size = (4.5 + 0.9 * len(found.labels), 1.6 + 0.28 * len(rows))
    drawn = Figure(figsize=size, dpi=200, layout="constrained")
    axis = drawn.subplots()
    axis.imshow(rows, cmap=_COLOURS, vmin=0, vmax=1, aspect="auto")
    for y, (shares, answer) in enumerate(zip(rows, answers, strict=True)):
        for x, share in enumerate(shares):
            colour, weight = "white" if share > _DARK else "black", "bold" if x == answer else "normal"
            axis.text(x, y, f"{share:.0%}", ha="center", va="center", fontsize=8, color=colour, weight=weight)
    names = [f"{name} *" if n in found.flips else name for n, name in enumerate(found.phrasings)]
    axis.set_yticks(range(len(rows)), [drawable(name) for name in [*names, "all together"]], fontsize=8)
    axis.set_xticks(range(len(found.labels)), [drawable(name, 24) for name in found.labels], fontsize=8)
    for label in (*axis.get_yticklabels(), *axis.get_xticklabels()):
        label.set_parse_math(False)
    axis.axhline(len(rows) - 1.5, color="black", linewidth=0.8)
    axis.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    drawn.suptitle(drawable(f"{found.model}: {verdict(found)}", 200), fontsize=8, wrap=True, parse_math=False)
    return drawn
