"""`one_picture.py` on many pictures: the same, averaged.

A picture's own label is the one that is true of it, or, where that is not known, the one that all phrasings together
decide on. The words of a label are averaged over the pictures whose own it is: beside others they say little.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from os import PathLike

import torch
from torch import Tensor

from explain.clip.model import Clip
from explain.inputs.content_words import NEGLECTED
from explain.inputs.folders import NamedPicture, Report, counted, read_folder
from explain.methods.leave_one_out import losses_of_all
from explain.relevance.texts import record_texts, text_relevance
from explain.stability.averages import AveragedWord, Decided, FolderStability, mean
from explain.stability.one_picture import RatedWord, check_threshold, first_highest, judge, rate_words
from explain.stability.phrasebook import PHRASINGS
from explain.stability.phrasings import PhrasedLabel, read_labels, read_texts

BATCH = 32  # pictures at a time
_Prepared = tuple[str, int | None, Tensor]


def silent(what: str, done: int, total: int) -> None:
    """Reports nothing."""


def explain_folder(
    clip: Clip,
    folder: str | PathLike,
    labels: Sequence[str] | None = None,
    phrasings: Sequence[str] = PHRASINGS,
    threshold: float = NEGLECTED,
    report: Report = silent,
) -> FolderStability:
    """The pictures of a folder. Where it holds a folder per class, those are the labels, and more may be given.

    Pictures that cannot be used are left out, named and counted. `report` is called with what is done, how many are,
    and of how many. ValueError where no picture is left, where labels are needed, or where given ones lack a class.
    """
    found = read_folder(folder)
    if labels is None and not found.classes:
        raise ValueError("no labels given; allowed: labels, or a folder of pictures per class")
    asked = read_labels(labels if labels is not None else found.classes)
    lacking = [name for name in found.classes if name not in asked]
    if lacking:
        raise ValueError(f"the folder {lacking[0]!r} is none of the labels; allowed: {', '.join(asked)}")
    skipped: list[str] = [f"{name}: the folder has no pictures" for name in found.empty]
    pictures = counted(found.readable(skipped), len(found.files), report)
    return explain_pictures(clip, pictures, asked, phrasings, threshold, skipped, report)


def explain_pictures(
    clip: Clip,
    pictures: Iterable[NamedPicture],
    labels: Sequence[str],
    phrasings: Sequence[str] = PHRASINGS,
    threshold: float = NEGLECTED,
    skipped: list[str] | None = None,
    report: Report = silent,
) -> FolderStability:
    """Pictures from anywhere, encoded in batches; texts are read once for all. `skipped` may grow meanwhile.

    ValueError where there is no picture, or one whose label is none of `labels`.
    """
    check_threshold(threshold)
    texts = read_texts(clip, labels, phrasings)
    columns = list(zip(*texts.table, strict=True))
    ids = [clip.tokenize([one.text for one in column]) for column in columns]
    with torch.no_grad():
        features = torch.stack([clip.encode_texts(column) for column in ids], dim=1)
    names, own, images = _encoded(clip, pictures, texts.labels)
    if not names:
        why = f"; the first: {skipped[0]}" if skipped else ""
        raise ValueError(f"there is no picture that can be used{why}")
    scores, probabilities, ensemble = judge(clip, images, features)
    decided = tuple(
        Decided(name, true, first_highest(together), tuple(map(first_highest, rows)))
        for name, true, together, rows in zip(names, own, ensemble.tolist(), scores.tolist(), strict=True)
    )
    words, done = [], 0
    for label, column in enumerate(columns):
        report("their words", done, len(names))
        of_label = [n for n, one in enumerate(decided) if one.own == label]
        words.append(_averaged_words(clip, column, ids[label], images[of_label], threshold))
        done += len(of_label)
    report("their words", done, len(names))
    return FolderStability(
        clip.name,
        texts.labels,
        texts.phrasings,
        threshold,
        _averaged_rows(scores),
        _averaged_rows(probabilities),
        tuple(ensemble.mean(0).tolist()),
        tuple(zip(*words, strict=True)),
        decided,
        tuple(skipped or ()),
        texts.notes,
    )


def _averaged_rows(values: Tensor) -> tuple[tuple[float, ...], ...]:
    """(B, P, L) -> means over B, as rows."""
    return tuple(tuple(row) for row in values.cpu().double().mean(0).tolist())


@torch.no_grad()
def _encoded(
    clip: Clip, pictures: Iterable[NamedPicture], labels: tuple[str, ...]
) -> tuple[list[str], list[int | None], Tensor]:
    """Names, numbers of true labels, and features (B, D)."""
    names: list[str] = []
    own: list[int | None] = []
    features = []
    for group in _groups(_prepared(clip, pictures, labels)):
        names += [name for name, _, _ in group]
        own += [label for _, label, _ in group]
        features.append(clip.encode_images(torch.cat([image for _, _, image in group])))
    return names, own, torch.cat(features) if features else torch.empty(0)


def _number(picture: NamedPicture, labels: tuple[str, ...]) -> int | None:
    if picture.label is None:
        return None
    if picture.label not in labels:
        raise ValueError(f"{picture.name} is {picture.label!r}; allowed: {', '.join(labels)}")
    return labels.index(picture.label)


def _prepared(clip: Clip, pictures: Iterable[NamedPicture], labels: tuple[str, ...]) -> Iterator[_Prepared]:
    """Names, numbers of labels, and images of the model's size: those of files may be a thousand times as large."""
    for picture in pictures:
        yield picture.name, _number(picture, labels), clip.prepare([picture.image])


def _groups(prepared: Iterator[_Prepared]) -> Iterator[list[_Prepared]]:
    while group := list(islice(prepared, BATCH)):
        yield group


def _averaged_words(
    clip: Clip,
    column: Sequence[PhrasedLabel],
    ids: Tensor,
    images: Tensor,
    threshold: float,
) -> list[tuple[AveragedWord, ...]]:
    """The words of one label's texts over images of features (B, D); of each text none where there are no images."""
    if not len(images):
        return [()] * len(column)
    # Read once more, with a graph: those of all labels at once would take more memory than there is.
    recorded = record_texts(clip, ids)
    losses = losses_of_all(clip, images, [one.text for one in column])
    rated: list[list[tuple[RatedWord, ...]]] = [[] for _ in column]
    for image in images:
        rows = text_relevance(clip, recorded, image, normalise="none").tolist()
        for found, one, row in zip(rated, column, rows, strict=True):
            found.append(rate_words(one, row, None, threshold))
    return [
        tuple(_averaged(ratings, drop) for ratings, drop in zip(zip(*found, strict=True), drops, strict=True))
        for found, drops in zip(rated, [one.mean(0).tolist() for one in losses], strict=True)
    ]


def _averaged(ratings: Sequence[RatedWord], drop: float) -> AveragedWord:
    first = ratings[0]
    relevance, neglected = (
        mean([one.relevance for one in ratings]),
        mean([one.neglected for one in ratings]),
    )
    return AveragedWord(first.text, first.content, first.named, relevance, neglected, drop)
