"""Is an explanation true to the model? Deletion and insertion of patches, and word scores against leaving a
word out. numpy and PIL only: the model comes in as a function that scores pictures.

Petsiuk et al. 2018 (RISE, arXiv 1806.07421): take the patches of a picture away, the most relevant first. If
the map is right the score falls soon (a small area under the deletion curve), and rises soon where they are
put back (a large area under the insertion curve).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

Score = Callable[[np.ndarray], np.ndarray]  # pictures (B, H, W, 3) uint8 -> scores (B,)


@dataclass(frozen=True, eq=False)
class Curves:
    """Scores at each step, (S + 1,) float64: `deletion` from the picture to the baseline, `insertion` back.

    `shares` (S + 1,) are the shares of patches deleted or inserted by then, from 0 to 1.
    """

    shares: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray

    @property
    def deletion_area(self) -> float:
        """Lower is better."""
        return curve_area(self.deletion, self.shares)

    @property
    def insertion_area(self) -> float:
        """Higher is better."""
        return curve_area(self.insertion, self.shares)


def deletion_insertion(
    image: np.ndarray,
    baseline: np.ndarray,
    heatmap: np.ndarray,
    score: Score,
    steps: int = 16,
    batch: int = 32,
    ends: tuple[float, float] | None = None,
) -> Curves:
    """Both curves of one map (h, w) on one picture (H, W, 3) uint8. Patches give way to the `baseline`, and
    come back on it: `mean_colour(image)` or `blurred(image)`.

    `score` is called with at most `batch` pictures at a time. `ends`: the scores of the picture and of the
    baseline, where they are known: then neither is scored again. *Differs from the paper*: whole patches rather
    than pixels, and one baseline, which is an argument (RISE deletes to grey and inserts into a blur); say
    which with the number. Areas compare only where picture, grid, steps, baseline and score are the same.
    """
    image, baseline = np.asarray(image), np.asarray(baseline)
    if image.ndim != 3 or image.dtype != np.uint8 or image.shape[2] != 3 or baseline.shape != image.shape:
        raise ValueError(
            f"the picture is {image.shape} {image.dtype}, its baseline {baseline.shape}; "
            "allowed: both the same (H, W, 3) uint8"
        )
    if batch < 1:
        raise ValueError(f"batch is {batch}; allowed: 1 picture or more")
    chosen = schedule(heatmap, steps)
    if ends is None:
        ends = tuple(_scores(score, iter((image, baseline)), batch))
    inner = chosen[1:-1]  # the first of a curve is the picture, the last the baseline, or the other way
    deletion = _scores(score, (_mixed(baseline, image, mask) for mask in inner), batch)
    insertion = _scores(score, (_mixed(image, baseline, mask) for mask in inner), batch)
    return Curves(
        chosen.mean(axis=(1, 2)),
        np.array([ends[0], *deletion, ends[1]]),
        np.array([ends[1], *insertion, ends[0]]),
    )


def schedule(heatmap: np.ndarray, steps: int) -> np.ndarray:
    """Which patches are chosen after each step: a map (h, w) -> (S + 1, h, w) booleans, from none to all.

    The highest first, equal ones in reading order; as many per step as go evenly into `steps`.
    """
    heatmap = np.asarray(heatmap, dtype=np.float64)
    if heatmap.ndim != 2 or heatmap.size == 0 or not np.isfinite(heatmap).all():
        raise ValueError(f"a map must be (h, w) of finite numbers, not {heatmap.shape}")
    if not 1 <= steps <= heatmap.size:
        raise ValueError(f"steps is {steps}; allowed: 1 to {heatmap.size}, the number of patches")
    order = np.argsort(-heatmap, axis=None, kind="stable")
    rank = np.empty(heatmap.size, dtype=int)
    rank[order] = np.arange(heatmap.size)
    counts = np.arange(steps + 1) * heatmap.size // steps
    return (rank < counts[:, None]).reshape(-1, *heatmap.shape)


def curve_area(
    scores: Sequence[float] | np.ndarray, shares: Sequence[float] | np.ndarray | None = None
) -> float:
    """The area under a curve over [0, 1] by the trapezoid rule, in the unit of the scores.

    `shares` are the places of the scores, from 0 to 1 and growing; evenly spaced where not given.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"a curve must be 2 or more finite scores in a row, not {values.shape}")
    places = np.linspace(0, 1, len(values)) if shares is None else np.asarray(shares, dtype=np.float64)
    if places.shape != values.shape or places[0] != 0 or places[-1] != 1 or (np.diff(places) < 0).any():
        raise ValueError(f"the shares are {places.tolist()}; allowed: one per score, growing from 0 to 1")
    return float(np.trapezoid(values, places))


