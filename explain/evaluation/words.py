"""Are word scores true to the model? The share of relevance on words that carry the meaning, and the agreement with
what the score really loses without each word. `faithfulness.py` has the two measures.

Asked of a picture's caption, which is true of it; pictures without one are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from explain.evaluation.faithfulness import content_share, rank_agreement
from explain.evaluation.maps import Seen, spread
from explain.inputs.words import Word
from explain.methods import WORD_METHODS
from explain.methods.leave_one_out import leave_one_out, word_losses

EQUAL = "equal shares"
Entry = dict[str, list[float | None]]  # way to rate words -> [share on content words, agreement]


def word_entry(seen: Seen) -> Entry | None:
    """Both measures for every way to rate words on the picture's caption; None where there is no caption.

    Leaving words out is itself the yardstick of the agreement, so it has none, and runs once for both. A share
    is None where no word raises the score. `EQUAL` has the share that equal scores would give.
    """
    clip, caption = seen.encoding.clip, seen.subject.caption
    words = clip.words([caption])[0] if caption else []
    wanted = {word.casefold() for word in seen.subject.content}
    if not any(word.text.casefold() in wanted for word in words):
        return None
    losses = word_losses(clip, seen.encoding.features[0], caption)
    found: Entry = {}
    for name, method in WORD_METHODS.items():
        if method is leave_one_out:
            found[name] = [_share(words, [max(loss, 0.0) for loss in losses], wanted), None]
            continue
        tokens = method.token_scores(seen.encoding, [caption])[0]
        scores = [float(sum(tokens[word.start : word.stop])) for word in words]
        agreement = rank_agreement(scores, losses) if len(words) > 1 else None
        found[name] = [_share(words, scores, wanted), agreement]
    found[EQUAL] = [_share(words, [1.0] * len(words), wanted), None]
    return found


def summary(entries: Sequence[Entry | None]) -> dict[str, object] | None:
    """Means with 95 % intervals over the captions: shares in percent, agreements as Spearman's rho in [-1, 1]."""
    known = [entry for entry in entries if entry is not None]
    if not known:
        return None
    rows = [
        {"method": name}
        | spread("content", [entry[name][0] for entry in known], 100)
        | spread("agreement", [entry[name][1] for entry in known])
        for name in known[0]
    ]
    return {"pictures": len(known), "text": "the caption of each picture", "rows": rows}


def _share(words: Sequence[Word], scores: Sequence[float], wanted: set[str]) -> float | None:
    if sum(scores) <= 0:
        return None
    return content_share([(word.text, score) for word, score in zip(words, scores, strict=True)], wanted)
