"""Averages over many pictures, each asked in many phrasings: means, shares, and each picture's decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from explain.stability.one_picture import instability


@dataclass(frozen=True)
class AveragedWord:
    """A word over a label's pictures: means of `RatedWord`'s numbers, and the share of pictures that neglect it."""

    text: str
    content: bool
    named: bool
    relevance: float
    neglected: float
    drop: float


@dataclass(frozen=True)
class Decided:
    """One picture: the label true of it or None, the label all phrasings together decide on, and each phrasing's, as
    numbers of labels.
    """

    name: str
    true: int | None
    together: int
    decisions: tuple[int, ...]

    @property
    def own(self) -> int:
        """The picture's own label: the true one, or else what all phrasings together say."""
        return self.together if self.true is None else self.true

    @property
    def instability(self) -> float:
        """The share of pairs of phrasings that disagree."""
        return instability(self.decisions)


@dataclass(frozen=True)
class FolderStability:
    """Answers of one model about many pictures, averaged. Rows are phrasings, columns labels. Holds no tensor.

    `words` are empty where a label is no picture's own. `skipped`: pictures that could not be used, and why.
    """

    model: str
    labels: tuple[str, ...]
    phrasings: tuple[str, ...]
    threshold: float
    scores: tuple[tuple[float, ...], ...]
    probabilities: tuple[tuple[float, ...], ...]
    ensemble: tuple[float, ...]
    words: tuple[tuple[tuple[AveragedWord, ...], ...], ...]
    pictures: tuple[Decided, ...]
    skipped: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def instability(self) -> float:
        """The mean of the pictures' own."""
        return mean([picture.instability for picture in self.pictures])

    @property
    def flips(self) -> tuple[float, ...]:
        """For each phrasing the share of pictures on which it decides on another label than all together."""
        return tuple(
            mean([picture.decisions[n] != picture.together for picture in self.pictures])
            for n in range(len(self.phrasings))
        )

    @property
    def accuracy(self) -> tuple[float, ...] | None:
        """For each phrasing the share of pictures that it finds the true label of; None where none is known."""
        known = self._known
        if not known:
            return None
        return tuple(
            mean([picture.decisions[n] == picture.true for picture in known])
            for n in range(len(self.phrasings))
        )

    @property
    def accuracy_together(self) -> float | None:
        """Share of pictures that all phrasings together find the true label of; None where none is known."""
        return self._right(self._known)

    @property
    def agreed(self) -> float:
        """The share of pictures on which all phrasings agree."""
        return mean([picture.instability == 0 for picture in self.pictures])

    @property
    def accuracy_where_agreed(self) -> float | None:
        """Share of true labels found among the pictures on which all phrasings agree; None if there are none."""
        return self._right([picture for picture in self._known if picture.instability == 0])

    @property
    def accuracy_elsewhere(self) -> float | None:
        """Share of true labels that all phrasings together find among the other pictures; None if there are none."""
        return self._right([picture for picture in self._known if picture.instability > 0])

    @property
    def label_neglected(self) -> tuple[float, ...]:
        """For each phrasing the share of pictures that neglect their own label's words."""
        return tuple(self._of_labels(row, "neglected") for row in self.words)

    @property
    def label_drop(self) -> tuple[float, ...]:
        """For each phrasing what the cosine loses without a word of the picture's own label."""
        return tuple(self._of_labels(row, "drop") for row in self.words)

    def _of_labels(self, row: Sequence[Sequence[AveragedWord]], name: str) -> float:
        """A mean over each label's content words, then over the pictures; words of a label without any count as 0."""
        named = [[getattr(word, name) for word in words if word.named and word.content] for words in row]
        return mean([mean(named[picture.own] or [0.0]) for picture in self.pictures])

    def _right(self, pictures: Sequence[Decided]) -> float | None:
        return mean([picture.together == picture.true for picture in pictures]) if pictures else None

    @property
    def _known(self) -> list[Decided]:
        return [picture for picture in self.pictures if picture.true is not None]


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean of one value or more."""
    return sum(values) / len(values)