def mean_colour(image: np.ndarray) -> np.ndarray:
    """The picture (H, W, 3) uint8 painted over with its mean colour. Patches on it have hard edges."""
    return np.broadcast_to(image.mean(axis=(0, 1)).round().astype(np.uint8), image.shape)


def blurred(image: np.ndarray, share: float = 0.1) -> np.ndarray:
    """The picture (H, W, 3) uint8 under a Gaussian whose radius is a share of its shorter side: what is what
    can hardly be told, yet no edge is added.
    """
    radius = share * min(image.shape[:2])
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def content_share(tokens: Iterable[tuple[str, float]], content: Collection[str]) -> float:
    """The share of a prompt's relevance that its content words hold, in [0, 1].

    `tokens` are (word, share) as in an Explanation; a word is content where `content` has it, in any case.
    ValueError where there is no such word, or no relevance to share.
    """
    wanted = {word.casefold() for word in content}
    shares = [(word.casefold() in wanted, float(share)) for word, share in tokens]
    total = sum(share for _, share in shares)
    if not any(found for found, _ in shares):
        raise ValueError(
            f"none of {sorted(wanted)} is among the words of the prompt; allowed: 1 or more of them"
        )
    if not 0 < total < np.inf or min(share for _, share in shares) < 0:
        raise ValueError(
            f"the words share a relevance of {total}; allowed: finite shares, none negative, some not 0"
        )
    return sum(share for found, share in shares if found) / total


def rank_agreement(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float:
    """Spearman's rho of two lists of scores, in [-1, 1]: do they order the words alike?

    Spearman 1904: the correlation of the ranks, equal scores sharing the mean of theirs. For word scores
    against the fall of the cosine when each word is left out. A list that is constant ranks nothing: 0. Two
    words give 1, -1 or 0, so average over many prompts. ValueError below two scores.
    """
    first, second = (np.asarray(scores, dtype=np.float64) for scores in (a, b))
    if first.shape != second.shape or first.ndim != 1 or len(first) < 2:
        raise ValueError(
            f"the scores are {first.shape} and {second.shape}; allowed: two lists of the same length, 2 or more"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("there are scores that are not finite; allowed: finite numbers")
    x, y = (ranks - ranks.mean() for ranks in (_ranks(first), _ranks(second)))
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(np.clip(x @ y / scale, -1, 1)) if scale else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share the mean of theirs."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[group]


def _mixed(inside: np.ndarray, outside: np.ndarray, patches: np.ndarray) -> np.ndarray:
    """One picture inside the chosen patches (h, w), another outside them. A pixel is in the patch of its centre."""
    rows, columns = (
        ((np.arange(pixels) + 0.5) * count / pixels).astype(int)
        for pixels, count in zip(inside.shape[:2], patches.shape, strict=True)
    )
    return np.where(patches[np.ix_(rows, columns)][..., None], inside, outside)


def _scores(score: Score, pictures: Iterator[np.ndarray], batch: int) -> np.ndarray:
    found: list[float] = []
    waiting: list[np.ndarray] = []
    for picture in pictures:
        waiting.append(picture)
        if len(waiting) == batch:
            found.extend(_scored(score, waiting))
            waiting = []
    return np.array(found + (_scored(score, waiting) if waiting else []))


def _scored(score: Score, pictures: list[np.ndarray]) -> list[float]:
    scores = np.asarray(score(np.stack(pictures)), dtype=np.float64)
    if scores.shape != (len(pictures),) or not np.isfinite(scores).all():
        raise ValueError(
            f"`score` gave {scores.shape} for {len(pictures)} pictures; allowed: one finite number each"
        )
    return scores.tolist()
